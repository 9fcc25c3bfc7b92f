"""Status -> families of /metrics, at each scrape; must not know how they are written or sent.

A figure not known is left out.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import maglev
from maglev.core.counters import Sample
from maglev.core.health import State
from maglev.core.model import VipKey, VppInfo
from maglev.core.status import HealthStatus, LbStatus, Status, names_by_address
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Family, Kept, Page, escaped, template

_SECOND_NS = 1_000_000_000
_VIP = ("prefix", "protocol", "port")
_BACKEND = ("backend", "address", "kind")
_WEIGHT = ("frontend", "pool", "backend")

Row = tuple[str | int | float, ...]
"""Escaped values of the labels, then the figure."""


def registry_for(status: Callable[[], Status], counters: EventCounters) -> Page:
    """All that /metrics shows: what is, from `status`, and what has happened, from `counters`."""
    return Page((StatusFamilies(status).collect, counters.families))


class StatusFamilies:
    """Every family that follows from a frozen Status; what has not changed since the last time is not made again.

    `now_ns` is unix nanoseconds.
    """

    def __init__(self, status: Callable[[], Status], now_ns: Callable[[], int] = time.time_ns) -> None:
        self._status = status
        self._now_ns = now_ns
        self._shown = Status()
        self._of_health = _of_health(self._shown.health)
        self._of_sample = _of_sample(self._shown.sample, self._shown.health)

    def collect(self) -> Iterator[Family]:
        """All families of the Status of this moment."""
        status, shown = self._status(), self._shown
        if status.health is not shown.health:
            self._of_health = _of_health(status.health)
        if status.health is not shown.health or status.sample is not shown.sample:
            self._of_sample = _of_sample(status.sample, status.health)
        self._shown = status
        yield _info("maglev_build", "The running maglevd", {"version": maglev.__version__})
        yield from self._of_health
        yield from _of_vpp(status.vpp, self._now_ns())
        yield from _of_lb(status.lb)
        yield from self._of_sample


def _of_health(health: HealthStatus) -> Sequence[Family]:
    backends, frontends = health.backends.items(), health.frontends.items()

    def weights() -> Iterator[tuple[str, str, str, int, int]]:
        for name, status in frontends:
            for pool, cells in zip(status.frontend.pools, status.resolved.pools, strict=True):
                for backend, weight in pool.weights.items():
                    yield escaped(name), escaped(pool.name), escaped(backend), weight, cells[backend].weight

    return (
        _gauge(
            "maglev_backend_state",
            "1 for the state it is in",
            ("backend", "state"),
            lambda: ((escaped(name), status.health.state.word, 1) for name, status in backends),
        ),
        _gauge(
            "maglev_backend_health",
            "Health counter, 0 to rise + fall - 1; absent without a health check",
            ("backend",),
            lambda: (
                (escaped(name), status.health.counter) for name, status in backends if status.backend.check is not None
            ),
        ),
        _gauge(
            "maglev_backend_enabled",
            "0 while disabled",
            ("backend",),
            lambda: ((escaped(name), int(status.health.state is not State.DISABLED)) for name, status in backends),
        ),
        _gauge(
            "maglev_frontend_state",
            "1 for the state it is in",
            ("frontend", "state"),
            lambda: ((escaped(name), status.resolved.state.word, 1) for name, status in frontends),
        ),
        _gauge(
            "maglev_frontend_pool_backend_weight",
            "Configured weight, 0 to 100",
            _WEIGHT,
            lambda: ((*labels, configured) for *labels, configured, _ in weights()),
        ),
        _gauge(
            "maglev_frontend_pool_backend_effective_weight",
            "Weight that VPP shall use now, 0 to 100",
            _WEIGHT,
            lambda: ((*labels, effective) for *labels, _, effective in weights()),
        ),
    )


def _of_vpp(vpp: VppInfo | None, now_ns: int) -> Iterator[Family]:
    yield _single("maglev_vpp_connected", "1 while maglevd has a VPP", int(vpp is not None))
    uptime_s = max(now_ns - vpp.boottime_ns, 0) / _SECOND_NS if vpp is not None and vpp.boottime_ns else None
    yield _single("maglev_vpp_uptime_seconds", "How long VPP has been running", uptime_s)
    connected_s = max(now_ns - vpp.connecttime_ns, 0) / _SECOND_NS if vpp is not None else None
    yield _single("maglev_vpp_connected_seconds", "How long maglevd has been connected to it", connected_s)
    build = {} if vpp is None else {"version": vpp.version, "build_date": vpp.build_date, "pid": str(vpp.pid)}
    yield _info("maglev_vpp", "The connected VPP", build)


def _of_lb(lb: LbStatus | None) -> Iterator[Family]:
    def single(name: str, text: str, value: Callable[[LbStatus], float]) -> Family:
        return _single(f"maglev_vpp_{name}", text, None if lb is None else value(lb))

    yield single(
        "refused_vips",
        "VIPs that are not as they should be because VPP refuses it; `maglevc show vpp lb state` says why",
        lambda lb: len(lb.refused),
    )
    yield _gauge(
        "maglev_vpp_vip_refused",
        "1 for a VIP that is not as it should be because VPP refuses it; absent for all others",
        _VIP,
        lambda: ((*_labels(key), 1) for key in (lb.refused if lb else ())),
    )
    yield single("conf_refused", "1 while VPP refuses the global parameters", lambda lb: int(bool(lb.conf_refused)))
    yield single(
        "doubtful_vips",
        "VIPs not written until the next audit, as an answer did not fit what maglevd knew",
        lambda lb: lb.doubtful,
    )
    yield single(
        "held_back", "1 while nothing is written because VPP keeps dying of it", lambda lb: int(lb.held_back_s > 0)
    )
    yield single(
        "audit_interval_seconds",
        "How often drift is looked for: sync-interval, or longer so that audits take at most 0.1 % of VPP's time",
        lambda lb: lb.audit_interval_s,
    )
    yield single(
        "audit_timestamp_seconds",
        "When VPP's table was last read whole, unix time",
        lambda lb: lb.audited_at_ns / _SECOND_NS,
    )


def _of_sample(sample: Sample | None, health: HealthStatus) -> Sequence[Family]:
    vips = {} if sample is None else sample.vips
    counters = {} if sample is None else sample.backends

    def packets() -> Iterator[Row]:
        for key, vip in vips.items():
            labels = _labels(key)
            yield *labels, "next", vip.next
            yield *labels, "first", vip.first
            yield *labels, "untracked", vip.untracked
            yield *labels, "no_server", vip.no_server

    def volumes() -> Iterator[tuple[str, str, str, int, int]]:
        names = names_by_address(health.backends.values())
        for address, counted in counters.items():
            text = str(address)
            # An address that no configured backend has still carries traffic: it is told without a name.
            for name in map(escaped, names.get(address, [""])):
                yield name, text, "forwarded", counted.forwarded.packets, counted.forwarded.bytes
                yield name, text, "direct", counted.direct.packets, counted.direct.bytes

    note = "or direct by plain routing; repeated for each backend of the address"
    return (
        _counter(
            "maglev_vpp_vip_packets",
            "Packets to the VIP: next of known flows, first of new ones, untracked as the sticky table was full, "
            "no_server as no backend had any weight",
            (*_VIP, "kind"),
            packets,
        ),
        _counter(
            "maglev_vpp_vip_route_packets",
            "Packets routed to the VIP's prefix, shared by all its ports",
            _VIP,
            lambda: ((*_labels(key), vip.route.packets) for key, vip in vips.items() if vip.route is not None),
        ),
        _counter(
            "maglev_vpp_vip_route_bytes",
            "Bytes routed to the VIP's prefix, shared by all its ports",
            _VIP,
            lambda: ((*_labels(key), vip.route.bytes) for key, vip in vips.items() if vip.route is not None),
        ),
        _counter(
            "maglev_vpp_backend_packets",
            f"Packets forwarded by the load balancer {note}",
            _BACKEND,
            lambda: ((*labels, packets) for *labels, packets, _ in volumes()),
        ),
        _counter(
            "maglev_vpp_backend_bytes",
            f"Bytes forwarded by the load balancer, with tunnel header, {note}",
            _BACKEND,
            lambda: ((*labels, size) for *labels, _, size in volumes()),
        ),
        _single(
            "maglev_vpp_sample_timestamp_seconds",
            "When VPP's counters were read, unix time",
            None if sample is None else sample.taken_at_ns / _SECOND_NS,
        ),
    )


def _labels(key: VipKey) -> tuple[str, str, int]:
    return str(key.prefix), key.protocol_name, key.port


def _gauge(name: str, text: str, labels: Sequence[str], rows: Callable[[], Iterable[Row]]) -> Family:
    line = template(name, *labels)
    return Family(name, text, "gauge", Kept(lambda: (line % row for row in rows())))


def _counter(name: str, text: str, labels: Sequence[str], rows: Callable[[], Iterable[Row]]) -> Family:
    line = template(f"{name}_total", *labels)
    return Family(name, text, "counter", Kept(lambda: (line % row for row in rows())))


def _single(name: str, text: str, value: float | None) -> Family:
    return Family(name, text, "gauge", () if value is None else (template(name) % value,))


def _info(name: str, text: str, values: dict[str, str]) -> Family:
    line = template(f"{name}_info", *values) % (*map(escaped, values.values()), 1)
    return Family(name, text, "info", (line,) if values else ())
