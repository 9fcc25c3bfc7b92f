"""VPP's counters, and the rates between two samples of them -> pages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from google.protobuf.message import Message

from maglev.cli.render.layout import Column, Fields, Kind, Page, Table
from maglev.cli.render.units import ABSENT, interval, rate, service, vip, when
from maglev.rpc._pb import maglev_pb2 as pb

_VIP_FIGURES = ("first", "next", "untracked", "no_server", "fib_packets", "fib_bytes")
_OWN, _OF_FIB = _VIP_FIGURES[:4], _VIP_FIGURES[4:]
_BACKEND_FIGURES = ("forwarded_packets", "forwarded_bytes", "direct_packets", "direct_bytes")
_BACKEND_TITLES = ("fwd-packets", "fwd-bytes", "direct-packets", "direct-bytes")
_VIP_TITLES = tuple(name.replace("_", "-") for name in _VIP_FIGURES)
_VIP_KEYS = (Column("vip", Kind.KEY), Column("port", Kind.KEY))
_BACKEND_KEYS = (Column("backend", Kind.KEY), Column("address", Kind.KEY))
_SECOND_NS = 1_000_000_000


def counters(counters: pb.VPPLBCounters, now_ns: int) -> Page:
    """Packets and bytes of VIPs, then of backends."""
    vips = tuple(
        (vip(each.prefix), service(each.protocol, each.port), *_cells(each, _VIP_FIGURES)) for each in counters.vips
    )
    backends = tuple(
        (",".join(each.backends) or ABSENT, each.address, *_cells(each, _BACKEND_FIGURES)) for each in counters.backends
    )
    return (
        Fields(
            (
                ("taken", when(counters.taken_at_ns, now_ns)),
                ("unmatched-packets", str(counters.unmatched_packets)),
            )
        ),
        Table((*_VIP_KEYS, *_figures(_VIP_TITLES)), vips),
        Table((*_BACKEND_KEYS, *_figures(_BACKEND_TITLES)), backends),
    )


def _cells(entry: pb.VPPLBVIPCounters | pb.VPPLBBackendCounters, names: Iterable[str]) -> Iterator[str]:
    return (str(getattr(entry, name)) if entry.HasField(name) else ABSENT for name in names)


def _figures(titles: Iterable[str], suffix: str = "") -> Iterator[Column]:
    return (
        Column(title + suffix, Kind.FIGURE, is_first_of_group=title in ("fib-packets", "direct-packets"))
        for title in titles
    )


@dataclass(frozen=True, slots=True)
class VipRates:
    """A VIP's packets and bytes per second; None where it is not known, as after a start of VPP."""

    prefix: str
    protocol: str
    port: int
    first_per_s: float | None
    next_per_s: float | None
    untracked_per_s: float | None
    no_server_per_s: float | None
    fib_packets_per_s: float | None
    fib_bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class BackendRates:
    """The same of a backend."""

    backends: tuple[str, ...]
    address: str
    forwarded_packets_per_s: float | None
    forwarded_bytes_per_s: float | None
    direct_packets_per_s: float | None
    direct_bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class TotalRates:
    """Sums over all VIPs whose rates are known; what several VIPs of one prefix share counts once."""

    first_per_s: float | None
    next_per_s: float | None
    untracked_per_s: float | None
    no_server_per_s: float | None
    fib_packets_per_s: float | None
    fib_bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What was counted between two samples, per second."""

    from_ns: int
    to_ns: int
    total: TotalRates
    vips: tuple[VipRates, ...]
    backends: tuple[BackendRates, ...]
    unmatched_packets_per_s: float | None

    def mapping(self) -> Mapping[str, object]:
        """The same for a JSON document."""
        return asdict(self)


def rates(before: pb.VPPLBCounters, after: pb.VPPLBCounters) -> Rates:
    """What was counted from `before` to `after`, which has to be the later one, per second."""
    span_s = (after.taken_at_ns - before.taken_at_ns) / _SECOND_NS
    old_vips = {(each.prefix, each.protocol, each.port): each for each in before.vips}
    old_backends = {each.address: each for each in before.backends}
    vips = []
    for vip_ in after.vips:
        old = old_vips.get((vip_.prefix, vip_.protocol, vip_.port))
        own = (_rate(old, vip_, name, "since_ns", span_s) for name in _OWN)
        fib = (_rate(old, vip_, name, "fib_since_ns", span_s) for name in _OF_FIB)
        vips.append(VipRates(vip_.prefix, vip_.protocol, vip_.port, *own, *fib))
    backends = []
    for backend in after.backends:
        was = old_backends.get(backend.address)
        figures = (_rate(was, backend, name, "since_ns", span_s) for name in _BACKEND_FIGURES)
        backends.append(BackendRates(tuple(backend.backends), backend.address, *figures))
    unmatched = _rate(before, after, "unmatched_packets", "unmatched_since_ns", span_s)
    return Rates(before.taken_at_ns, after.taken_at_ns, _total(vips), tuple(vips), tuple(backends), unmatched)


def _rate(before: Message | None, after: Message, figure: str, since: str, span_s: float) -> float | None:
    """None where the figure is not known, or did not grow from the same zero in both."""
    if before is None or not all(each.HasField(since) for each in (before, after)):
        return None
    if getattr(before, since) != getattr(after, since):
        return None
    if figure != "unmatched_packets" and not all(each.HasField(figure) for each in (before, after)):
        return None
    grown = getattr(after, figure) - getattr(before, figure)
    return grown / span_s if grown >= 0 else None


def _total(vips: Iterable[VipRates]) -> TotalRates:
    vips = list(vips)
    prefixes: dict[str, VipRates] = {}
    for each in vips:  # ports of one prefix share its counter, and whoever is new to it may not tell it yet
        if each.prefix not in prefixes or prefixes[each.prefix].fib_packets_per_s is None:
            prefixes[each.prefix] = each
    return TotalRates(
        *(_sum(getattr(each, f"{name}_per_s") for each in vips) for name in _OWN),
        *(_sum(getattr(each, f"{name}_per_s") for each in prefixes.values()) for name in _OF_FIB),
    )


def _sum(parts: Iterable[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def rates_page(rates: Rates, now_ns: int) -> Page:
    """Packets and bytes per second of all VIPs together, of each, then of backends."""
    vips = (
        ("total", ABSENT, *_speeds(rates.total, _VIP_FIGURES)),
        *((vip(each.prefix), service(each.protocol, each.port), *_speeds(each, _VIP_FIGURES)) for each in rates.vips),
    )
    backends = tuple(
        (",".join(each.backends) or ABSENT, each.address, *_speeds(each, _BACKEND_FIGURES)) for each in rates.backends
    )
    return (
        Fields(
            (
                ("taken", when(rates.to_ns, now_ns)),
                ("over", interval((rates.to_ns - rates.from_ns) / _SECOND_NS)),
                ("unmatched-packets", _speed(rates.unmatched_packets_per_s)),
            )
        ),
        Table((*_VIP_KEYS, *_figures(_VIP_TITLES, "/s")), vips),
        Table((*_BACKEND_KEYS, *_figures(_BACKEND_TITLES, "/s")), backends),
    )


def _speed(per_s: float | None) -> str:
    return ABSENT if per_s is None else f"{rate(per_s)}/s"


def _speeds(rates: VipRates | TotalRates | BackendRates, names: Iterable[str]) -> Iterator[str]:
    return (rate(getattr(rates, f"{name}_per_s")) for name in names)
