"""Tables -> lines of a given width; must not know what they say.

Nothing of what matters is cut. Where a table is wider than the lines may be, in this order:
1. *Extra* columns are left out. They are there wherever there is room, as in a pipe.
2. *Free* text wraps within its column.
3. The other columns go on in a block below, each block with the *key* columns at its head.
4. With keys too long for that, or for two blocks, each row goes on in lines below, and any cell wraps.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from maglev.cli.render import text
from maglev.cli.render.page import Column, Kind, Paint, Table

GAP = "  "
INDENT = "  "
"""Before what a row, or a field, goes on with."""

LEAST = 16
"""Cells that free text gets, if it needs as many."""

_MOST_BLOCKS = 2
"""With more of them hardly anything but keys would be in each, and a state be far from its reason."""

_LEAST_EXTRA = 32  # in fewer it would rather be in the way

_GLYPHS = {"├─ ": "|- ", "└─ ": "`- "}


@dataclass(frozen=True, slots=True, eq=False)
class _Sized:
    """A column's cells, the title first, how wide they are, and how wide they are drawn."""

    column: Column
    cells: list[str]
    natural: int
    room: int

    @property
    def least(self) -> int:
        if self.column.kind is not Kind.FREE:
            return self.natural
        return min(self.natural, _LEAST_EXTRA if self.column.is_extra else LEAST)


def drawn(table: Table, limit: int | None, paint: Paint, *, only_ascii: bool) -> list[str]:
    """Titles and rows in lines of at most `limit` cells; None is no limit."""
    if not table.columns:
        return []
    columns = _sized(table, only_ascii)
    if limit is None:
        return _block(columns, paint)
    keys = [each for each in columns if each.column.kind is Kind.KEY]
    shown = [each for each in columns if not each.column.is_extra]
    others = [each for each in shown if each.column.kind is not Kind.KEY]
    if _taken(shown) <= limit:
        return "\n".join(_block(_filled(_with_extras(columns, limit), limit), paint)).split("\n")
    head = _taken(keys) + len(GAP) if keys else 0
    if head + max((each.least for each in others), default=0) > limit:
        return "\n".join(_folded(shown, limit, paint)).split("\n")
    parts = [*_parts(others, limit - head)]
    if len(parts) > _MOST_BLOCKS:
        return "\n".join(_folded(shown, limit, paint)).split("\n")
    blocks = [_block(_filled((*keys, *part), limit), paint) for part in parts]
    return "\n\n".join("\n".join(block) for block in blocks).split("\n")


def _sized(table: Table, only_ascii: bool) -> list[_Sized]:
    found = []
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    for column, cells in zip(table.columns, columns, strict=True):
        clean = [column.title, *map(text.printable, cells)]
        if only_ascii and column.kind is Kind.KEY:
            clean = [_GLYPHS.get(cell[:3], cell[:3]) + cell[3:] for cell in clean]
        natural = max(map(text.width, clean))
        found.append(_Sized(column, clean, natural, natural))
    return found


def _taken(columns: Sequence[_Sized]) -> int:
    return sum(each.least for each in columns) + len(GAP) * (len(columns) - 1)


def _with_extras(columns: Sequence[_Sized], limit: int) -> list[_Sized]:
    """The columns in their order, without those extra ones that there is no room for."""
    chosen = [each for each in columns if not each.column.is_extra]
    left = limit - _taken(chosen)
    for each in columns:
        if each.column.is_extra and each.least + len(GAP) <= left:
            chosen.append(each)
            left -= each.least + len(GAP)
    return [each for each in columns if each in chosen]


def _parts(columns: Iterable[_Sized], limit: int, more: int | None = None) -> Iterator[list[_Sized]]:
    """As many columns as fit at a time, groups together if they can be; `more` limits what follows the first."""
    part: list[_Sized] = []
    for group in _groups(columns):
        for number, each in enumerate(group):
            if part and _taken([*part, *group] if not number else [*part, each]) > limit:
                yield part
                part, limit = [], limit if more is None else more
            part.append(each)
    yield part


def _groups(columns: Iterable[_Sized]) -> list[list[_Sized]]:
    groups: list[list[_Sized]] = [[]]
    for each in columns:
        if each.column.is_first_of_group:
            groups.append([])
        groups[-1].append(each)
    return groups


def _filled(columns: Sequence[_Sized], limit: int) -> list[_Sized]:
    """The columns with what is left shared by those of free text, none getting more than it needs."""
    free = sorted((each for each in columns if each.column.kind is Kind.FREE), key=lambda each: each.natural)
    left = limit - sum(each.natural for each in columns if each not in free) - len(GAP) * (len(columns) - 1)
    rooms = {each: min(each.natural, limit) for each in columns}
    for done, each in enumerate(free):
        rooms[each] = max(min(each.natural, left // (len(free) - done)), 1)
        left -= rooms[each]
    return [replace(each, room=rooms[each]) for each in columns]


def _folded(columns: Sequence[_Sized], limit: int, paint: Paint) -> list[str]:
    """Each row over as many lines as it takes, all but the first indented."""
    below = max(limit - len(INDENT), 1)
    strips = []
    for number, part in enumerate(_parts(columns, limit, below)):
        strip = _block(_filled(part, below if number else limit), paint)
        strips.append([f"{INDENT}{row}".replace("\n", f"\n{INDENT}") for row in strip] if number else strip)
    return ["\n".join(row) for row in zip(*strips, strict=True)]


def _block(columns: Sequence[_Sized], paint: Paint) -> list[str]:
    """The rows, titles first; one in which a cell wraps has line ends in it."""
    drawn_: list[list[str]] = []
    wrapped: dict[int, dict[int, list[str]]] = {}  # row -> column -> what goes on below
    for number, each in enumerate(columns):
        dress = _dresser(each, paint, is_last=number == len(columns) - 1)
        if each.natural <= each.room:
            drawn_.append([dress(cell, cell) for cell in each.cells])
            continue
        drawn_.append(firsts := [])
        for row, cell in enumerate(each.cells):
            first, *rest = text.wrapped(cell, each.room)
            firsts.append(dress(first, cell))
            if rest:
                wrapped.setdefault(row, {})[number] = [dress(piece, cell) for piece in rest]
    rows = [GAP.join(cells).rstrip() for cells in zip(*drawn_, strict=True)]
    blanks = [" " * each.room for each in columns]
    for row, below in wrapped.items():
        for cells in zip_longest(*(below.get(number, ()) for number in range(len(columns)))):
            filled = (blank if cell is None else cell for cell, blank in zip(cells, blanks, strict=True))
            rows[row] += "\n" + GAP.join(filled).rstrip()
    return rows


def _dresser(column: _Sized, paint: Paint, *, is_last: bool) -> Callable[[str, str], str]:
    """What paints and pads a piece of a cell; blanks stay outside of the colour."""
    room, title = column.room, column.column.title
    is_figure, is_state = column.column.kind is Kind.FIGURE, column.column.kind is Kind.STATE
    is_painted = is_state or paint("x", title) != "x"

    def dress(piece: str, cell: str) -> str:
        painted = paint(piece, cell if is_state else title) if is_painted else piece
        if is_last and not is_figure:
            return painted
        pad = " " * (room - text.width(piece))
        return pad + painted if is_figure else painted + pad

    return dress
