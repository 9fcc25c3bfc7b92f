"""What may be typed next, for Tab and for `?`; pure. Names of frontends and the like are asked of `Names`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from maglev.cli.grammar import Argument, Keyword, Offer, Said
from maglev.cli.line import PIPE, quoted, read, split
from maglev.cli.words import LANGUAGE
from maglev.errors import ConfigError

ENTER = "<Enter>"
MOST_NAMES = 20  # below an argument that `?` explains

_MARGIN = "  "
_LEAST_HELP = 20  # columns; where there are fewer beside its word, a help stands below it

Names = Callable[[str, Said], Sequence[str]]
"""The names that there are for a place such as FRONTEND, given what was said before it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word that may come next, and what it is for."""

    word: str
    help: str


def candidates(text: str, names: Names) -> list[Candidate]:
    """Every word that may come next and goes on as `text` ends, quoted as it has to be typed.

    None where a word before is wrong.
    """
    line = read(text)
    found = following(line.before, line.begun, names)
    return [each if each.word == PIPE else Candidate(quoted(each.word), each.help) for each in found]


def following(before: Sequence[str], begun: str, names: Names) -> list[Candidate]:
    """The same for words that were taken apart already, and not quoted."""
    try:
        offers, _ = LANGUAGE.offers(before)
    except ConfigError:
        return []
    found = {each.word: Candidate(each.word, each.help) for each in offers if isinstance(each.head, Keyword)}
    for offer in offers:
        if not isinstance(offer.head, Keyword):
            for word in _values(offer, begun, names):
                found.setdefault(word, Candidate(word, offer.help))  # where it may be either, it is the keyword
    if PIPE in found:
        found[PIPE] = found.pop(PIPE)  # behind all names
    return [each for word, each in found.items() if word.startswith(begun)]


def may_end(words: Sequence[str]) -> bool:
    """Whether `words` are a command as they are."""
    try:
        return LANGUAGE.offers(words)[1]
    except ConfigError:
        return False


def extended(text: str, found: Sequence[Candidate]) -> str:
    """`text` with as much of its last word as all candidates `found` for it have in common.

    If there is but one it is put in whole, with a blank. What need not follow is put in only if it was begun: Tab
    behind `weight 0` must not make it cut flows.
    """
    line = read(text)
    if not found or (not line.begun and may_end(line.before)):
        return text
    before, begun = text[: line.start], text[line.start :]
    if len(found) == 1:
        return f"{before}{found[0].word} "
    common = _common([split(each.word)[0] for each in found])
    return text if len(common) <= len(line.begun) else before + _open(common, begun[:1])


def explain(text: str, names: Names, width: int = 80) -> list[str]:
    """What may come next, described in at most `width` columns; or what is wrong with a word, as parsing says it."""
    line = read(text)
    try:
        offers, _ = LANGUAGE.offers(line.before)
        offers.sort(key=lambda each: each.word == PIPE)
        shown = [each for each in offers if _goes_on(each, line.begun)]
        if line.is_open and not any(isinstance(each.head, Keyword) or _argument(each).choices for each in shown):
            LANGUAGE.offers(line.words)  # is it right as it is?
    except ConfigError as wrong:
        return [str(wrong)]
    rows = [(each.word, each.help, _values(each, line.begun, names)) for each in shown]
    if not line.is_quoted and may_end(line.words):
        rows.append((ENTER, "run it", []))
    widest = max((len(word) for word, _, _ in rows), default=0)
    return [line for row in rows for line in _described(*row, widest, width)]


def in_columns(words: Sequence[str], width: int) -> list[str]:
    """Down the columns first, as `ls` does; a word that is wider than `width` has a line of its own."""
    if not words:
        return []
    cell = max(map(len, words)) + len(_MARGIN)
    across = max(1, (width + len(_MARGIN)) // cell)
    down = -(-len(words) // across)
    return ["".join(word.ljust(cell) for word in words[at::down]).rstrip() for at in range(down)]


def listed(words: Sequence[str], width: int, height: int) -> list[str]:
    """As many of them in columns as have room."""
    lines = in_columns(words, width)
    if len(lines) <= max(height, 1):
        return lines
    room = max(1, (width + len(_MARGIN)) // (max(map(len, words)) + len(_MARGIN))) * max(height - 1, 1)
    return [*in_columns(words[:room], width), f"... and {len(words) - room} more"]


def _argument(offer: Offer) -> Argument:
    return LANGUAGE.arguments[offer.word]


def _goes_on(offer: Offer, begun: str) -> bool:
    """Whether a word that is `begun` so may still be what is offered."""
    if isinstance(offer.head, Keyword):
        return offer.word.startswith(begun)
    choices = _argument(offer).choices
    return not choices or any(each.startswith(begun) for each in choices)


def _values(offer: Offer, begun: str, names: Names) -> list[str]:
    """The words that fit an argument, as far as they are known and can be typed."""
    if isinstance(offer.head, Keyword):
        return []
    known = _argument(offer).choices or sorted(set(names(offer.word, offer.said)))
    return [word for word in known if word.startswith(begun) and _can_be_typed(word)]


def _can_be_typed(word: str) -> bool:
    """A name out of a server: not empty, no escape sequence, no two kinds of quotes."""
    return word.isprintable() and read(quoted(word)).words == (word,) and word != ""


def _common(words: Sequence[str]) -> str:
    first, last = min(words), max(words)
    at = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:at]


def _open(begun: str, mark: str) -> str:
    """A word to be gone on with: its quotes stay as they were opened, or are opened if it has to have some."""
    if mark in ("'", '"') and mark not in begun:
        return mark + begun
    whole = quoted(begun)
    return whole if whole == begun else whole[:-1]


def _described(word: str, help_: str, values: Sequence[str], widest: int, width: int) -> Iterator[str]:
    import textwrap  # for those who ask only

    lead = f"{_MARGIN}{word.ljust(widest)}{_MARGIN}"
    room = width - len(lead)
    if room >= _LEAST_HELP or room >= len(help_):
        first, *more = textwrap.wrap(help_, max(room, 1)) or [""]
        yield f"{lead}{first}".rstrip()
        yield from (" " * len(lead) + each for each in more)
    else:
        yield f"{_MARGIN}{word}"
        yield from textwrap.wrap(help_, max(width, 8), initial_indent=_MARGIN * 2, subsequent_indent=_MARGIN * 2)
    yield from (_MARGIN * 2 + each for each in in_columns(values[:MOST_NAMES], width - 2 * len(_MARGIN)))
    if len(values) > MOST_NAMES:
        yield f"{_MARGIN * 2}... and {len(values) - MOST_NAMES} more"
