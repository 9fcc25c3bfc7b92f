"""A data plane that refuses what VPP would refuse, and builders of small values."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from itertools import count, islice
from typing import TypeVar

import trio

from maglev.control.checker import Fleet
from maglev.control.lag import Lag
from maglev.control.ports import Clock
from maglev.core.counters import Indexes
from maglev.core.events import Event
from maglev.core.model import (
    TCP,
    Backend,
    Encap,
    Frontend,
    HealthCheck,
    IPAddress,
    LbConf,
    Policy,
    Pool,
    ProbeResult,
    TcpSpec,
    Timing,
    VipKey,
)
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Observed, Op, SetConf, SetWeight, advance
from maglev.errors import Refused, Unavailable

E = TypeVar("E")

BURST = 512  # operations that the fake takes at a time

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
CHECK = HealthCheck("tcp", TcpSpec(80, None), Timing(10, 1, 5, 1), Policy(2, 3), None, None)
VIP = VipKey(IPv4Network("192.0.2.1/32"), TCP, 80)
VIP2 = VipKey(IPv4Network("192.0.2.2/32"), TCP, 80)
PASS = ProbeResult(True, "L4OK", "connected", 0.01)
FAIL = ProbeResult(False, "L4CON", "refused", 0.01)
CANNOT_ASK = ProbeResult(None, "SOCKERR", "cannot open a socket: Too many open files", 0.0)


def backend(number: int, *, check: HealthCheck | None = CHECK, enabled: bool = True) -> Backend:
    return Backend(f"b{number}", IPv4Address(f"10.0.0.{number}"), check, enabled)


def frontend(name: str, vip: VipKey, *pools: dict[str, int]) -> Frontend:
    named = tuple(Pool(f"p{n}", weights) for n, weights in enumerate(pools))
    return Frontend(name, "", vip, named, Encap.GRE4, src_ip_sticky=False, flush_on_down=True)


def fleet(backends: Sequence[Backend], frontends: Sequence[Frontend] = (), history: int = 3) -> Fleet:
    return Fleet({b.name: b for b in backends}, {f.name: f for f in frontends}, history)


def punctual() -> Lag:
    """A measure of lateness that is never late, as it does not run."""
    return Lag(lambda _: None, lambda _: None)


def clock() -> Clock:
    return Clock(lambda: int(trio.current_time() * 1e9), lambda: 0.5)


@dataclass
class FakeVpp:
    """Holds a table, obeys its rules, and counts what it was asked; `deny` may answer no."""

    table: Observed = field(default_factory=lambda: Observed(None, {}))
    audits: int = 0
    executed: list[Op] = field(default_factory=list)
    deny: Callable[[Op], str] = lambda op: ""
    is_lost: bool = False
    cost_s: float = 0.0
    places: dict[VipKey | IPAddress, int] = field(default_factory=dict)
    free: Iterator[int] = field(default_factory=lambda: count(1))
    indexes: Indexes | None = field(default_factory=lambda: Indexes({}, {}, {}))

    @property
    def observed(self) -> Observed:
        return self.table

    async def audit(self, begun: Callable[[], None] = lambda: None) -> "FakeVpp":
        await trio.lowlevel.checkpoint()
        if self.is_lost:
            raise Unavailable("the session is lost")
        begun()
        self.audits += 1
        for name in (*self.table.vips, *(a for vip in self.table.vips.values() for a in vip.backends)):
            self.places.setdefault(name, next(self.free))
        vips = {key: self.places[key] for key in self.table.vips}
        routes = {key.prefix: self.places[key] for key in vips}
        backends = {a: self.places[a] for vip in self.table.vips.values() for a in vip.backends}
        self.indexes = Indexes(vips, routes, backends)
        return FakeVpp(_as_vpp_tells_it(self.table), cost_s=self.cost_s, indexes=self.indexes)

    async def execute(self, ops: Sequence[Op]) -> list[Refused | None]:
        await trio.lowlevel.checkpoint()
        if self.is_lost:
            raise Unavailable("the session is lost")
        return [self._one(op) for op in ops]

    async def stream(self, ops: Iterable[Op]) -> AsyncGenerator[list[tuple[Op, Refused | None]], None]:
        taken = iter(ops)
        while burst := list(islice(taken, BURST)):
            yield list(zip(burst, await self.execute(burst), strict=True))

    def _one(self, op: Op) -> Refused | None:
        self.executed.append(op)
        reason = self.deny(op) or self._rule(op)
        if reason:
            return Refused(reason)
        self.table = advance(self.table, [op])
        if isinstance(op, AddVip):
            self.places.pop(op.vip, None)  # it gets another slot
        return None

    def _rule(self, op: Op) -> str:
        vips = self.table.vips
        match op:
            case AddVip(vip):
                return "exists" if vip in vips else ""
            case DelVip(vip):
                return "no such VIP" if vip not in vips else "has backends" if vips[vip].backends else ""
            case AddBackend(vip, address):
                return "no such VIP" if vip not in vips else "exists" if address in vips[vip].backends else ""
            case DelBackend(vip, address) | SetWeight(vip, address):
                return "" if vip in vips and address in vips[vip].backends else "no such entry"
            case SetConf():
                return ""

    def weights(self, vip: VipKey) -> dict[str, int]:
        return {str(address): b.weight for address, b in self.table.vips[vip].backends.items()}


class SlowVpp(FakeVpp):
    """Takes `cost_s` to tell its table."""

    async def audit(self, begun: Callable[[], None] = lambda: None) -> FakeVpp:
        told: FakeVpp = await super().audit(begun)
        await trio.sleep(self.cost_s)
        return told


def _as_vpp_tells_it(table: Observed) -> Observed:
    """Without what only we can know: which backends were flushed."""
    return Observed(
        table.conf,
        {
            key: replace(vip, backends={a: replace(b, is_flushed=False) for a, b in vip.backends.items()})
            for key, vip in table.vips.items()
        },
    )


@dataclass
class Journal:
    """Collects events."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class FakeProbes:
    """Answers PASS unless an address is in `down`, and nothing while we `cannot_ask`; counts probes per address."""

    def __init__(self) -> None:
        self.down: set[IPAddress] = set()
        self.cannot_ask = False
        self.count: dict[IPAddress, int] = {}

    async def __call__(self, check: HealthCheck, address: IPAddress) -> ProbeResult:
        await trio.lowlevel.checkpoint()
        self.count[address] = self.count.get(address, 0) + 1
        if self.cannot_ask:
            return CANNOT_ASK
        return FAIL if address in self.down else PASS
