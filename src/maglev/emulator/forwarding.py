"""The way of a packet: route, VIP, sticky table, backend, and what is counted on it; must not know who sends packets.

From `lb_node_fn` in VPP src/plugins/lb/node.c. A packet to a prefix without the right port goes to the placeholder VIP,
which has no backend; such packets, and those of a VIP without backends, each take another sticky slot until the bucket
is full.
"""

from collections.abc import Callable

from maglev.emulator.fib import Fib
from maglev.emulator.flowhash import Packet, flow_hash
from maglev.emulator.lb import Lb
from maglev.emulator.vip import Vip
from maglev.emulator.workers import Workers, sticky_time

_NEXT, _FIRST, _UNTRACKED, _NO_SERVER = range(4)
_UDP = 17


class Forwarding:
    """Counts what VPP would count."""

    def __init__(self, fib: Fib, lb: Lb, workers: Workers, uptime_s: Callable[[], float]) -> None:
        self._fib = fib
        self._lb = lb
        self._workers = workers
        self._uptime_s = uptime_s

    def send(self, thread: int, packet: Packet, count: int = 1) -> None:
        """Let `count` equal packets arrive on a thread."""
        route = self._fib.longest(packet.version, int.from_bytes(packet.dst, "big"))
        self._fib.to.add(thread, route.index, count, count * packet.length)
        vip = self._lb.vip_of(route, packet)
        if vip is not None:
            self._balance(thread, vip, packet, count)

    def _balance(self, thread: int, vip: Vip, packet: Packet, count: int) -> None:
        table = self._workers.table(thread)
        timeout_s = self._workers.flow_timeout_s
        now = sticky_time(self._uptime_s())
        flow = flow_hash(packet, by_source=vip.src_ip_sticky)
        while count:
            as_index, slot = table.find(flow, vip.index, now, timeout_s)
            taken = count  # unless a packet changes what the next one finds
            if as_index:
                kind = _NEXT
            elif slot is None:
                as_index, kind = vip.owner(flow), _UNTRACKED
            else:
                as_index, taken = vip.owner(flow), 1
                kind = _FIRST if as_index else _NO_SERVER
                table.put(slot, flow, vip.index, as_index, now, timeout_s)
            self._lb.counters[kind].add(thread, vip.index, taken)
            self._forward(thread, vip, as_index, packet, taken)
            count -= taken

    def _forward(self, thread: int, vip: Vip, as_index: int, packet: Packet, count: int) -> None:
        if not as_index or (vip.type.is_nat and packet.protocol != _UDP):
            return
        index = self._lb.server(as_index).route.index
        self._fib.via.add(thread, index, count, count * (packet.length + vip.type.overhead))
