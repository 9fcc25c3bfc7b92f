"""How wide text is on a terminal, and how it wraps; must not know what it says."""

import re
import unicodedata

_WIDE = ("W", "F")


def printable(text: str) -> str:
    """`text` without what would move a terminal's cursor, its colours or its direction, nor blanks at its end."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text.rstrip()


def width(text: str) -> int:
    """Cells of a terminal that printable `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_width_of(c) for c in text)


def start(text: str, limit: int) -> str:
    """As much of it, from its beginning, as takes at most `limit` cells."""
    if text.isascii():
        return text[:limit]
    taken = 0
    for at, character in enumerate(text):
        taken += _width_of(character)
        if taken > limit:
            return text[:at]
    return text


def wrapped(text: str, limit: int) -> list[str]:
    """`text` in lines of at most `limit` cells: between words, and within one that is longer than that.

    A character that is wider than `limit` has a line for itself.
    """
    if width(text) <= limit:
        return [text]
    lines, line, taken = [], "", 0
    for word in re.findall(r" *[^ ]+", text):
        if taken + (more := width(word)) <= limit:
            line, taken = line + word, taken + more
            continue
        if line:
            lines.append(line)
        *full, line = _chopped(word.lstrip(), limit)
        lines += full
        taken = width(line)
    return [*lines, line]


def _chopped(word: str, limit: int) -> list[str]:
    pieces, piece, taken = [], "", 0
    for character in word:
        more = _width_of(character)
        if piece and taken + more > limit:
            pieces.append(piece)
            piece, taken = "", 0
        piece, taken = piece + character, taken + more
    return [*pieces, piece]


def _width_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
