"""The connected VPP and its load-balancer table -> families; the large ones are as of the last audit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter

from maglev.core.model import IPAddress, VipKey, VppInfo
from maglev.core.observed import Observed, ObservedBackend, ObservedVip
from maglev.core.status import LbStatus
from maglev.metrics.exposition import Family
from maglev.metrics.keeping import FigureTable, Table
from maglev.metrics.lines import SECOND_NS, info, single, vip_labels

_Vip = tuple[VipKey, ObservedVip]
_Row = tuple[VipKey, IPAddress, int]
"""A backend's address in a VIP, and which of its names is meant."""

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
    yield figure("doubtful_vips", _DOUBTFUL, lambda lb: len(lb.doubtful))
    yield figure("held_back", _HELD_BACK, lambda lb: int(lb.held_back_s > 0))
    yield figure("audit_interval_seconds", _AUDIT_INTERVAL, lambda lb: lb.audit_interval_s)
    yield figure("audit_timestamp_seconds", _AUDITED_AT, lambda lb: lb.audited_at_ns / SECOND_NS)


class TableFamilies:
    """Buckets and flows of each backend of each VIP, kept until the next audit or until it is gone."""

    def __init__(self) -> None:
        self._audited = self._observed = _NOTHING
        self._gone: Mapping[VipKey, frozenset[IPAddress]] = {}
        self._names: Mapping[IPAddress, Sequence[str]] = {}
        self._is_any_shared = False
        self._tables: tuple[FigureTable[_Row, _Vip], ...] = tuple(
            FigureTable(f"maglev_vpp_backend_{what}", text, self._reader(what), self._labels, is_counter=False)
            for what, text in (("buckets", _BUCKETS), ("flows", _FLOWS))
        )

    def families(self, lb: LbStatus | None, names: Mapping[IPAddress, Sequence[str]]) -> Iterator[Family]:
        """Both of them."""
        audited = _NOTHING if lb is None else lb.audited
        observed = _NOTHING if lb is None else lb.observed
        gone = self._gone
        if audited is not self._audited or observed is not self._observed:
            gone = _gone(audited, observed)
        if audited is not self._audited or names is not self._names or gone != self._gone:
            self._gone = gone
            for table in self._tables:
                table.show(audited.vips.items, has_other_labels=names is not self._names)
            self._audited, self._names = audited, names
            self._is_any_shared = any(len(each) > 1 for each in names.values())
        self._observed = observed
        return (table.family() for table in self._tables)

    @property
    def held_bytes(self) -> int:
        """What is kept of them."""
        return sum(table.held_bytes for table in self._tables)

    def _reader(self, what: str) -> Callable[[Sequence[_Vip]], Table[_Row]]:
        figure: Callable[[ObservedBackend], int | None] = attrgetter(what)

        def read(vips: Sequence[_Vip]) -> Table[_Row]:
            gone = self._gone  # their VIPs keep their place among `vips`, for the text of all others to be kept
            every = (
                (key, address, figure(it))
                for key, vip in vips
                for address, it in vip.backends.items()
                if key not in gone or address not in gone[key]
            )
            known = [(key, address, count) for key, address, count in every if count is not None]
            if self._is_any_shared:  # asked first, as looking an address up takes longer than all the rest
                shown = [(key, at, place, n) for key, at, n in known for place in range(len(self._called(at)))]
            else:
                shown = [(key, at, 0, n) for key, at, n in known]
            return Table(
                [(key, at, place) for key, at, place, _ in shown], (None,) * len(shown), [n for *_, n in shown]
            )

        return read

    def _called(self, address: IPAddress) -> Sequence[str]:
        """An address without a configured backend goes by itself, so that no two of a VIP share a series."""
        return self._names.get(address) or (str(address),)

    def _labels(self, row: _Row) -> str:
        key, address, place = row
        return f'{vip_labels(key)},backend="{self._called(address)[place]}"'


def _gone(audited: Observed, observed: Observed) -> Mapping[VipKey, frozenset[IPAddress]]:
    """The backends of each VIP that were there at the audit and are not any more."""
    gone: dict[VipKey, frozenset[IPAddress]] = {}
    for key, vip in audited.vips.items():
        now = observed.vips.get(key)
        if now is not vip and (left := vip.backends.keys() - (now.backends.keys() if now else ())):
            gone[key] = frozenset(left)
    return gone


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
