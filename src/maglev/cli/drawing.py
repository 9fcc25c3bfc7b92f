"""Lines -> one picture for a terminal of a certain size; pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maglev.cli.render import text

_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_RESET = "\x1b[0m"

# xterm's names; every terminal of today knows them, and skips what it does not.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # alternate screen, no cursor, no wrapping at the margin
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_BELOW, _NEXT = "\x1b[H", "\x1b[K", "\x1b[J", "\r\n"


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in cells."""

    columns: int
    rows: int


def head(left: str, right: str, columns: int) -> str:
    """A line with something at both ends; what is on the right is dropped last."""
    room = max(columns - text.width(right) - 2, 0)
    kept = _cut(left, room)
    return fitted(f"{kept}{' ' * (room - text.width(kept))}  {right}".strip(), columns)


def seen(lines: Sequence[str], size: Size) -> list[str]:
    """What of the lines has room, and how many have none."""
    shown = list(lines)
    if len(lines) > size.rows:
        missing = len(lines) - size.rows + 1
        shown = [*lines[: size.rows - 1], f"... {missing} more lines: make the window taller; `show` has all"]
    return [fitted(line, size.columns) for line in shown[: size.rows]]


def picture(lines: Sequence[str], size: Size) -> str:
    """In place of what is there, without a moment in which nothing is there."""
    drawn = _NEXT.join(line if _length(line) >= size.columns else f"{line}{_CLEAR_LINE}" for line in lines)
    if len(lines) >= size.rows:  # there is no below, and at the margin clearing would take the last character
        return f"{_HOME}{drawn}"
    return f"{_HOME}{drawn}{_NEXT if lines else ''}{_CLEAR_BELOW}"


def fitted(line: str, columns: int) -> str:
    """Its first `columns` cells, with what colours them."""
    if _length(line) <= columns:
        return line
    kept: list[str] = []
    room = columns
    for number, part in enumerate(_COLOUR.split(line)):
        if number % 2:
            kept.append(part)
        else:
            kept.append(text.start(part, room))
            if kept[-1] != part:
                break
            room -= text.width(part)
    return "".join(kept) + (_RESET if len(kept) > 1 else "")


def _length(line: str) -> int:
    return text.width(_COLOUR.sub("", line))


def _cut(line: str, room: int) -> str:
    return line if text.width(line) <= room else f"{text.start(line, max(room - 3, 0))}..."[:room]
