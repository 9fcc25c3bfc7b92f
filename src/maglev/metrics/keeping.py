"""Keeps lines from page to page for as long as what they say is the same; must not know what they say.

Each holds the lines of its latest figures and of no earlier ones, in both formats at most, so that what is kept is in
proportion to what is shown: `held_bytes` says how much.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from maglev.metrics.exposition import Block, Family, Part, gathered

K = TypeVar("K")
V = TypeVar("V")

CHUNK = 128
"""Rows of a table that are written at once; their lines make about a block."""


class Kept:
    """Lines that are made once, when they are first read; kept only if they were all made."""

    def __init__(self, make: Callable[[], Iterable[Part]]) -> None:
        self._make = make
        self._blocks: tuple[Block, ...] | None = None

    def __iter__(self) -> Iterator[Block]:
        if self._blocks is not None:
            yield from self._blocks
            return
        blocks = []
        for block in gathered(self._make()):
            blocks.append(block)
            yield block
        self._blocks = tuple(blocks)

    @property
    def held_bytes(self) -> int:
        """What it keeps now."""
        return sum(block.held_bytes for block in self._blocks or ())


@dataclass(frozen=True, slots=True)
class _Chunk(Generic[V]):
    values: tuple[V, ...]
    said: Sequence[object]
    block: Block


class KeptByChunk(Generic[V]):
    """Lines about each value of a core.snapshot: those of a chunk are made again when they say something else.

    `said` is what the lines of a value follow from, to be compared.
    """

    def __init__(self, lines: Callable[[V], str], said: Callable[[V], object]) -> None:
        self._lines = lines
        self._said = said
        self._kept: list[_Chunk[V]] = []

    def blocks(self, chunks: Sequence[tuple[V, ...]]) -> Iterator[Block]:
        """The lines of all `chunks`."""
        kept = self._kept
        del kept[len(chunks) :]
        for number, values in enumerate(chunks):
            before = kept[number] if number < len(kept) else None
            if before is None or before.values is not values:
                said = [*map(self._said, values)]
                if before is not None and before.said == said:
                    block = before.block
                else:
                    block = Block("".join(map(self._lines, values)).encode())
                kept[number : number + 1] = [_Chunk(values, said, block)]
            yield kept[number].block

    @property
    def held_bytes(self) -> int:
        """What it keeps now."""
        return sum(chunk.block.held_bytes for chunk in self._kept)


@dataclass(frozen=True, slots=True)
class Table(Generic[K]):
    """Some rows of a family: what each is of, and when that was created, or None.

    `figures` are of the first row, then of the second, and so on, each row with one for each kind of the family.
    """

    rows: Sequence[K]
    since_ns: Sequence[int | None]
    figures: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Template(Generic[K]):
    """The text of a table without the figures, which is made again only when other rows are told."""

    rows: Sequence[K]
    since_ns: Sequence[int | None]
    text: str


class FigureTable(Generic[K, V]):
    """A family of which nearly all figures move at once, and the rows stay: counters, or gauges.

    `read` gives the rows of some items, and `labels` those of a row, as they stand between braces. `kinds` are the
    values of the label `kind`; none: there is no such label. What OpenMetrics says of gauges is what text does.
    """

    def __init__(
        self,
        name: str,
        text: str,
        read: Callable[[Sequence[V]], Table[K]],
        labels: Callable[[K], str],
        kinds: Sequence[str] = (),
        *,
        is_counter: bool = True,
    ) -> None:
        self._name = name
        self._text = text
        self._read = read
        self._labels = labels
        self._kinds = kinds
        self._is_counter = is_counter
        self._templates: dict[bool, list[_Template[K]]] = {False: [], True: []}
        self._plain = self._openmetrics = Kept(tuple)

    def show(self, items: Callable[[], Iterable[V]], *, has_other_labels: bool = False) -> None:
        """From now on the family is of `items`, which are read once for each format."""
        if has_other_labels:
            self._templates = {False: [], True: []}
        self._plain = Kept(lambda: self._made(items(), is_openmetrics=False))
        self._openmetrics = Kept(lambda: self._made(items(), is_openmetrics=True))

    def family(self) -> Family:
        """The family of the items last shown."""
        if not self._is_counter:
            return Family(self._name, self._text, "gauge", self._plain)
        return Family(self._name, self._text, "counter", self._plain, self._openmetrics)

    @property
    def held_bytes(self) -> int:
        """What it keeps now."""
        templates = sum(len(template.text) for form in self._templates.values() for template in form)
        return templates + self._plain.held_bytes + self._openmetrics.held_bytes

    def _made(self, items: Iterable[V], *, is_openmetrics: bool) -> Iterator[Block]:
        templates = self._templates[is_openmetrics]
        left, number = iter(items), 0
        while chunk := tuple(islice(left, CHUNK)):
            table = self._read(chunk)
            if number == len(templates) or not _fits(templates[number], table):
                text = self._template(table, is_openmetrics=is_openmetrics)
                templates[number : number + 1] = [_Template(table.rows, table.since_ns, text)]
            if table.rows:
                yield Block((templates[number].text % tuple(table.figures)).encode())
            number += 1
        del templates[number:]

    def _template(self, table: Table[K], *, is_openmetrics: bool) -> str:
        lines, suffix = [], "_total" if self._is_counter else ""
        for row, since_ns in zip(table.rows, table.since_ns, strict=True):
            of_row = self._labels(row).replace("%", "%%")
            each = [f'{of_row},kind="{kind}"' for kind in self._kinds] or [of_row]
            for labels in each:
                lines.append(f"{self._name}{suffix}{{{labels}}} %d\n")
                if is_openmetrics and since_ns is not None:
                    lines.append(f"{self._name}_created{{{labels}}} {since_ns / 1e9}\n")
        return "".join(lines)


def _fits(template: _Template[K], table: Table[K]) -> bool:
    return template.rows == table.rows and template.since_ns == table.since_ns
