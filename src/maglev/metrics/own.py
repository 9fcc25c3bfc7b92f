"""What maglevd itself costs, scrapes included: few series, kept and collected by prometheus_client."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from maglev.metrics.exposition import Family, Made, escaped

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Audience:
    """How many watch events over gRPC now, and how many times one of them was too slow and had to start again."""

    watchers: int
    resyncs: int


class OwnCost:
    """Counts in a `registry`, which anything else that is small may join."""

    def __init__(self, held_bytes: Callable[[], int], audience: Callable[[], Audience]) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(_Watching(audience))
        ProcessCollector(registry=registry)
        self._durations = Histogram("maglev_scrape_duration_seconds", _DURATION, registry=registry, buckets=_BUCKETS_S)
        self._cpu = Counter("maglev_scrape_cpu_seconds", _CPU, registry=registry)
        self._size = Gauge("maglev_scrape_page_bytes", _SIZE, ("encoding",), registry=registry)
        Gauge("maglev_scrape_kept_bytes", _KEPT, registry=registry).set_function(held_bytes)

    def observe(self, made: Made) -> None:
        """A page was made."""
        self._durations.observe(made.wall_s)
        self._cpu.inc(made.cpu_s)
        self._size.labels("gzip" if made.form.is_gzip else "identity").set(made.size)

    def families(self) -> Iterator[Family]:
        """All that is in the registry."""
        return map(_family, self.registry.collect())


class _Watching(Collector):
    def __init__(self, audience: Callable[[], Audience]) -> None:
        self._audience = audience

    def collect(self) -> Iterator[Metric]:
        """Both figures of this moment."""
        now = self._audience()
        yield GaugeMetricFamily("maglev_watchers", _WATCHERS, now.watchers)
        yield CounterMetricFamily("maglev_watch_resyncs", _RESYNCS, now.resyncs)


def _family(metric: Metric) -> Family:
    lines = [(sample.name.endswith("_created"), _line(sample)) for sample in metric.samples]
    plain = [line for is_created, line in lines if not is_created]
    return Family(metric.name, metric.documentation, metric.type, plain, [line for _, line in lines])


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{escaped(value)}"' for name, value in sample.labels.items())
    return f"{sample.name}{{{labels}}} {sample.value}\n" if labels else f"{sample.name} {sample.value}\n"


_DURATION = (
    "How long maglevd took to make a page of /metrics, rests for the probes included, sending not. Near the scraper's "
    "timeout: scrape less often"
)
_CPU = "CPU time that making pages of /metrics took, on the serving thread, the kernel's part of sending not included"
_SIZE = "Size of the last page of /metrics, as sent, by its Content-Encoding"
_WATCHERS = "Clients that watch events over gRPC now. Near 1024: no more are let in, so end those that nobody needs"
_RESYNCS = (
    "Times that a watcher of events read too slowly, lost some and began again with all states. Growing: a client "
    "stands still, or asks for the debug log of a large site"
)
_KEPT = (
    "Memory that lines take which are kept from one page to the next; in proportion to the table, see docs/metrics.md"
)
