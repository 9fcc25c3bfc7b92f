"""Flows that arrive, last a while and end, over all VIPs; must not know what becomes of a packet.

Everything is drawn from one seeded generator: equal seed, rate and VIPs give equal packets, tick by tick. A small share
goes to the backends' own addresses, past the VIPs, as health checks and administrators do.
"""

import ipaddress
import random
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import trio

from maglev.emulator import ip46
from maglev.emulator.flowhash import Packet
from maglev.emulator.vip import ANY_PORT, Vip, VipKey
from maglev.emulator.vpp import Vpp

TICK_S = 0.05
FLOWS_MAX = 2048
RATE_MAX = 10_000_000

_FLOWS_PER_VIP = 128
_BURSTS_PER_TICK = 400  # what a tick may cost; a higher rate makes longer bursts
_CATCH_UP_S = 1.0
_STARTS, _ENDS, _DIRECT = 0.5, 0.02, 0.02  # chances, per burst
_TCP, _HTTPS = 6, 443
_LENGTHS = (64, 64, 64, 128, 256, 512, 1500, 1500)
_CLIENTS = {4: ipaddress.ip_network("198.18.0.0/15"), 6: ipaddress.ip_network("2001:2::/48")}


@dataclass(frozen=True, slots=True)
class _Flow:
    """`packets` are those of one flow, in different lengths."""

    key: VipKey
    thread: int
    packets: Sequence[Packet]


class Traffic:
    """`rate` packets a second, spread over the workers by flow."""

    def __init__(self, vpp: Vpp, rate: int, seed: int = 1) -> None:
        if not 0 <= rate <= RATE_MAX:
            raise ValueError(f"{rate} packets per second: 0 to {RATE_MAX} are possible")
        self._vpp = vpp
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 - no secret, but the same every time
        self._flows: list[_Flow] = []
        self._owed = 0.0

    async def run(self) -> None:
        """Send for ever. What a late tick owes is sent by the next one, if it is not more than a second's worth."""
        last = trio.current_time()
        while True:
            await trio.sleep(TICK_S)
            now = trio.current_time()
            self.tick(min(now - last, _CATCH_UP_S))
            last = now

    def tick(self, seconds: float) -> None:
        """Send what arrives in this time; nothing while there is no VIP."""
        vips = [vip for vip in self._vpp.lb.vips if vip.used]
        present = {vip.key for vip in vips}
        self._flows = [flow for flow in self._flows if flow.key in present]
        if not vips:
            return
        self._owed += seconds * self._rate
        due = int(self._owed)
        self._owed -= due
        burst = -(-due // _BURSTS_PER_TICK)
        while due > 0:
            self._send(vips, min(burst, due))
            due -= burst

    def _send(self, vips: Sequence[Vip], count: int) -> None:
        draw = self._random
        if draw.random() < _DIRECT:
            flow = self._direct_flow(draw.choice(vips))
            if flow is not None:
                self._vpp.forwarding.send(flow.thread, draw.choice(flow.packets), count)
                return
        room = min(FLOWS_MAX, _FLOWS_PER_VIP * len(vips)) - len(self._flows)
        if not self._flows or (room > 0 and draw.random() < _STARTS):
            self._flows.append(self._new_flow(draw.choice(vips).key))
        at = draw.randrange(len(self._flows))
        flow = self._flows[at]
        self._vpp.forwarding.send(flow.thread, draw.choice(flow.packets), count)
        if draw.random() < _ENDS:
            self._flows[at] = self._flows[-1]
            self._flows.pop()

    def _new_flow(self, key: VipKey) -> _Flow:
        size = 4 if key.prefix.is_ip4 else 16
        host = self._random.getrandbits(size * 8 - key.prefix.length)
        dst = int.from_bytes(key.prefix.address[-size:], "big") | host
        every_port = key.port == ANY_PORT
        return self._flow(
            key,
            dst.to_bytes(size, "big"),
            _TCP if every_port else key.protocol,
            _HTTPS if every_port else key.port,
        )

    def _direct_flow(self, vip: Vip) -> _Flow | None:
        servers = [server for _, server in self._vpp.lb.servers(vip) if server.used]
        if not servers:
            return None
        address = self._random.choice(servers).address
        return self._flow(vip.key, address[12:] if ip46.is_ip4(address) else address, _TCP, _HTTPS)

    def _flow(self, key: VipKey, dst: bytes, protocol: int, dport: int) -> _Flow:
        draw, clients = self._random, _CLIENTS[4 if len(dst) == 4 else 6]
        src = int(clients.network_address) | draw.getrandbits(clients.max_prefixlen - clients.prefixlen)
        source, sport = src.to_bytes(len(dst), "big"), draw.randrange(1024, 65536)
        serving = self._vpp.workers.serving
        # As a network card spreads flows over queues: by a hash of its own.
        thread = serving[crc32(source + dst + sport.to_bytes(2, "big")) % len(serving)]
        return _Flow(key, thread, [Packet(source, dst, protocol, sport, dport, length) for length in _LENGTHS])
