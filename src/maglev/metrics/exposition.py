"""Families -> the text that a scraper reads; must not know what is measured nor how the text is sent.

All of it costs CPU under the GIL that the checker needs. So lines of what rarely changes stay together in a block that
is made once, and other lines are made by one `%` for many of them. Blocks are of half a millisecond or so, that whoever
sends them can let other threads run in between. Names are ours and plain, so that no escaping scheme changes them;
values of labels may be any text.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from maglev.metrics.negotiation import Form

BLOCK = 64 * 1024
"""About so many bytes make a block."""

_PLAIN_KINDS = {"info": "gauge", "unknown": "untyped"}
_PLAIN_SUFFIXES = {"info": "_info", "counter": "_total"}


class Block:
    """Whole lines in UTF-8, and the same packed, once somebody has asked for it.

    Where a block is kept, the next page shows the same object.
    """

    __slots__ = ("_deflated", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._deflated: bytes | None = None

    @property
    def deflated(self) -> bytes:
        """A piece of a raw deflate stream, which refers to nothing before it and ends on a byte."""
        if self._deflated is None:
            packer = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
            self._deflated = packer.compress(self.text) + packer.flush(zlib.Z_FULL_FLUSH)
        return self._deflated

    @property
    def held_bytes(self) -> int:
        """What it takes in memory."""
        return len(self.text) + len(self._deflated or b"")


Part = str | Block
"""Whole lines."""


@dataclass(frozen=True, slots=True)
class Family:
    """One family: `kind` is OpenMetrics's word, `lines` are made as they are read.

    `openmetrics` are those of OpenMetrics where they differ: it alone has a word for the time of a series' creation.
    """

    name: str
    help: str
    kind: str
    lines: Iterable[Part]
    openmetrics: Iterable[Part] | None = None


Source = Callable[[], Iterable[Family]]


@dataclass(frozen=True, slots=True)
class Made:
    """What a page took: `wall_s` from the question to its end, waiting and resting included, and its size as sent."""

    form: Form
    wall_s: float
    cpu_s: float
    size: int


def nobody(_: Made) -> None:
    """Wants to know what no page takes."""


class Page:
    """All that /metrics shows: what `sources` say, in their order. `told` hears what each page took."""

    def __init__(self, sources: Sequence[Source], told: Callable[[Made], None] = nobody) -> None:
        self._sources = sources
        self.told = told

    def blocks(self, *, is_openmetrics: bool) -> Iterator[Block]:
        """The whole text."""
        yield from gathered(self._parts(_openmetrics if is_openmetrics else _plain))
        if is_openmetrics:
            yield _END

    def _parts(self, write: Callable[[Family], Iterator[Part]]) -> Iterator[Part]:
        for source in self._sources:
            for family in source():
                yield from write(family)


def template(name: str, *labels: str) -> str:
    """A line, for `%` with the escaped values of `labels` and the figure, an int or a finite float."""
    inner = ",".join(f'{label}="%s"' for label in labels)
    return f"{name}{{{inner}}} %s\n" if labels else f"{name} %s\n"


def escaped(value: str) -> str:
    """A label's value as it stands between quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


_END = Block(b"# EOF\n")


def _openmetrics(family: Family) -> Iterator[Part]:
    yield _head(family.name, family.kind, escaped(family.help))
    yield from family.lines if family.openmetrics is None else family.openmetrics


def _plain(family: Family) -> Iterator[Part]:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    name = family.name + _PLAIN_SUFFIXES.get(family.kind, "")
    yield _head(name, _PLAIN_KINDS.get(family.kind, family.kind), text)
    yield from family.lines


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def gathered(parts: Iterable[Part]) -> Iterator[Block]:
    """The same text; lines that come one by one are put together, blocks stay what they are."""
    lines: list[str] = []
    size = 0
    for part in parts:
        if isinstance(part, str):
            lines.append(part)
            size += len(part)
        if lines and (isinstance(part, Block) or size >= BLOCK):
            yield Block("".join(lines).encode())
            lines, size = [], 0
        if isinstance(part, Block):
            yield part
    if lines:
        yield Block("".join(lines).encode())
