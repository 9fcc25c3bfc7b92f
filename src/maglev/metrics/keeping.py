"""Keeps lines from page to page for as long as what they say is the same; must not know what they say.

Each holds the lines of its latest figures and of no earlier ones, in both formats at most, so that what is kept is in
proportion to what is shown: `held_bytes` says how much.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from maglev.metrics.exposition import Block, Family, Part, gathered

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


class KeptByChunk(Generic[V]):
    """Lines about each value of a core.snapshot: those of a chunk are made again when it is another object."""

    def __init__(self, lines: Callable[[V], str]) -> None:
        self._lines = lines
        self._kept: list[tuple[tuple[V, ...], Block]] = []

    def blocks(self, chunks: Sequence[tuple[V, ...]]) -> Iterator[Block]:
        """The lines of all `chunks`."""
        kept = self._kept
        del kept[len(chunks) :]
        for number, chunk in enumerate(chunks):
            if number < len(kept) and kept[number][0] is chunk:
                yield kept[number][1]
                continue
            block = Block("".join(map(self._lines, chunk)).encode())
            kept[number : number + 1] = [(chunk, block)]
            yield block

    @property
    def held_bytes(self) -> int:
        """What it keeps now."""
        return sum(block.held_bytes for _, block in self._kept)


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a family of counters.

    `labels` as they stand between braces, and `since_ns`, when that was created or None, are of each row; `figures` are
    of the first row, then of the second, and so on, each row with one for each kind of the family.
    """

    labels: Sequence[str]
    since_ns: Sequence[int | None]
    figures: Sequence[int]


class _Template:
    """The text of a chunk of rows without the figures, which is made again only when other rows are told."""

    def __init__(self, labels: Sequence[str], since_ns: Sequence[int | None], text: str) -> None:
        self.labels = labels
        self.since_ns = since_ns
        self.text = text


class CounterTable(Generic[V]):
    """A family of counters of which nearly all figures move at once, and the rows stay.

    `read` gives the rows of some items; `kinds` are the values of the label `kind`, none: there is no such label.
    """

    def __init__(self, name: str, text: str, kinds: Sequence[str], read: Callable[[Sequence[V]], Table]) -> None:
        self._name = name
        self._text = text
        self._kinds = kinds
        self._read = read
        self._templates: dict[bool, list[_Template]] = {False: [], True: []}
        self._plain = self._openmetrics = Kept(tuple)

    def show(self, items: Callable[[], Iterable[V]]) -> None:
        """From now on the family is of `items`, which are read once for each format."""
        self._plain = Kept(lambda: self._made(items(), is_openmetrics=False))
        self._openmetrics = Kept(lambda: self._made(items(), is_openmetrics=True))

    def family(self) -> Family:
        """The family of the items last shown."""
        return Family(self._name, self._text, "counter", self._plain, self._openmetrics)

    @property
    def held_bytes(self) -> int:
        """What it keeps now."""
        templates = (template for form in self._templates.values() for template in form)
        return self._plain.held_bytes + self._openmetrics.held_bytes + sum(len(template.text) for template in templates)

    def _made(self, items: Iterable[V], *, is_openmetrics: bool) -> Iterator[Block]:
        templates = self._templates[is_openmetrics]
        left, number = iter(items), 0
        while chunk := tuple(islice(left, CHUNK)):
            table = self._read(chunk)
            if number == len(templates) or not _fits(templates[number], table):
                text = self._template(table, is_openmetrics=is_openmetrics)
                templates[number : number + 1] = [_Template(table.labels, table.since_ns, text)]
            if table.labels:
                yield Block((templates[number].text % tuple(table.figures)).encode())
            number += 1
        del templates[number:]

    def _template(self, table: Table, *, is_openmetrics: bool) -> str:
        lines = []
        for row, since_ns in zip(table.labels, table.since_ns, strict=True):
            row_labels = row.replace("%", "%%")
            each = [f'{row_labels},kind="{kind}"' for kind in self._kinds] or [row_labels]
            for labels in each:
                lines.append(f"{self._name}_total{{{labels}}} %d\n")
                if is_openmetrics and since_ns is not None:
                    lines.append(f"{self._name}_created{{{labels}}} {since_ns / 1e9}\n")
        return "".join(lines)


def _fits(template: _Template, table: Table) -> bool:
    return template.labels == table.labels and template.since_ns == table.since_ns
