import zlib
from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from maglev.metrics.collector import StatusFamilies
from maglev.metrics.exposition import Block, Family, Page, escaped, template
from maglev.metrics.keeping import Kept
from tests.metrics.reading import parse_openmetrics, parse_text, text_of, write_openmetrics, write_text
from tests.rpc import statuses

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


class Given(Collector):
    """Shows what it is given."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def registry_of(metrics: Sequence[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Given(metrics))
    return registry


def as_read(text: str, is_openmetrics: bool) -> list[Metric]:
    return list(parse_openmetrics(text) if is_openmetrics else parse_text(text))


def as_written(registry: CollectorRegistry, is_openmetrics: bool) -> str:
    """What prometheus_client itself makes of it."""
    return (write_openmetrics if is_openmetrics else write_text)(registry).decode()


@pytest.mark.parametrize("is_openmetrics", [True, False])
def test_our_families_read_as_if_prometheus_client_had_written_them(is_openmetrics: bool) -> None:
    page = Page((StatusFamilies(lambda: statuses.FULL).collect,))
    ours = as_read(text_of(page, is_openmetrics=is_openmetrics), is_openmetrics)

    assert ours == as_read(as_written(registry_of(ours), is_openmetrics), is_openmetrics)
    assert {metric.type for metric in ours} >= {"gauge", "counter"}
    assert all(metric.documentation for metric in ours)


@given(ANY_TEXT, ANY_TEXT, st.integers(0, 2**53) | st.floats(0, 1e300))
def test_any_text_and_figure_come_back(value: str, text: str, figure: float) -> None:
    line = template("g", "x", "y") % (escaped(value), "", figure)
    page = Page((lambda: [Family("g", f"a{text}z", "gauge", [line])],))  # readers strip the ends
    for is_openmetrics in (True, False):
        (family,) = as_read(text_of(page, is_openmetrics=is_openmetrics), is_openmetrics)

        assert family.documentation == f"a{text}z"
        assert [(sample.labels, sample.value) for sample in family.samples] == [({"x": value, "y": ""}, figure)]


def test_lines_for_openmetrics_stand_in_for_the_others_there_alone() -> None:
    page = Page((lambda: [Family("c", "doc", "counter", ["c_total 1\n"], ["c_total 1\n", "c_created 2.5\n"])],))

    assert text_of(page, is_openmetrics=False).splitlines()[2:] == ["c_total 1"]
    assert text_of(page, is_openmetrics=True).splitlines()[2:] == ["c_total 1", "c_created 2.5", "# EOF"]


def test_a_long_family_comes_in_pieces_of_whole_lines() -> None:
    lines = [template("g", "x") % (number, 1) for number in range(20_000)]
    page = Page((lambda: [Family("g", "doc", "gauge", lines)],))
    pieces = [block.text for block in page.blocks(is_openmetrics=False)]

    assert len(pieces) > 3
    assert max(map(len, pieces)) < 100_000
    assert all(piece.endswith(b"\n") for piece in pieces if piece)
    assert b"".join(pieces).decode().splitlines(keepends=True)[2:] == lines


def test_lines_are_made_once_but_kept_only_when_all_were_made() -> None:
    made: list[str] = []

    def lines() -> Iterator[str]:
        for word in ("one\n", "two\n"):
            made.append(word)
            yield word
        if len(made) == 2:
            raise ZeroDivisionError

    kept = Kept(lines)
    with pytest.raises(ZeroDivisionError):
        list(kept)
    for _ in range(3):
        assert b"".join(block.text for block in kept) == b"one\ntwo\n"
    assert made == ["one\n", "two\n"] * 2


def test_blocks_stay_what_they_are_between_lines_that_are_put_together() -> None:
    block = Block(b"g 2\n")
    families = [Family("f", "doc", "gauge", ["f 1\n"]), Family("g", "doc", "gauge", ["g 1\n", block, "g 3\n"])]
    blocks = list(Page((lambda: families,)).blocks(is_openmetrics=True))

    assert len(blocks) == 4
    assert blocks[1] is block
    assert b"".join(each.text for each in blocks).splitlines()[2::3] == [b"f 1", b"g 1", b"# EOF"]


@given(st.lists(st.binary(max_size=300)))
def test_blocks_pack_into_one_stream(texts: list[bytes]) -> None:
    packed = b"".join(Block(text).deflated for text in texts)

    assert zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(packed) == b"".join(texts)
