"""The connected VPP and its load-balancer table -> families; the large ones are as of the last audit."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from maglev.core.model import IPAddress, VppInfo
from maglev.core.observed import Observed, ObservedBackend
from maglev.core.status import LbStatus
from maglev.metrics.exposition import Family
from maglev.metrics.keeping import Kept
from maglev.metrics.lines import SECOND_NS, info, single, vip_labels

_NOTHING = Observed(None, {})


def of_vpp(vpp: VppInfo | None, now_ns: int) -> Iterator[Family]:
    """Whether there is a VPP, and which."""
    yield single("maglev_vpp_connected", _CONNECTED, int(vpp is not None))
    uptime_s = max(now_ns - vpp.boottime_ns, 0) / SECOND_NS if vpp is not None and vpp.boottime_ns else None
    yield single("maglev_vpp_uptime_seconds", "How long VPP has been running. A fall is a restart of VPP", uptime_s)
    connected_s = max(now_ns - vpp.connecttime_ns, 0) / SECOND_NS if vpp is not None else None
    yield single("maglev_vpp_connected_seconds", _CONNECTED_FOR, connected_s)
    build = {} if vpp is None else {"version": vpp.version, "build_date": vpp.build_date, "pid": str(vpp.pid)}
    yield info("maglev_vpp", "The connected VPP; another pid is another VPP", build)


def of_lb(lb: LbStatus | None) -> Iterator[Family]:
    """What maglevd and VPP have come to about the table; nothing while there is none."""

    def figure(name: str, text: str, value: Callable[[LbStatus], float]) -> Family:
        return single(f"maglev_vpp_{name}", text, None if lb is None else value(lb))

    yield figure("refused_vips", _REFUSED_VIPS, lambda lb: len(lb.refused))
    yield Family(
        "maglev_vpp_vip_refused",
        "1 for a VIP that is not as it should be because VPP refuses it; absent for all others",
        "gauge",
        [f"maglev_vpp_vip_refused{{{vip_labels(key)}}} 1\n" for key in (lb.refused if lb else ())],
    )
    yield figure("conf_refused", _CONF_REFUSED, lambda lb: int(bool(lb.conf_refused)))
    yield figure("doubtful_vips", _DOUBTFUL, lambda lb: lb.doubtful)
    yield figure("held_back", _HELD_BACK, lambda lb: int(lb.held_back_s > 0))
    yield figure("audit_interval_seconds", _AUDIT_INTERVAL, lambda lb: lb.audit_interval_s)
    yield figure("audit_timestamp_seconds", _AUDITED_AT, lambda lb: lb.audited_at_ns / SECOND_NS)


class TableFamilies:
    """Buckets and flows of each backend of each VIP, kept until the next audit."""

    def __init__(self) -> None:
        self._audited = _NOTHING
        self._names: Mapping[IPAddress, Sequence[str]] = {}
        self._buckets = self._flows = Kept(tuple)

    def families(self, lb: LbStatus | None, names: Mapping[IPAddress, Sequence[str]]) -> Iterator[Family]:
        """Both of them."""
        audited = _NOTHING if lb is None else lb.audited
        if audited is not self._audited or names is not self._names:
            self._audited, self._names = audited, names
            self._buckets = Kept(lambda: _lines("maglev_vpp_backend_buckets", audited, names, _buckets_of))
            self._flows = Kept(lambda: _lines("maglev_vpp_backend_flows", audited, names, _flows_of))
        yield Family("maglev_vpp_backend_buckets", _BUCKETS, "gauge", self._buckets)
        yield Family("maglev_vpp_backend_flows", _FLOWS, "gauge", self._flows)

    @property
    def held_bytes(self) -> int:
        """What is kept of them."""
        return self._buckets.held_bytes + self._flows.held_bytes


def _lines(
    family: str,
    audited: Observed,
    names: Mapping[IPAddress, Sequence[str]],
    figure: Callable[[ObservedBackend], int | None],
) -> Iterator[str]:
    """An address without a configured backend goes by itself: two such of one VIP must not share a series."""
    for key, vip in audited.vips.items():
        head = f'{family}{{{vip_labels(key)},backend="'
        for address, backend in vip.backends.items():
            count = figure(backend)
            if count is None:
                continue
            for name in names.get(address) or (str(address),):
                yield f'{head}{name}"}} {count}\n'


def _buckets_of(backend: ObservedBackend) -> int | None:
    return backend.buckets


def _flows_of(backend: ObservedBackend) -> int | None:
    return backend.flows


_CONNECTED = (
    "1 while maglevd is connected to VPP. 0: VPP goes on with the table that it has, and dead backends keep their "
    "traffic until it is back: see vpp-unavailable in the log"
)
_CONNECTED_FOR = "How long maglevd has been connected to VPP. Falls while VPP's uptime grows: the connection was lost"
_REFUSED_VIPS = (
    "VIPs that are not as they should be because VPP refuses it. Above 0: `maglevc show vpp lb state` has VPP's reasons"
)
_CONF_REFUSED = "1 while VPP refuses the global parameters (vpp.lb in the file); vpp-refused in the log says why"
_DOUBTFUL = (
    "VIPs not written until the next audit, as an answer did not fit what maglevd knew. Above 0 for more than a "
    "minute: somebody else writes to this VPP"
)
_HELD_BACK = (
    "1 while nothing is written because VPP has died of it again and again: look at VPP's log and core file first"
)
_AUDIT_INTERVAL = (
    "How often drift is looked for: sync-interval, or longer so that audits take at most 0.1 % of VPP's time"
)
_AUDITED_AT = (
    "When VPP's table was last read whole, unix time; buckets and flows are as of then. Older than three times "
    "audit_interval_seconds: see vpp-audit in the log"
)
_AS_OF = "as of the last audit. Shown for each backend of the address, or by the address where none is configured"
_BUCKETS = f"Buckets of the VIP's table of new flows that the backend has, {_AS_OF}. New flows follow their share"
_FLOWS = (
    f"Slots of VPP's sticky tables that the backend has in this VIP, {_AS_OF}. They are freed lazily: while draining "
    "this falls and need not reach 0"
)
