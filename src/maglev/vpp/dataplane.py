"""VPP's LB table: read whole (audit), and changed op by op (execute); must not know why, nor when to try again.

An audit puts together what no single source tells: the dumps (which VIPs and backends live), the CLI listing (pool
index, src_ip_sticky, flows, load-balance index), and the FIB (where a VIP's prefix is counted). It stops VPP's workers
for milliseconds per thousand VIPs, so it is to be rare.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Protocol, TypeVar

import trio

from maglev.core.counters import Indexes
from maglev.core.events import ListingUnreadable
from maglev.core.model import IPAddress, IPNetwork, LbConf, VipKey
from maglev.core.plan import Observed, ObservedBackend, ObservedVip, Op, SetConf
from maglev.errors import ProtocolError, Refused
from maglev.vpp.listing import ListedVip, parse_listing
from maglev.vpp.records import BackendRecord, Records, VipRecord
from maglev.vpp.retvals import NO_SUCH_ENTRY, refusal
from maglev.vpp.transport import Answer, Ask, Call, Emit

LISTING = "show lb vips verbose"
K = TypeVar("K")
SLICE = 256
"""Answers read at a time before others get their turn."""


class Transport(Protocol):
    """What carries our questions to VPP."""

    async def exchange(self, asks: Iterable[Ask], sent: Callable[[], None] = lambda: None) -> list[Answer]:
        """Send all in order, return the answers in order; `sent` is called once nobody can come before them."""
        ...

    def stream(self, calls: Iterable[Call]) -> AsyncGenerator[list[bytes], None]:
        """Send all in order, yield the replies in order, some at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Audit:
    """One reading of VPP's LB table; `indexes` is None when VPP's listing could not be understood.

    `cost_s` is from our questions to VPP's last answer, so at least as long as its workers stood still.
    """

    observed: Observed
    indexes: Indexes | None
    cost_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The live VIPs of the listing; the load-balance index of each backend, and the pool indexes of all its VIPs."""

    vips: Mapping[VipKey, ListedVip]
    backends: Mapping[IPAddress, int]
    users: Mapping[IPAddress, list[int]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the first questions told, and the routes to ask for next; `fault` says why there is no `listed`."""

    conf: LbConf
    vips: list[VipRecord]
    backends: Mapping[VipKey, list[BackendRecord]]
    listed: _Listed | None
    fault: str
    lookups: Mapping[IPNetwork, Call]


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a VIP's prefix is counted, for as long as the VIPs on it have these pool indexes.

    A VIP that is deleted and made again gets another pool index, as its old slot is kept for a minute.
    """

    slots: frozenset[int]
    index: int


class LbTable:
    """The LB table of the VPP behind `transport`."""

    def __init__(self, transport: Transport, records: Records, emit: Emit) -> None:
        self._transport = transport
        self._records = records
        self._emit = emit
        self._routes: Mapping[IPNetwork, _Route] = {}
        self._counted: Mapping[IPNetwork, int] = {}
        self._told: Indexes | None = None
        self._places: Mapping[VipKey, int] | None = None  # of the audit that all these routes are of; None: not all

    def close(self) -> None:
        """Let go of what is kept from audit to audit; who holds us may be garbage for long."""
        self._routes, self._counted, self._places, self._told = {}, {}, None, None

    async def audit(self, begun: Callable[[], None] = lambda: None) -> Audit:
        """Read everything. Raises Unavailable or ProtocolError; a listing that cannot be read is only told.

        What is asked of VPP after `begun` was called, VPP does after it has told its table.
        """
        records = self._records
        asks = (records.conf, records.vips, records.backends, records.cli(LISTING))
        asked_at = trio.current_time()
        answers = await self._transport.exchange(asks, begun)
        cost_s = trio.current_time() - asked_at
        # Tens of thousands of records: probes must not wait for them, so all work on them is done in a thread.
        reading = await trio.to_thread.run_sync(self._read, answers)
        if reading.listed is None:
            self._emit(ListingUnreadable(reading.fault))
        asked_at = trio.current_time()
        routes = await self._transport.exchange(list(reading.lookups.values()))
        cost_s += trio.current_time() - asked_at
        return replace(await trio.to_thread.run_sync(self._together, reading, routes), cost_s=cost_s)

    async def execute(self, ops: Iterable[Op]) -> list[Refused | None]:
        """Send `ops` in order; one answer per op, None for done. Raises Unavailable or ProtocolError."""
        async with aclosing(self.stream(ops)) as chunks:
            return [answer async for chunk in chunks for _, answer in chunk]

    async def stream(self, ops: Iterable[Op]) -> AsyncGenerator[list[tuple[Op, Refused | None]], None]:
        """The same, but yields each op with its answer as they come, in order, some at a time.

        Ops are taken and made ready a few at a time, while VPP works on those before: an iterator may make them, and
        end when it likes.
        """
        taken: deque[tuple[Op, Call | Refused]] = deque()

        def calls() -> Iterator[Call]:
            for op in ops:
                call = self._prepared(op)
                taken.append((op, call))
                if isinstance(call, Call):
                    yield call

        async with aclosing(self._transport.stream(calls())) as chunks:
            async for replies in chunks:
                yield [answer for reply in replies for answer in self._answered(taken, reply)]
        if taken:
            yield list(self._answered(taken, None))

    def _answered(
        self, taken: deque[tuple[Op, Call | Refused]], reply: bytes | None
    ) -> Iterator[tuple[Op, Refused | None]]:
        """Take off what was refused without asking VPP, and what `reply` answers."""
        while taken:
            op, call = taken.popleft()
            if isinstance(call, Refused):
                yield op, call
            elif reply is not None:
                yield op, self._answer(op, call, reply)
                return

    async def cli(self, command: str) -> str:
        """The output of a CLI command. Raises Refused when VPP does not know it."""
        (answer,) = await self._transport.exchange((self._records.cli(command),))
        retval, output = self._records.read_cli(answer[0])
        if retval:
            raise Refused("VPP refused a CLI command", command=command, retval=retval, seen=output.strip())
        return output

    def _prepared(self, op: Op) -> Call | Refused:
        try:
            return self._records.op(op)
        except Refused as error:
            return error

    def _answer(self, op: Op, call: Call, reply: bytes) -> Refused | None:
        retval = self._records.retval(reply)
        if not retval:
            return None
        asked: dict[str, object] = {} if isinstance(op, SetConf) else {"vip": op.vip}
        backend = getattr(op, "backend", None)
        return refusal(call.message, retval, **asked, **({"backend": backend} if backend else {}))

    def _read(self, answers: list[Answer]) -> _Reading:
        conf, vips, backends, listing = answers
        live = self._records.read_vips(vips)
        by_vip = self._records.read_backends(backends)
        listed, fault = None, ""
        try:
            listed = _live(self._records.read_cli(listing[0]), {vip.key: vip.key for vip in live})
        except ProtocolError as error:
            fault = str(error)
        lookups = {
            prefix: self._records.route(prefix) for prefix in self._unknown_routes(listed.vips if listed else {})
        }
        return _Reading(self._records.read_conf(conf[0]), live, by_vip, listed, fault, lookups)

    def _unknown_routes(self, listed: Mapping[VipKey, ListedVip]) -> list[IPNetwork]:
        """Prefixes to look up, in numeric order; each look-up stops VPP's workers, so no known one is asked again."""
        if _places(listed) == self._places:
            return []
        slots = _slots(listed)
        unknown = [p for p in slots if (known := self._routes.get(p)) is None or known.slots != slots[p]]
        return sorted(unknown, key=lambda prefix: (prefix.version, prefix))

    def _together(self, reading: _Reading, answers: list[Answer]) -> Audit:
        if reading.listed is None:
            return Audit(_observed(reading), None)
        places = _places(reading.listed.vips)
        if places != self._places:
            self._routes = self._looked_up(reading, _slots(reading.listed.vips), answers)
            self._counted = _by_index({prefix: route.index for prefix, route in self._routes.items()})
            # Where a look-up told nothing, the next audit is to ask again.
            self._places = places if all(key.prefix in self._counted for key in places) else None
        indexes = Indexes(places, self._counted, reading.listed.backends, users=reading.listed.users)
        # Here, in a thread: to compare 50,000 keys takes some 50 ms, and the very same maps are seen to be equal.
        self._told = indexes if self._told is None else indexes.like(self._told)
        return Audit(_observed(reading), self._told)

    def _looked_up(
        self, reading: _Reading, slots: Mapping[IPNetwork, frozenset[int]], answers: list[Answer]
    ) -> dict[IPNetwork, _Route]:
        routes = {prefix: route for prefix, route in self._routes.items() if slots.get(prefix) == route.slots}
        for prefix, answer in zip(reading.lookups, answers, strict=True):
            retval, index = self._records.read_route(answer[0])
            if retval == NO_SUCH_ENTRY:  # deleted since the dump
                continue
            if retval:
                raise ProtocolError("VPP does not tell a route", prefix=prefix, retval=retval)
            routes[prefix] = _Route(slots[prefix], index)
        return routes


def _places(listed: Mapping[VipKey, ListedVip]) -> dict[VipKey, int]:
    """The pool index of each VIP."""
    return _by_index({key: vip.index for key, vip in listed.items()})


def _by_index(places: Mapping[K, int]) -> dict[K, int]:
    return dict(sorted(places.items(), key=itemgetter(1)))


def _slots(listed: Mapping[VipKey, ListedVip]) -> dict[IPNetwork, frozenset[int]]:
    """The pool indexes of the VIPs on each prefix."""
    slots: dict[IPNetwork, frozenset[int]] = {}
    for key, vip in listed.items():
        slots[key.prefix] = slots.get(key.prefix, frozenset()) | {vip.index}
    return slots


def _live(answer: tuple[int, str], dumped: Mapping[VipKey, VipKey]) -> _Listed:
    """The live VIPs of the listing, if they are those of the dump, and each backend has one load-balance index.

    The keys are the dump's own, which are quick to look up.
    """
    retval, text = answer
    if retval:
        raise ProtocolError("VPP does not list its VIPs", command=LISTING, retval=retval, seen=repr(text[:200]))
    live: dict[VipKey, ListedVip] = {}
    users: dict[IPAddress, list[int]] = {}  # those deleted keep the load-balance until VPP collects them
    for vip in parse_listing(text):
        for backend in vip.backends:
            users.setdefault(backend.address, []).append(vip.index)
        if vip.is_live and live.setdefault(dumped.get(vip.key, vip.key), vip) is not vip:
            raise ProtocolError("VPP lists one VIP twice", vip=vip.key)
    if live.keys() != dumped.keys():
        odd = sorted(live.keys() ^ dumped.keys(), key=lambda key: key.order)
        raise ProtocolError(
            "VPP's listing and its dump name different VIPs", listed=len(live), dumped=len(dumped), first=odd[0]
        )
    seen: dict[IPAddress, int] = {}
    for vip in live.values():
        for backend in vip.backends:
            if backend.is_live and seen.setdefault(backend.address, backend.dpo) != backend.dpo:
                raise ProtocolError("VPP lists a backend with two load-balance indexes", backend=backend.address)
    return _Listed(live, _by_index(seen), users)


def _observed(reading: _Reading) -> Observed:
    vips: dict[VipKey, ObservedVip] = {}
    for key, encap, table_length in reading.vips:
        listed = reading.listed.vips[key] if reading.listed is not None else None
        flows = {b.address: b.flows for b in listed.backends if b.is_live} if listed else {}
        vips[key] = ObservedVip(
            encap,
            listed.src_ip_sticky if listed else None,
            # The dump has 16 bits for it: 65536 comes back as 0, and so would any longer one.
            listed.table_length if listed else table_length or 65536,
            {
                address: ObservedBackend(weight, False, buckets, flows.get(address))
                for address, weight, buckets in reading.backends.get(key, ())
            },
        )
    return Observed(reading.conf, vips)
