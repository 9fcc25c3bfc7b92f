"""Looks a thing up by the name that a person gave, and offers what there is where it fails; knows no kind of thing.

It is asked on trio's thread, by anybody and as often as he likes: the work does not grow with the names.
"""

import difflib
import string
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from maglev.errors import NotFound

LONGEST = 128
"""Characters that a name may have, and that we repeat of what was typed."""
LONGEST_COMPARED = 64
"""The work grows with the characters too: nothing near is looked for with a longer word, nor among longer names."""
MAX_COMPARED = 100
"""difflib takes some 40 us for each name; among more, only slips of one character are found."""

_LISTED = 5  # names that an error offers
_KEYS = string.ascii_letters + string.digits + "-._"  # and no others: the work is to be bounded

Entry = TypeVar("Entry")


def named(kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    """The entry called `name`. Raises NotFound, which offers what there is."""
    if name in entries:
        return entries[name]
    shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    raise NotFound(f"there is no {kind} called {shown!r}", hint=_offer(kind, name, entries))


def nearest(word: str, names: Collection[str]) -> str | None:
    """The name that `word` was probably meant to be. Of many `names` only `in` is asked: let it be quick."""
    if len(word) > LONGEST_COMPARED:
        return None
    if len(names) <= MAX_COMPARED:
        short = [each for each in names if len(each) <= LONGEST_COMPARED]
        return next(iter(difflib.get_close_matches(word, short, n=1)), None)
    return next((each for each in _slips(word) if each in names), None)


def _slips(word: str) -> Iterator[str]:
    """Whatever `word` is with one slip: two characters swapped, one too many, another one, or one missing."""
    halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    yield from (f"{left}{right[1]}{right[0]}{right[2:]}" for left, right in halves if len(right) > 1)
    yield from (f"{left}{right[1:]}" for left, right in halves if right)
    yield from (f"{left}{key}{right[1:]}" for left, right in halves if right for key in _KEYS)
    yield from (f"{left}{key}{right}" for left, right in halves for key in _KEYS)


def _offer(kind: str, name: str, names: Collection[str]) -> str:
    if not names:
        return f"no {kind}s are configured"
    near = nearest(name, names)
    if near is not None:
        return f"the nearest is {near!r}"
    listed = ", ".join(repr(each) for each in islice(names, _LISTED))
    more = len(names) - _LISTED
    return f"there are {listed} and {more} more" if more > 0 else f"there is {listed}"
