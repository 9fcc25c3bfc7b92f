"""/metrics of a large installation by our counters and writer and by prometheus_client's own, the answers compared."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from pytest_benchmark.fixture import BenchmarkFixture

from maglev.core import events
from maglev.core.counters import BackendCounters, Sample, VipCounters, Volume
from maglev.core.desired import resolve
from maglev.core.health import Health, State
from maglev.core.model import (
    TCP,
    Backend,
    Encap,
    Frontend,
    HealthCheck,
    IPAddress,
    Policy,
    Pool,
    ProbeResult,
    TcpSpec,
    Timing,
    VipKey,
)
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus, Status
from maglev.metrics.collector import StatusFamilies
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Page
from tests.metrics.peer import PrometheusCounters
from tests.metrics.reading import parse_text, text_of, write_text

VIPS, EACH = 5_000, 4  # and so 20,000 backends
CHECK = HealthCheck("tcp", TcpSpec(80, None), Timing(2.0, 0.5, 5.0, 3.0), Policy(2, 3), None, None)


def large() -> Status:
    backends, frontends, vips = {}, {}, {}
    volumes: dict[IPAddress, BackendCounters] = {}
    for number in range(VIPS * EACH):
        address = IPv4Address(0x0A000000 + number)
        backend = Backend(f"backend-{number:05}", address, CHECK, enabled=True)
        backends[backend.name] = BackendStatus(backend, Health(State.UP, 4), 1_790_000_000_000_000_000, ())
        volumes[address] = BackendCounters(number, Volume(10**9 + number, 10**12 + number), Volume(number, 60 * number))
    states = dict.fromkeys(backends, State.UP)
    names = list(backends)
    for number in range(VIPS):
        key = VipKey(IPv4Network(0xC6120000 + number), TCP, 443)
        pool = Pool("primary", dict.fromkeys(names[EACH * number : EACH * (number + 1)], 100))
        frontend = Frontend(f"frontend-{number:04}", "", key, (pool,), Encap.GRE4, False, True)
        frontends[frontend.name] = FrontendStatus(frontend, resolve(frontend, states))
        vips[key] = VipCounters(number, 10**9 + number, 10**6, 0, 0, Volume(10**9 + number, 10**12))
    return Status(HealthStatus(backends, frontends), None, None, Sample(1_790_000_000_000_000_000, 1, vips, volumes))


STATUS = large()


class Families(Collector):
    """Families that prometheus_client has read, for it to write."""

    def __init__(self) -> None:
        self._metrics = list(parse_text(text_of(page(), is_openmetrics=False)))

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def page() -> Page:
    return Page((StatusFamilies(lambda: STATUS, lambda: 0).collect,))


@pytest.fixture(scope="module")
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Families())
    return registry


def test_a_new_status(benchmark: BenchmarkFixture, registry: CollectorRegistry) -> None:
    text = benchmark(lambda: text_of(page(), is_openmetrics=False))

    assert list(parse_text(text)) == list(registry.collect())


def test_the_same_status_again(benchmark: BenchmarkFixture, registry: CollectorRegistry) -> None:
    kept = page()
    text_of(kept, is_openmetrics=False)
    text = benchmark(lambda: text_of(kept, is_openmetrics=False))

    assert list(parse_text(text)) == list(registry.collect())


def test_a_new_status_by_prometheus_client(benchmark: BenchmarkFixture, registry: CollectorRegistry) -> None:
    text = benchmark(lambda: write_text(registry))

    assert list(parse_text(text.decode())) == list(registry.collect())


def probed() -> list[events.ProbeDone]:
    return [
        events.ProbeDone(name, "tcp", ProbeResult(number % 50 > 0, "L4OK", "", 0.0001 * (number % 1000)))
        for number, name in enumerate(STATUS.health.backends)
    ]


PROBED = probed()


def counted_by(counters: EventCounters | PrometheusCounters) -> None:
    for event in PROBED:
        counters.observe(event)


@pytest.fixture(scope="module")
def counters() -> EventCounters:
    counters = EventCounters()
    counters.loaded(5_000_000_000)  # as its peer has it
    counted_by(counters)
    return counters


@pytest.fixture(scope="module")
def peer() -> PrometheusCounters:
    peer = PrometheusCounters()
    counted_by(peer)
    return peer


def shown(text: str) -> dict[str, Metric]:
    """What shows anything, but for times of creation; in which order is nobody's business."""
    families = (family for family in parse_text(text) if family.samples)
    return {family.name: family for family in families if not family.name.endswith("_created")}


def test_a_page_of_events(benchmark: BenchmarkFixture, counters: EventCounters, peer: PrometheusCounters) -> None:
    text = benchmark(lambda: text_of(Page((counters.families,)), is_openmetrics=False))

    assert shown(text) == shown(write_text(peer.registry).decode())


def test_a_page_of_events_by_prometheus_client(
    benchmark: BenchmarkFixture, counters: EventCounters, peer: PrometheusCounters
) -> None:
    text = benchmark(lambda: write_text(peer.registry).decode())

    assert shown(text) == shown(text_of(Page((counters.families,)), is_openmetrics=False))


def test_a_probe_of_each_backend(benchmark: BenchmarkFixture) -> None:
    counters = EventCounters()
    benchmark(lambda: counted_by(counters))

    assert text_of(Page((counters.families,)), is_openmetrics=False).count("maglev_probe_total{") == len(PROBED)


def test_a_probe_of_each_backend_by_prometheus_client(benchmark: BenchmarkFixture) -> None:
    peer = PrometheusCounters()
    benchmark(lambda: counted_by(peer))

    assert write_text(peer.registry).decode().count("maglev_probe_total{") == len(PROBED)
