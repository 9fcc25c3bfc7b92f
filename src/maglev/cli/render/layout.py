"""Pages -> lines of a given width, with colour and without; must not know what they say.

The values that a page is made of are here too, for those who make pages.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from maglev.cli.render import tables, text
from maglev.cli.render.page import Column, Fields, Kind, Page, Paint, Section, Table, Text
from maglev.cli.render.tables import GAP, INDENT, LEAST
from maglev.cli.render.units import ABSENT

__all__ = [
    "Column",
    "Fields",
    "Kind",
    "Page",
    "Paint",
    "Section",
    "Table",
    "Text",
    "coloured",
    "lines",
    "matching",
    "plain",
]

_BOLD_RED, _GREEN, _YELLOW, _PLAIN = "\x1b[1;31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLOURS = {
    "up": _GREEN,
    "active": _GREEN,
    "down": _BOLD_RED,
    **dict.fromkeys(("unknown", "paused", "disabled", "removed"), _YELLOW),
    **dict.fromkeys(("warmup", "refused", "doubt", "held-back"), _YELLOW),  # why an operation waits
    **dict.fromkeys(("vpp-refuses", "parameters-refused", "in-doubt"), _YELLOW),  # titles of what should not be,
    "in-file": _YELLOW,  # and of what is not as the file has it
}


def plain(piece: str, _: str) -> str:
    """No colour."""
    return piece


def coloured(piece: str, word: str) -> str:
    """Colour for states, so that trouble is seen first, and for what is not as it should be."""
    colour = _COLOURS.get(word)
    return f"{colour}{piece}{_PLAIN}" if colour and piece not in ("", ABSENT) else piece


def lines(
    page: Page,
    width: int | None,
    paint: Paint,
    *,
    ascii: bool = False,  # noqa: A002 - the best name for it, and the function of that name has no use here
) -> list[str]:
    """The page in lines of at most `width` cells, its sections separated by an empty line.

    A width of None is no limit: one row a line, every column. `ascii` is for the glyphs of trees; names stay.
    """
    limit = None if width is None else max(width, 4)  # one wide character, indented
    found: list[str] = []
    for section in page:
        drawn = _drawn(section, limit, paint, ascii)
        found += ["", *drawn] if found and drawn else drawn
    return found


def matching(page: Page, pattern: re.Pattern[str]) -> Page:
    """Only the rows and fields that the pattern is found in; sentences stay, a table without rows does not."""
    found = (_matching(section, pattern) for section in page)
    return tuple(section for section in found if not isinstance(section, Table) or section.rows)


def _matching(section: Section, pattern: re.Pattern[str]) -> Section:
    match section:
        case Table(rows=rows):
            return replace(section, rows=tuple(row for row in rows if pattern.search(_plain(row))))
        case Fields(pairs):
            return Fields(tuple((name, value) for name, value in pairs if pattern.search(_plain((f"{name}:", value)))))
        case Text():
            return section


def _plain(cells: Iterable[str]) -> str:
    return GAP.join(map(text.printable, cells)).rstrip()


def _drawn(section: Section, limit: int | None, paint: Paint, only_ascii: bool) -> list[str]:
    match section:
        case Table():
            return tables.drawn(section, limit, paint, only_ascii=only_ascii)
        case Fields(pairs):
            return _fields(pairs, limit, paint) if pairs else []
        case Text(sentences):
            return [piece for each in map(text.printable, sentences) for piece in _wrapped(each, limit)]


def _fields(pairs: Sequence[tuple[str, str]], limit: int | None, paint: Paint) -> list[str]:
    margin = max(text.width(text.printable(name)) for name, _ in pairs) + len(":" + GAP)
    is_narrow = limit is not None and limit - margin < LEAST  # then a value begins below its name
    blank = INDENT if is_narrow else " " * margin
    room = None if limit is None else max(limit - len(blank), 1)
    found: list[str] = []
    for title, value in pairs:
        name = f"{text.printable(title)}:"
        clean = text.printable(value)
        word = clean if title == "state" else title
        first, *rest = (paint(piece, word) for piece in _wrapped(clean, room))
        if is_narrow:
            found += [*_wrapped(name, limit), *(blank + piece for piece in (first, *rest) if piece)]
            continue
        found.append((name + " " * (margin - text.width(name)) + first).rstrip())
        found += [blank + piece for piece in rest]
    return found


def _wrapped(line: str, limit: int | None) -> list[str]:
    return [line] if limit is None else text.wrapped(line, limit)
