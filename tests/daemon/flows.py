"""An embedded VPP with flows under way: of each packet it is seen who took it, and of each request what it changes.

VPP and its flows run in a thread of the test's process, whatever becomes of maglevd. A flow belongs where its first
packet went; a packet that goes elsewhere is noted, and so is one that nobody takes.
"""

import ipaddress
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from maglev.emulator import ip46
from maglev.emulator.api import Answers, Api, _vip_key
from maglev.emulator.faults import parse_fault
from maglev.emulator.flowhash import Packet
from maglev.emulator.lb import COUNTER_NAMES
from maglev.emulator.service import Emulator, EmulatorConfig, serve
from maglev.emulator.vip import ANY_PORT, Vip, VipKey
from maglev.emulator.wire import Fields
from tests.processes import until

WORKERS = 3
LONG = 25  # flows of each VIP that last all the time
COMING = 2  # that begin in each round, and last for so many:
LASTING = 8
PAUSE_S = 0.05  # between two rounds; nothing depends on its length
BURST = 2

_CLIENTS = {4: ipaddress.ip_address("198.18.0.0"), 6: ipaddress.ip_address("2001:2::")}
_WRITES = ("lb_conf", "lb_add_del_vip_v2", "lb_add_del_as_v2", "lb_as_set_weight", "lb_flush_vip")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changes something; `what` is its name without what all have, and what is asked for."""

    vip: str
    what: str


@dataclass(frozen=True, slots=True)
class Share:
    """A VIP as VPP has it: its pool slot, its backends' weights, and who has each bucket of its new flows."""

    index: int
    weights: dict[str, int]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """One that was once at `backend`."""

    vip: str
    thread: int
    packet: Packet
    backend: str


class Router:
    """One embedded VPP, for as long as `running`; `table`, `flows` and the rest may be asked from the test's thread."""

    def __init__(self, api: Path, stats: Path) -> None:
        self.api, self.stats = api, stats
        self.writes: list[Write] = []
        """What VPP was asked for and did, or refused."""
        self.moved: list[str] = []
        self.lost: list[str] = []
        self.rounds = 0
        self._numbers = itertools.count(1)
        self._long: dict[str, Flow] = {}
        self._short: list[Flow] = []
        self._flowing = trio.CancelScope()

    @contextmanager
    def running(self) -> Iterator["Router"]:
        """Starts without VIPs, as a VPP does. At the end it is gone, and its flows with it."""
        up = threading.Event()
        stop = trio.CancelScope()

        async def main() -> None:
            with stop:
                async with trio.open_nursery() as nursery:
                    config = EmulatorConfig(str(self.api), str(self.stats), workers=WORKERS)
                    self._emulator: Emulator = await nursery.start(serve, config)
                    self._nursery = nursery
                    self._token = trio.lowlevel.current_trio_token()
                    up.set()
                    await trio.sleep_forever()

        thread = threading.Thread(target=trio.run, args=(main,))
        with self._watched():
            thread.start()
            assert up.wait(10)
            try:
                yield self
            finally:
                self._do(stop.cancel)
                thread.join()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """With long flows to each VIP there is, and others that come and go."""
        self._flowing = trio.CancelScope()
        self._do(self._begin)
        self._do(lambda: self._nursery.start_soon(self._flow, self._flowing))
        try:
            yield
        finally:
            self._do(self._flowing.cancel)

    def order(self, *faults: str) -> None:
        """VPP goes wrong so from now on."""
        self._do(lambda: self._emulator.faults.order(*map(parse_fault, faults)))

    @property
    def struck(self) -> int:
        """How often it went wrong."""
        return self._emulator.faults.struck

    def table(self) -> dict[str, Share]:
        """All VIPs in use."""
        return self._do(lambda: {_name(vip.key): self._share(vip) for vip in self._vips()})

    def where(self) -> dict[str, str]:
        """The long flows, each with the backend that took its last packet."""
        return self._do(lambda: {name: flow.backend for name, flow in self._long.items()})

    def dropped(self) -> dict[str, int]:
        """Packets of flows that VPP could not remember, or had no backend for, over all VIPs."""
        return self._do(
            lambda: {
                name: sum(counter.get(vip.index) for vip in self._vips())
                for name, counter in zip(COUNTER_NAMES, self._emulator.vpp.lb.counters, strict=True)
                if name in ("untracked packet", "no server configured")
            }
        )

    def by_hand(self, vip: str, backend: str, weight: int) -> None:
        """Somebody else gives a backend another weight."""
        key = next(each.key for each in self._do(self._vips) if _name(each.key) == vip)
        address = ip46.decode(*_family(ipaddress.ip_address(backend).packed))
        assert self._do(lambda: self._emulator.vpp.lb.set_weight(key, address, weight, flush=False)) == 0

    def until_all_flowed(self) -> None:
        """Each flow that lasts has sent a packet since, and new ones came."""
        begun = self.rounds
        until(lambda: self.rounds >= begun + 2, lambda: "two rounds of packets")

    def _do(self, call: Callable[[], T]) -> T:
        return trio.from_thread.run_sync(call, trio_token=self._token)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        answer = Api.answer

        def noted(api: Api, name: str, request: Fields) -> Answers | None:
            if name in _WRITES:
                self.writes.append(_write(name, request))
            return answer(api, name, request)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Api, "answer", noted)
            yield

    def _vips(self) -> list[Vip]:
        return [vip for vip in self._emulator.vpp.lb.vips if vip.used]

    def _share(self, vip: Vip) -> Share:
        lb = self._emulator.vpp.lb
        text = {index: ip46.text(server.address) for index, server in lb.servers(vip)}
        weights = {text[index]: server.weight for index, server in lb.servers(vip) if server.used}
        owners = tuple(text.get(vip.owner(bucket), "") for bucket in range(vip.table_length))
        return Share(vip.index, dict(sorted(weights.items())), owners)

    def _begin(self) -> None:
        self._long, self._short = {}, []
        self.moved.clear()
        self.lost.clear()
        for vip in self._vips():
            for number in range(LONG):
                self._long[f"{_name(vip.key)} #{number}"] = self._arriving(vip)

    async def _flow(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                await trio.sleep(PAUSE_S)
                for flow in (*self._long.values(), *self._short):
                    self._next(flow)
                    await trio.lowlevel.checkpoint()
                for vip in self._vips():
                    self._short += [self._arriving(vip) for _ in range(COMING)]
                self._short = self._short[-LASTING * COMING * len(self._vips()) :]
                self.rounds += 1

    def _arriving(self, vip: Vip) -> Flow:
        number = next(self._numbers)
        packet = _packet(vip.key, number)
        thread = 1 + number % WORKERS
        return Flow(_name(vip.key), thread, packet, self._sent(_name(vip.key), thread, packet))

    def _next(self, flow: Flow) -> None:
        taker = self._sent(flow.vip, flow.thread, flow.packet)
        if taker != flow.backend:
            self.moved.append(f"{flow.vip} from port {flow.packet.sport}: from {flow.backend} to {taker or 'nobody'}")

    def _sent(self, vip: str, thread: int, packet: Packet) -> str:
        """Who took it, by VPP's own counters."""
        vpp = self._emulator.vpp
        routes = {server.route.index: server.address for each in vpp.lb.vips for _, server in vpp.lb.servers(each)}
        before = {index: vpp.fib.via.get(index)[0] for index in routes}
        vpp.forwarding.send(thread, packet, BURST)
        took = [address for index, address in routes.items() if vpp.fib.via.get(index)[0] == before[index] + BURST]
        if len(took) != 1:
            self.lost.append(f"{vip} from port {packet.sport}: taken by {len(took)}")
        return ip46.text(took[0]) if took else ""


def _packet(key: VipKey, number: int) -> Packet:
    size = 4 if key.prefix.is_ip4 else 16
    source = _CLIENTS[4 if size == 4 else 6] + number
    host = number % (1 << (8 * size - key.prefix.length))
    dst = (int.from_bytes(key.prefix.address[-size:], "big") | host).to_bytes(size, "big")
    protocol, port = (6, 8443) if key.port == ANY_PORT else (key.protocol, key.port)
    return Packet(source.packed, dst, protocol, 1024 + number % 60000, port, 100)


def _name(key: VipKey) -> str:
    return f"{key.prefix} {key.protocol} {key.port}"


def _family(packed: bytes) -> tuple[int, bytes]:
    return (0, packed.ljust(16, b"\0")) if len(packed) == 4 else (1, packed)


def _write(name: str, request: Fields) -> Write:
    if name == "lb_conf":
        return Write("", "lb_conf")
    key = _vip_key(request)
    assert key is not None
    words = [name.removeprefix("lb_")]
    if "as_address" in request:
        address = request["as_address"]
        words.append(ip46.text(ip46.decode(address.af, address.un.ip6)))
    words += [f"{field}={request[field]:d}" for field in ("is_del", "weight", "is_flush") if field in request]
    return Write(_name(key), " ".join(words))
