"""The lb plugin's control side: what each call changes and what it answers; must not know the wire or any packet.

The rules are those of VPP src/plugins/lb/lb.c and api.c, lb API 1.2.0. What deserves to be known:

- VIPs and ASes live in pools (see `pool`); index 0 of either is a placeholder that nobody sees.
- Deleting only marks. An AS goes when it is swept: at most once a minute per VIP, 10 s after its deletion at the
  earliest, and not while a sticky slot refers to it. A deleted VIP goes in a sweep of all, once its last AS is gone.
- Memory is not wiped between tenants of an index: `in_use_since` and the parameters of other encaps shine through.
- Requests that VPP accepts and dies of raise Died: a table of no bucket, one its heap cannot hold, and an AS of a NAT
  VIP for all ports, to which no packet comes. Not followed: the NAT service type *nodeport* beyond its name, NAT's way
  back, and packets of L3DSR or NAT to a backend within the VIP's own prefix, which VPP dies of.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from maglev.emulator import ip46
from maglev.emulator.fib import Fib, Route, Source
from maglev.emulator.flowhash import Packet
from maglev.emulator.pool import Pool
from maglev.emulator.segment import SegmentWriter, SimpleCounter
from maglev.emulator.vip import ANY_PORT, ANY_PROTOCOL, AppServer, EncapArgs, Vip, VipKey, VipRequest, VipType
from maglev.emulator.workers import Workers
from maglev.errors import MaglevError

COUNTER_NAMES = ("packet from existing sessions", "first session packet", "untracked packet", "no server configured")
KEEP = 0xFFFFFFFF

_COLLECT_EVERY_S = 60
_CONCURRENCY_S = 10
_HEAP_BUCKETS = 1 << 27
_HEAP_STICKY_BUCKETS = 1 << 23
_DSCP_MASK = 0x3F


class Died(MaglevError):
    """The real VPP would not have survived this call."""


class Retval(enum.IntEnum):
    """Answers, by VPP's names."""

    OK = 0
    NO_SUCH_FIB = -3
    NO_SUCH_ENTRY = -6
    INVALID_VALUE = -7
    INVALID_MEMORY_SIZE = -70
    INVALID_ARGUMENT = -73
    VALUE_EXIST = -81
    INVALID_ADDRESS_FAMILY = -97


@dataclass(slots=True)
class _Site:
    """The VIPs in use on one prefix, which share a route: either one for all ports, or some by protocol and port."""

    route: Route
    vips: dict[tuple[int, int], int] = field(default_factory=dict)


class Lb:
    """All VIPs and ASes. `uptime_s` is the clock; VPP counts whole seconds of it."""

    def __init__(self, segment: SegmentWriter, fib: Fib, workers: Workers, uptime_s: Callable[[], float]) -> None:
        self.ip4_source = ip46.ALL_ONES[:4]
        self.ip6_source = ip46.ALL_ONES
        self.counters: tuple[SimpleCounter, ...] = ()
        self._segment = segment
        self._fib = fib
        self._workers = workers
        self._uptime_s = uptime_s
        self._sites: dict[ip46.Prefix, _Site] = {}
        self._site_of_route: dict[int, _Site] = {}
        self._encap_args: dict[int, EncapArgs] = {}
        self._last_used: dict[int, int] = {}
        self._vips: Pool[Vip] = Pool()
        self._servers: Pool[AppServer] = Pool()
        nowhere = VipKey(ip46.Prefix(ip46.ALL_ONES, 0), ANY_PROTOCOL, ANY_PORT)
        self._vips.put(Vip(0, nowhere, VipType.IP6_GRE6, 1, False, EncapArgs(), 0))
        self._servers.put(AppServer(ip46.ALL_ONES, KEEP, 0, Route(0, 0, 0), used=False))

    @property
    def vips(self) -> Iterator[Vip]:
        """All VIPs but the placeholder, deleted ones that are not yet collected too, by index."""
        return (vip for vip in self._vips if vip.index)

    @property
    def server_count(self) -> int:
        """ASes but the placeholder, deleted ones that are not yet collected too."""
        return len(self._servers) - 1

    def server(self, index: int) -> AppServer:
        """The AS of this pool index."""
        return self._servers[index]

    def servers(self, vip: Vip) -> Iterator[tuple[int, AppServer]]:
        """A VIP's ASes with their indexes, deleted ones too, in VPP's order."""
        return ((index, self._servers[index]) for index in vip.as_indexes)

    def last_used(self, as_index: int) -> int:
        """When an AS was last deleted, in seconds of uptime; for one that never was, its predecessor's answer or 0."""
        return self._last_used.get(as_index, 0)

    def vip_of(self, route: Route, packet: Packet) -> Vip | None:
        """The VIP that takes a packet sent to `route`: the placeholder if none has its port, None for other routes."""
        site = self._site_of_route.get(route.index)
        if site is None:
            return None
        everything = site.vips.get((ANY_PROTOCOL, ANY_PORT))
        if everything is None:
            return self._vips[site.vips.get((packet.protocol, packet.dport), 0)]
        vip = self._vips[everything]
        return vip if vip.is_reached else None

    def configure(self, ip4_source: bytes, ip6_source: bytes, buckets: int, flow_timeout_s: int) -> Retval:
        """`lb_conf`: KEEP keeps the buckets or the timeout. Another number of buckets drops every flow."""
        if buckets != KEEP and not (0 < buckets <= _HEAP_STICKY_BUCKETS and _is_power_of_two(buckets)):
            # VPP takes 0 as well as more than its heap can hold, and dies with the next packet: better refused.
            return Retval.INVALID_MEMORY_SIZE
        self.ip4_source, self.ip6_source = ip4_source, ip6_source
        if buckets != KEEP:
            self._workers.buckets = buckets
        if flow_timeout_s != KEEP:
            self._workers.flow_timeout_s = flow_timeout_s
        return Retval.OK

    def add_vip(self, request: VipRequest) -> Retval:
        """`lb_add_del_vip_v2`. Raises Died for a table that VPP dies of."""
        key = request.key
        kind = VipType.of(is_ip4=key.prefix.is_ip4, encap=request.encap)
        refusal = self._refusal(key, kind, request.table_length)
        if refusal is not Retval.OK:
            return refusal
        if not 0 < request.table_length < _HEAP_BUCKETS:
            raise Died("VPP dies of such a table of new flows", vip=key.prefix, length=request.table_length)
        vip = Vip(-1, key, kind, request.table_length, request.src_ip_sticky, EncapArgs(), last_collected=self._now())
        vip.index = self._vips.put(vip)
        vip.encap_args = self._encap_args[vip.index] = self._new_encap_args(vip, request)
        self._clear_counters(vip.index)
        site = self._sites.get(key.prefix)
        if site is None:
            site = self._sites[key.prefix] = _Site(self._fib.want(key.prefix, Source.LB))
            self._site_of_route[site.route.index] = site
        site.vips[key.protocol, key.port] = vip.index
        return Retval.OK

    def delete_vip(self, key: VipKey) -> Retval:
        """`lb_add_del_vip_v2` with is_del; the flows of its ASes stay."""
        vip = self._find(key)
        if vip is None:
            return Retval.NO_SUCH_ENTRY
        if vip.servers:
            self._delete(vip, list(vip.servers.values()), flush=False)
        site = self._sites[key.prefix]
        del site.vips[key.protocol, key.port]
        if not site.vips:
            del self._sites[key.prefix], self._site_of_route[site.route.index]
            self._fib.release(site.route, Source.LB)
        vip.used = False
        return Retval.OK

    def add_server(self, key: VipKey, address: bytes, weight: int, *, flush: bool) -> Retval:
        """`lb_add_del_as_v2`; one that was deleted comes back as it is, and only then is `flush` heeded.

        Raises Died for a VIP whose ASes VPP dies of.
        """
        vip = self._find(key)
        if vip is None:
            return Retval.NO_SUCH_ENTRY
        index = vip.servers.get(address)
        if index is not None:
            server = self._servers[index]
            if server.used:
                return Retval.VALUE_EXIST
            server.used, server.weight = True, weight
            if flush:
                self._workers.flush(vip.index, index)
        elif ip46.is_ip4(address) is not vip.type.has_ip4_servers:
            return Retval.INVALID_ADDRESS_FAMILY
        elif not vip.is_reached:
            raise Died("VPP dies of an AS of a NAT VIP for all ports", vip=key.prefix, server=ip46.text(address))
        else:
            route = self._fib.want(_host(address), Source.BACKEND)
            index = self._servers.put(AppServer(address, vip.index, weight, route))
            vip.servers[address] = index
            vip.as_indexes.put(index)
        self._spread(vip)
        self._collect_servers(vip)
        return Retval.OK

    def delete_server(self, key: VipKey, address: bytes, *, flush: bool) -> Retval:
        """`lb_add_del_as_v2` with is_del; deleting again is fine until the AS is collected."""
        vip = self._find(key)
        if vip is None or address not in vip.servers:
            return Retval.NO_SUCH_ENTRY
        self._delete(vip, [vip.servers[address]], flush=flush)
        return Retval.OK

    def set_weight(self, key: VipKey, address: bytes, weight: int, *, flush: bool) -> Retval:
        """`lb_as_set_weight`; any weight of 0..255 is taken."""
        vip = self._find(key)
        index = vip.servers.get(address) if vip else None
        if vip is None or index is None or not self._servers[index].used:
            return Retval.NO_SUCH_ENTRY
        self._servers[index].weight = weight
        self._spread(vip)
        if flush:
            self._workers.flush(vip.index, index)
        return Retval.OK

    def flush_vip(self, key: VipKey) -> Retval:
        """`lb_flush_vip`: never refused; for a VIP that is not there VPP flushes at random, we nothing."""
        vip = self._find(key)
        if vip is not None:
            self._workers.flush(vip.index)
        return Retval.OK

    def collect(self) -> None:
        """The sweep that VPP makes every 60 s."""
        for vip in list(self.vips):
            self._collect_servers(vip)
            if not vip.used and not vip.servers:
                self._vips.free(vip.index)

    def _refusal(self, key: VipKey, kind: VipType, table_length: int) -> Retval:
        site = self._sites.get(key.prefix)
        if site is not None:
            has_all_ports = (ANY_PROTOCOL, ANY_PORT) in site.vips
            if (key.protocol, key.port) in site.vips or has_all_ports or key.port == ANY_PORT:
                return Retval.VALUE_EXIST
            if any(self._vips[index].type is not kind for index in site.vips.values()):
                return Retval.INVALID_ARGUMENT
        if not _is_power_of_two(table_length):
            return Retval.INVALID_MEMORY_SIZE
        return Retval.OK if key.prefix.is_ip4 is kind.is_ip4 else Retval.INVALID_ADDRESS_FAMILY

    def _new_encap_args(self, vip: Vip, request: VipRequest) -> EncapArgs:
        before = self._encap_args.get(vip.index, EncapArgs())
        if vip.type is VipType.IP4_L3DSR:
            return EncapArgs(request.dscp & _DSCP_MASK, before.target_port)
        # VPP keeps the first byte of the u32 that came in: 0 for any service type there is.
        return EncapArgs(request.srv_type >> 24, request.target_port) if vip.type.is_nat else before

    def _clear_counters(self, index: int) -> None:
        if not self.counters:
            self.counters = tuple(self._segment.simple(name, self._workers.threads) for name in COUNTER_NAMES)
        for counter in self.counters:
            counter.validate(index)
            counter.zero(index)

    def _find(self, key: VipKey) -> Vip | None:
        site = self._sites.get(key.prefix)
        index = site.vips.get((key.protocol, key.port)) if site else None
        return None if index is None else self._vips[index]

    def _delete(self, vip: Vip, indexes: list[int], *, flush: bool) -> None:
        self._collect_servers(vip)
        for index in indexes:
            self._last_used[index] = self._now()
            if index not in self._servers:
                continue  # it was deleted before, and has just been collected
            self._servers[index].used = False
            if flush:
                self._workers.flush(vip.index, index)
        self._spread(vip)

    def _spread(self, vip: Vip) -> None:
        vip.set_members(lambda: ((s.address, s.weight, i) for i, s in self.servers(vip) if s.used and s.weight))

    def _collect_servers(self, vip: Vip) -> None:
        now = self._now()
        if now <= vip.last_collected + _COLLECT_EVERY_S:
            return
        vip.last_collected = now
        for slot, index in list(vip.as_indexes.items()):
            server = self._servers[index]
            too_fresh = now <= self.last_used(index) + _CONCURRENCY_S
            if server.used or too_fresh or self._workers.flows(index):
                continue
            self._fib.release(server.route, Source.BACKEND)
            vip.as_indexes.free(slot)
            self._servers.free(index)
            del vip.servers[server.address]

    def _now(self) -> int:
        return int(self._uptime_s())


def _host(address: bytes) -> ip46.Prefix:
    return ip46.Prefix(address, 128)


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
