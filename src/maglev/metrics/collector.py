"""Status -> Prometheus families, at each scrape; must not know how they are sent. A figure not known is left out."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import maglev
from maglev.core.counters import Sample, Volume
from maglev.core.health import State
from maglev.core.model import IPAddress, VppInfo, address_order
from maglev.core.status import HealthStatus, Status
from maglev.metrics.counting import EventCounters

_SECOND_NS = 1_000_000_000
_VIP = ("prefix", "protocol", "port")
_BACKEND = ("backend", "address", "kind")


def registry_for(status: Callable[[], Status], counters: EventCounters) -> CollectorRegistry:
    """All that /metrics shows: what is, from `status`, and what has happened, from `counters`."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    registry.register(counters.registry)
    return registry


class StatusCollector(Collector):
    """Every family that follows from one frozen Status; `now_ns` is unix nanoseconds."""

    def __init__(self, status: Callable[[], Status], now_ns: Callable[[], int] = time.time_ns) -> None:
        self._status = status
        self._now_ns = now_ns

    def collect(self) -> Iterator[Metric]:
        """All families of the Status of this moment."""
        return families(self._status(), self._now_ns())

    def describe(self) -> Iterator[Metric]:
        """Names alone, so that a registry can refuse a second collector of the same names."""
        return families(Status(), 0)


def families(status: Status, now_ns: int) -> Iterator[Metric]:
    """Backends, frontends, VPP, then the counters of the newest sample."""
    yield InfoMetricFamily("maglev_build", "The running maglevd", value={"version": maglev.__version__})
    yield from _backends(status.health)
    yield from _frontends(status.health)
    yield from _vpp(status.vpp, now_ns)
    yield from _vip_counters(status.sample)
    yield from _backend_counters(status.sample, status.health)
    yield GaugeMetricFamily(
        "maglev_vpp_sample_timestamp_seconds",
        "When VPP's counters were read, unix time",
        value=None if status.sample is None else status.sample.taken_at_ns / _SECOND_NS,
    )


def _backends(health: HealthStatus) -> Iterator[Metric]:
    state = GaugeMetricFamily("maglev_backend_state", "1 for the state it is in", labels=("backend", "state"))
    counter = GaugeMetricFamily(
        "maglev_backend_health",
        "Health counter, 0 to rise + fall - 1; absent without a health check",
        labels=("backend",),
    )
    enabled = GaugeMetricFamily("maglev_backend_enabled", "0 while disabled", labels=("backend",))
    for name, backend in health.backends.items():
        state.add_metric((name, backend.health.state.word), 1)
        if backend.backend.check is not None:
            counter.add_metric((name,), backend.health.counter)
        enabled.add_metric((name,), backend.health.state is not State.DISABLED)
    yield from (state, counter, enabled)


def _frontends(health: HealthStatus) -> Iterator[Metric]:
    state = GaugeMetricFamily("maglev_frontend_state", "1 for the state it is in", labels=("frontend", "state"))
    labels = ("frontend", "pool", "backend")
    configured = GaugeMetricFamily("maglev_frontend_pool_backend_weight", "Configured weight, 0 to 100", labels=labels)
    effective = GaugeMetricFamily(
        "maglev_frontend_pool_backend_effective_weight", "Weight that VPP shall use now, 0 to 100", labels=labels
    )
    for name, status in health.frontends.items():
        state.add_metric((name, status.resolved.state.word), 1)
        for pool, cells in zip(status.frontend.pools, status.resolved.pools, strict=True):
            for backend, weight in pool.weights.items():
                configured.add_metric((name, pool.name, backend), weight)
                effective.add_metric((name, pool.name, backend), cells[backend].weight)
    yield from (state, configured, effective)


def _vpp(vpp: VppInfo | None, now_ns: int) -> Iterator[Metric]:
    yield GaugeMetricFamily("maglev_vpp_connected", "1 while maglevd has a VPP", value=vpp is not None)
    uptime = GaugeMetricFamily("maglev_vpp_uptime_seconds", "How long VPP has been running")
    connected = GaugeMetricFamily("maglev_vpp_connected_seconds", "How long maglevd has been connected to it")
    build = InfoMetricFamily("maglev_vpp", "The connected VPP", labels=())
    if vpp is not None:
        if vpp.boottime_ns:
            uptime.add_metric((), max(now_ns - vpp.boottime_ns, 0) / _SECOND_NS)
        connected.add_metric((), max(now_ns - vpp.connecttime_ns, 0) / _SECOND_NS)
        build.add_metric((), {"version": vpp.version, "build_date": vpp.build_date, "pid": str(vpp.pid)})
    yield from (uptime, connected, build)


def _vip_counters(sample: Sample | None) -> Iterator[Metric]:
    packets = CounterMetricFamily(
        "maglev_vpp_vip_packets",
        "Packets to the VIP: next of known flows, first of new ones, untracked as the sticky table was full, "
        "no_server as no backend had any weight",
        labels=(*_VIP, "kind"),
    )
    # No creation time: the FIB's entry can outlive the VIP, whose life is all we know of.
    route_packets = CounterMetricFamily(
        "maglev_vpp_vip_route_packets", "Packets routed to the VIP's prefix, shared by all its ports", labels=_VIP
    )
    route_bytes = CounterMetricFamily(
        "maglev_vpp_vip_route_bytes", "Bytes routed to the VIP's prefix, shared by all its ports", labels=_VIP
    )
    vips = {} if sample is None else sample.vips
    for key in sorted(vips, key=lambda key: key.order):
        vip, labels = vips[key], (str(key.prefix), key.protocol_name, str(key.port))
        kinds = (("next", vip.next), ("first", vip.first), ("untracked", vip.untracked), ("no_server", vip.no_server))
        for kind, value in kinds:
            packets.add_metric((*labels, kind), value, created=_created(vip.since_ns))
        if vip.route is not None:
            route_packets.add_metric(labels, vip.route.packets)
            route_bytes.add_metric(labels, vip.route.bytes)
    yield from (packets, route_packets, route_bytes)


def _backend_counters(sample: Sample | None, health: HealthStatus) -> Iterator[Metric]:
    note = "or direct by plain routing; repeated for each backend of the address"
    packets = CounterMetricFamily(
        "maglev_vpp_backend_packets", f"Packets forwarded by the load balancer {note}", labels=_BACKEND
    )
    volume = CounterMetricFamily(
        "maglev_vpp_backend_bytes", f"Bytes forwarded by the load balancer, with tunnel header, {note}", labels=_BACKEND
    )
    names: defaultdict[IPAddress, list[str]] = defaultdict(list)
    for status in health.backends.values():
        names[status.backend.address].append(status.backend.name)
    counters = {} if sample is None else sample.backends
    for address in sorted(counters, key=address_order):
        counted = counters[address]
        kinds: tuple[tuple[str, Volume], ...] = (("forwarded", counted.forwarded), ("direct", counted.direct))
        # An address that no configured backend has still carries traffic: it is told without a name.
        for name in names.get(address, [""]):
            for kind, value in kinds:
                labels = (name, str(address), kind)
                packets.add_metric(labels, value.packets, created=_created(counted.since_ns))
                volume.add_metric(labels, value.bytes, created=_created(counted.since_ns))
    yield from (packets, volume)


def _created(since_ns: int) -> float | None:
    return since_ns / _SECOND_NS if since_ns else None
