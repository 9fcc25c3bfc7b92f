from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from maglev.core import events
from maglev.core.health import State
from maglev.core.model import ProbeResult
from maglev.metrics.collector import StatusFamilies
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Family, Kept, Page, escaped, from_metrics, template
from tests.metrics.reading import parse_openmetrics, parse_text, text_of, write_openmetrics, write_text
from tests.rpc import statuses

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
STRANGE = 'a "b" c:\\new\nd \u00e9'


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


def counted() -> list[Metric]:
    """What prometheus_client has counted: a histogram, creation times, a strange name."""
    counters = EventCounters()
    for backend in ("web1", STRANGE):
        for passed in (True, False):
            counters.observe(events.ProbeDone(backend, "tcp", ProbeResult(passed, "L4OK", "", 0.02)))
        counters.observe(
            events.BackendTransition(backend, statuses.BACKENDS[0].backend.address, State.UP, State.DOWN, "", "", 1)
        )
    return list(counters.registry.collect())


def one_of_each() -> list[Metric]:
    gauge = GaugeMetricFamily("g", STRANGE, labels=("x", "y"))
    counter = CounterMetricFamily("c", "doc", labels=("x",))
    for name, value in (("a", 1.0), (STRANGE, 1e300)):
        gauge.add_metric((name, ""), -value)
        counter.add_metric((name,), value, created=1_790_000_000.25)
    return [gauge, GaugeMetricFamily("single", "doc", value=0.5), counter, InfoMetricFamily("i", "d", {"a": STRANGE})]


@pytest.mark.parametrize("is_openmetrics", [True, False])
@pytest.mark.parametrize("metrics", [counted(), one_of_each()], ids=["counted", "one of each"])
def test_what_prometheus_client_counted_reads_as_if_it_had_written_it(
    metrics: list[Metric], is_openmetrics: bool
) -> None:
    ours = text_of(Page((lambda: from_metrics(metrics),)), is_openmetrics=is_openmetrics)

    assert as_read(ours, is_openmetrics) == as_read(as_written(registry_of(metrics), is_openmetrics), is_openmetrics)


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
    (family,) = parse_openmetrics(text_of(page, is_openmetrics=True))

    assert family.documentation == f"a{text}z"
    assert [(sample.labels, sample.value) for sample in family.samples] == [({"x": value, "y": ""}, figure)]


def test_a_long_family_comes_in_pieces_of_whole_lines() -> None:
    lines = [template("g", "x") % (number, 1) for number in range(20_000)]
    pieces = list(Page((lambda: [Family("g", "doc", "gauge", lines)],)).pieces(is_openmetrics=False))

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
        assert "".join(kept) == "one\ntwo\n"
    assert made == ["one\n", "two\n"] * 2
