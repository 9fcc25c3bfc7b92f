"""Families -> the text that a scraper reads; must not know what is measured nor how the text is sent.

All of it costs CPU under the GIL that the checker needs. For the 5,000 VIPs and 20,000 backends that stand in
benchmarks/test_exposition.py, prometheus_client's families and writer took 2.6 s of it; here a line is one `%` of a
template, which makes 0.3 s, and 2 ms while the status is the same. Lines come in pieces of half a millisecond or so,
that whoever sends them can let other threads run in between. Names are ours and plain, so that no escaping scheme
changes them; values of labels may be any text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_PIECE = 64 * 1024  # characters; their lines take half a millisecond to make
_PLAIN_KINDS = {"info": "gauge"}
_PLAIN_SUFFIXES = {"info": "_info", "counter": "_total"}


@dataclass(frozen=True, slots=True)
class Family:
    """One family: `kind` is OpenMetrics's word, `lines` are whole lines, or pieces of many, made as they are read.

    `openmetrics` are those of OpenMetrics where they differ: it alone has a word for the time of a series' creation.
    """

    name: str
    help: str
    kind: str
    lines: Iterable[str]
    openmetrics: Iterable[str] | None = None


Source = Callable[[], Iterable[Family]]


class Page:
    """All that /metrics shows: what `sources` say, in their order."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def pieces(self, *, is_openmetrics: bool) -> Iterator[bytes]:
        """The whole text; each piece is some lines."""
        write = _openmetrics if is_openmetrics else _plain
        for source in self._sources:
            for family in source():
                yield from map(str.encode, write(family))
        if is_openmetrics:
            yield b"# EOF\n"


class Kept:
    """Lines in pieces, which are kept once they have all been made."""

    def __init__(self, make: Callable[[], Iterable[str]]) -> None:
        self._make = make
        self._pieces: list[str] | None = None

    def __iter__(self) -> Iterator[str]:
        if self._pieces is not None:
            yield from self._pieces
            return
        pieces = []
        for piece in _gathered(self._make()):
            pieces.append(piece)
            yield piece
        self._pieces = pieces


def template(name: str, *labels: str) -> str:
    """A line, for `%` with the escaped values of `labels` and the figure, an int or a finite float."""
    inner = ",".join(f'{label}="%s"' for label in labels)
    return f"{name}{{{inner}}} %s\n" if labels else f"{name} %s\n"


def escaped(value: str) -> str:
    """A label's value as it stands between quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _openmetrics(family: Family) -> Iterator[str]:
    yield _head(family.name, family.kind, escaped(family.help))
    yield from _gathered(family.lines if family.openmetrics is None else family.openmetrics)


def _plain(family: Family) -> Iterator[str]:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    name = family.name + _PLAIN_SUFFIXES.get(family.kind, "")
    yield _head(name, _PLAIN_KINDS.get(family.kind, family.kind), text)
    yield from _gathered(family.lines)


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _gathered(parts: Iterable[str]) -> Iterator[str]:
    """The same text, no part of it short but the last."""
    gathered, size = [], 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= _PIECE:
            yield "".join(gathered)
            gathered, size = [], 0
    yield "".join(gathered)
