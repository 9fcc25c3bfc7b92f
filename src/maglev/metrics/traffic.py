"""A sample of VPP's counters -> families of traffic; nearly all figures are other ones in each sample."""

from collections.abc import Iterator, Mapping, Sequence

from maglev.core.counters import BackendCounters, Sample, VipCounters
from maglev.core.model import IPAddress, VipKey
from maglev.metrics.exposition import Family
from maglev.metrics.keeping import FigureTable, Table
from maglev.metrics.lines import SECOND_NS, single, vip_labels

_Vip = tuple[VipKey, VipCounters]
_Backend = tuple[str, BackendCounters]
"""Labels but for the kind, and the figures."""

_UNMATCHED = "maglev_vpp_unmatched_packets"


class TrafficFamilies:
    """Families that follow from a Sample, and from the names of addresses."""

    def __init__(self) -> None:
        self._sample: Sample | None = None
        self._names: Mapping[IPAddress, Sequence[str]] = {}
        self._vips: tuple[FigureTable[VipKey, _Vip], ...] = (
            FigureTable("maglev_vpp_vip_packets", _VIP_PACKETS, _vip_packets, vip_labels, _VIP_KINDS),
            FigureTable("maglev_vpp_vip_route_packets", _ROUTE_PACKETS, _route_packets, vip_labels),
            FigureTable("maglev_vpp_vip_route_bytes", _ROUTE_BYTES, _route_bytes, vip_labels),
        )
        self._backends: tuple[FigureTable[str, _Backend], ...] = (
            FigureTable("maglev_vpp_backend_packets", _BACKEND_PACKETS, _packets, str, _BACKEND_KINDS),
            FigureTable("maglev_vpp_backend_bytes", _BACKEND_BYTES, _bytes, str, _BACKEND_KINDS),
        )

    def families(self, sample: Sample | None, names: Mapping[IPAddress, Sequence[str]]) -> Iterator[Family]:
        """All of them, in their order on the page."""
        if sample is not self._sample or names is not self._names:
            self._follow(sample, names)
        for of_vips in self._vips:
            yield of_vips.family()
        for of_backends in self._backends:
            yield of_backends.family()
        yield _unmatched(sample)
        taken_at_s = None if sample is None else sample.taken_at_ns / SECOND_NS
        yield single("maglev_vpp_sample_timestamp_seconds", _TAKEN_AT, taken_at_s)

    @property
    def held_bytes(self) -> int:
        """What is kept of them."""
        of_vips = sum(table.held_bytes for table in self._vips)
        return of_vips + sum(table.held_bytes for table in self._backends)

    def _follow(self, sample: Sample | None, names: Mapping[IPAddress, Sequence[str]]) -> None:
        vips = {} if sample is None else sample.vips
        counters = {} if sample is None else sample.backends
        for of_vips in self._vips:
            of_vips.show(vips.items)
        for of_backends in self._backends:
            of_backends.show(lambda: _named(counters, names))
        self._sample, self._names = sample, names


def _vip_packets(vips: Sequence[_Vip]) -> Table[VipKey]:
    return Table(
        [key for key, _ in vips],
        [vip.since_ns for _, vip in vips],
        [count for _, vip in vips for count in (vip.next, vip.first, vip.untracked, vip.no_server)],
    )


def _route_packets(vips: Sequence[_Vip]) -> Table[VipKey]:
    return _of_route(vips, [vip.route.packets for _, vip in vips if vip.route])


def _route_bytes(vips: Sequence[_Vip]) -> Table[VipKey]:
    return _of_route(vips, [vip.route.bytes for _, vip in vips if vip.route])


def _of_route(vips: Sequence[_Vip], figures: Sequence[int]) -> Table[VipKey]:
    routed = [(key, vip.route_since_ns) for key, vip in vips if vip.route]
    return Table([key for key, _ in routed], [since_ns for _, since_ns in routed], figures)


def _named(
    counters: Mapping[IPAddress, BackendCounters], names: Mapping[IPAddress, Sequence[str]]
) -> Iterator[_Backend]:
    for address, counted in counters.items():
        # An address that no configured backend has still carries traffic: it is told without a name.
        for name in names.get(address, ("",)):
            yield f'backend="{name}",address="{address}"', counted


def _packets(backends: Sequence[_Backend]) -> Table[str]:
    counts = ((counted.forwarded.packets, counted.direct.packets) for _, counted in backends)
    return _of_backends(backends, [count for pair in counts for count in pair])


def _bytes(backends: Sequence[_Backend]) -> Table[str]:
    sizes = ((counted.forwarded.bytes, counted.direct.bytes) for _, counted in backends)
    return _of_backends(backends, [size for pair in sizes for size in pair])


def _of_backends(backends: Sequence[_Backend], figures: Sequence[int]) -> Table[str]:
    return Table([labels for labels, _ in backends], [counted.since_ns for _, counted in backends], figures)


def _unmatched(sample: Sample | None) -> Family:
    if sample is None:
        return Family(_UNMATCHED, _UNMATCHED_PACKETS, "counter", ())
    total = f"{_UNMATCHED}_total {sample.unmatched_packets}\n"
    since_ns = sample.unmatched_since_ns
    created = () if since_ns is None else (f"{_UNMATCHED}_created {since_ns / SECOND_NS}\n",)
    return Family(_UNMATCHED, _UNMATCHED_PACKETS, "counter", (total,), (total, *created))


_VIP_KINDS = ("next", "first", "untracked", "no_server")
_BACKEND_KINDS = ("forwarded", "direct")
_VIP_PACKETS = (
    "Packets to the VIP: first of new flows, next of known ones. untracked: the sticky table was full (a VIP without "
    "any server fills its part by itself), and a change of backends breaks such flows: raise sticky-buckets-per-core "
    "(which drops every flow, once) or lower flow-timeout. no_server: no backend had any weight, "
    "and VPP dropped them: a black hole"
)
_ROUTE_PACKETS = (
    "Packets routed to the VIP's prefix, all its ports together: do not add up VIPs that share one. More than "
    "the VIPs of the prefix count is traffic to ports without a VIP"
)
_ROUTE_BYTES = "Bytes routed to the VIP's prefix, all its ports together: do not add up VIPs that share one"
_SHARED = "Shown for each backend of the address, with an empty name where none is configured; do not add these up"
_BACKEND_PACKETS = (
    "Packets to the backend's address, over all VIPs: forwarded by the load balancer, or direct by plain routing. "
    f"None forwarded with a weight above 0 is a backend without flows. {_SHARED}"
)
_BACKEND_BYTES = (
    "Bytes to the backend's address, over all VIPs: forwarded by the load balancer, tunnel header included, or direct "
    f"by plain routing. {_SHARED}"
)
_UNMATCHED_PACKETS = (
    "Packets to the address of a VIP on a port without one, over all VIPs, which VPP drops. A few are scans; many are "
    "a frontend that is missing, or clients with an old port"
)
_TAKEN_AT = (
    "When VPP's counters were last read, unix time. Older than three times stats-interval: all counters of VPP stand "
    "still, see vpp-sample in the log"
)
