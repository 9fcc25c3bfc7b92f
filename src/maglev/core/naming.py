"""Looks a thing up by the name that a person gave, and offers what there is where it fails; knows no kind of thing."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from maglev.errors import NotFound

_ECHOED = 64  # characters of an unknown name that we repeat, and compare with what there is
_LISTED = 5  # names that an error offers

Entry = TypeVar("Entry")


def named(kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    """The entry called `name`. Raises NotFound, which offers what there is."""
    if name in entries:
        return entries[name]
    shown = name if len(name) <= _ECHOED else f"{name[:_ECHOED]}..."
    raise NotFound(f"there is no {kind} called {shown!r}", hint=_offer(kind, name[:_ECHOED], list(entries)))


def _offer(kind: str, name: str, names: list[str]) -> str:
    if not names:
        return f"no {kind}s are configured"
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"the nearest is {near[0]!r}"
    listed = ", ".join(repr(each) for each in names[:_LISTED])
    more = len(names) - _LISTED
    return f"there are {listed} and {more} more" if more > 0 else f"there is {listed}"
