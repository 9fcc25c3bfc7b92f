"""What samples say of a random history, held against a simple VPP that knows when each of its counters was zero."""

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Generic, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.core import life
from maglev.core.counters import Figures, Indexes, Moved, Sample
from maglev.core.lives import Lives
from maglev.core.model import TCP, Encap, IPAddress, IPNetwork, VipKey
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, Op

VIPS = [VipKey(ip_network(prefix), TCP, port) for prefix, port in (("192.0.2.1/32", 80), ("192.0.2.1/32", 443))]
VIPS.append(VipKey(ip_network("2001:db8::1/128"), TCP, 80))
BACKENDS: list[IPAddress] = [ip_address("10.0.0.1"), ip_address("10.0.0.2"), ip_address("2001:db8::2")]
NEIGHBOUR = BACKENDS[2]

K = TypeVar("K")
Acts = list[tuple[str, int, bool]]


@dataclass
class Counter:
    """A slot of VPP: what it counted since it was zero last, and when whoever has it came."""

    zero_at: int
    figures: list[int]
    born_at: int = 0

    def __post_init__(self) -> None:
        self.born_at = self.zero_at


@dataclass
class Places(Generic[K]):
    """Slots of one kind and who has them. Nobody gets a slot that an index known to us may still point to.

    But to its old owner, if it is asked so.
    """

    width: int
    slots: dict[int, Counter] = field(default_factory=dict)
    of: dict[K, int] = field(default_factory=dict)
    lingering: set[int] = field(default_factory=set)
    last: dict[K, int] = field(default_factory=dict)

    def make(self, name: K, now: int, *, again: bool = False) -> int:
        index = self.last.get(name) if again else None
        if index is None or index in self.of.values():
            taken = {*self.of.values(), *self.lingering}
            index = next(index for index in range(1, 999) if index not in taken)
        self.slots[index] = Counter(now, [0] * self.width)
        self.of[name] = self.last[name] = index
        return index

    def drop(self, name: K) -> int:
        self.lingering.add(self.of[name])
        return self.of.pop(name)

    def clear_one(self, name: K, now: int) -> None:
        slot = self.slots[self.of[name]]
        slot.zero_at, slot.figures = now, [0] * self.width

    def clear(self, now: int) -> None:
        for slot in self.slots.values():
            slot.zero_at, slot.figures = now, [0] * self.width


class Vpp:
    """Counts, and is written by us and by hand."""

    def __init__(self, now: int) -> None:
        self.boottime = now
        self.vips: Places[VipKey] = Places(4)
        self.routes: Places[IPNetwork] = Places(2)
        self.backends: Places[IPAddress] = Places(4)
        self.vips.slots[0] = Counter(now, [0, 0, 0, 0])
        self.live: set[tuple[IPAddress, VipKey]] = set()
        self.dead: set[tuple[IPAddress, int]] = set()  # of which VIP's slot; until they are collected
        self.cooling: dict[int, int] = {}  # slots that were collected, for how many audits nobody gets them
        self.reuses = False
        self.backends.make(NEIGHBOUR, now)  # counted whether a VIP uses it or not

    def flip_vip(self, key: VipKey, now: int) -> list[Op]:
        if key in self.vips.of:
            users = [address for address in BACKENDS if (address, key) in self.live]
            ops = [op for address in users for op in self.flip_backend(address, key, now)]
            self.vips.drop(key)
            if not any(other.prefix == key.prefix for other in self.vips.of):
                self.routes.drop(key.prefix)
            return [*ops, DelVip(key, "")]
        self.vips.make(key, now)
        if key.prefix not in self.routes.of:
            self.routes.make(key.prefix, now, again=self.reuses)
        return [AddVip(key, Encap.GRE4, False, 1024)]

    def flip_backend(self, address: IPAddress, key: VipKey, now: int) -> list[Op]:
        if key not in self.vips.of:
            return []
        place = (address, self.vips.of[key])
        if (address, key) in self.live:
            self.live.remove((address, key))
            self.dead.add(place)
            return [DelBackend(key, address)]
        self.live.add((address, key))
        self.dead.discard(place)  # revived
        if address not in self.backends.of:
            self.backends.make(address, now, again=self.reuses)
        return [AddBackend(key, address, 1)]

    def collect(self) -> None:
        self.cooling |= {slot: 2 for _, slot in self.dead}
        self.dead.clear()
        for address in self.backends.of.keys() - {address for address, _ in self.live} - {NEIGHBOUR}:
            self.backends.drop(address)

    def places(self, now: int) -> Indexes:
        used = {address for address, _ in self.live}
        backends = {address: index for address, index in self.backends.of.items() if address in used}
        users: dict[IPAddress, list[int]] = {}
        for address, slot in {(address, self.vips.of[key]) for address, key in self.live} | self.dead:
            users.setdefault(address, []).append(slot)
        return Indexes(dict(self.vips.of), dict(self.routes.of), backends, now, users=users)


class History:
    """Does what it is told, at one moment each, and checks every sample."""

    def __init__(self) -> None:
        self.now = 100
        self.vpp = Vpp(self.now)
        self.subject = Lives()
        self.indexes: Indexes | None = None
        self.begun: Indexes | None = None
        self.moved = Moved()
        self.tells_boottime = True
        self.told: defaultdict[tuple[object, int | None], list[int]] = defaultdict(list)
        self.lives: dict[tuple[object, int], int] = {}  # when it was born of which that was told
        self.audits: set[int] = set()
        self.sampled: Indexes | None = None

    def act(self, what: str, which: int) -> None:
        self.now += 1
        getattr(self, what)(which)
        if self.indexes != self.sampled:
            self.sample(0)  # the sampler is woken

    def traffic(self, which: int) -> None:
        for slots in (self.vpp.vips.slots, self.vpp.routes.slots, self.vpp.backends.slots):
            for index, slot in slots.items():
                if (which >> index) & 1:
                    slot.figures = [figure + 1 + which for figure in slot.figures]

    def write_vip(self, which: int) -> None:
        self._written(self.vpp.flip_vip(VIPS[which % 3], self.now))

    def write_backend(self, which: int) -> None:
        self._written(self.vpp.flip_backend(BACKENDS[which % 3], VIPS[which // 3 % 3], self.now))

    def _written(self, ops: list[Op]) -> None:
        self.moved.add(ops)
        self.indexes = self.indexes.without(Moved(ops)) if self.indexes else None

    def vip_made_anew(self, which: int) -> None:
        """With all its backends, as we do it for another encap."""
        key = VIPS[which % 3]
        users = [address for address, user in self.vpp.live if user == key]
        if key in self.vpp.vips.of:
            self.write_vip(which)
            if which & 16:
                self.vpp.collect()
            self.write_vip(which)
            for address in users:
                self._written(self.vpp.flip_backend(address, key, self.now))

    def vip_by_hand(self, which: int) -> None:
        self.vpp.flip_vip(VIPS[which % 3], self.now)

    def backend_by_hand(self, which: int) -> None:
        self.vpp.flip_backend(BACKENDS[which % 3], VIPS[which // 3 % 3], self.now)

    def made_anew_by_hand(self, which: int) -> None:
        for _ in range(2 if VIPS[which % 3] in self.vpp.vips.of else 1):
            self.vip_by_hand(which)

    def collected(self, _: int) -> None:
        self.vpp.collect()

    def reuse(self, which: int) -> None:
        """VPP gives an index to the next who asks, who may be the one that had it, or does not."""
        self.vpp.reuses = which % 2 == 0

    def one_cleared(self, which: int) -> None:
        prefix, address = VIPS[which % 3].prefix, BACKENDS[which % 3]
        if prefix in self.vpp.routes.of:
            self.vpp.routes.clear_one(prefix, self.now)
        if address in self.vpp.backends.of:
            self.vpp.backends.clear_one(address, self.now)

    def cleared(self, which: int) -> None:
        (self.vpp.vips.clear, self.vpp.routes.clear, self.vpp.backends.clear)[which % 3](self.now)

    def audit_begins(self, _: int) -> None:
        self.begun, self.moved = self.vpp.places(self.now), Moved()
        self.audits.add(self.now)
        self.vpp.cooling = {slot: left - 1 for slot, left in self.vpp.cooling.items() if left > 1}

    def audit_ends(self, _: int) -> None:
        if self.begun is not None:
            self.indexes, self.begun = self.begun.without(self.moved), None
            self._sweep(self.indexes)

    def audit(self, which: int) -> None:
        self.audit_begins(which)
        self.audit_ends(which)

    def restart(self, which: int) -> None:
        self.vpp, self.indexes, self.begun = Vpp(self.now), None, None
        self.tells_boottime = which % 2 == 0

    def tell_boottime(self, _: int) -> None:
        self.tells_boottime = True

    def sample(self, _: int) -> None:
        if self.indexes is not None:
            self._sample(self.indexes)

    def _sweep(self, indexes: Indexes) -> None:
        """VPP gives out again what nobody has; not what the indexes that we use now still point to."""
        in_use = {*indexes.vips.values(), *self.vpp.cooling, *(slot for _, slot in self.vpp.dead)}
        self.vpp.vips.lingering &= in_use
        self.vpp.routes.lingering &= set(indexes.routes.values())
        self.vpp.backends.lingering &= set(indexes.backends.values())

    def _sample(self, indexes: Indexes) -> None:
        vpp = self.vpp

        def columns(places: Places[K], names: list[int]) -> tuple["array[int]", ...]:
            rows = [places.slots[index].figures for index in names]
            return tuple(array("Q", column) for column in zip(*rows, strict=True)) or (array("Q"),) * places.width

        vips, routes = list(indexes.vips.values()), list(indexes.routes.values())
        backends = list(indexes.backends.values())
        figures = Figures(
            self.now,
            vpp.boottime if self.tells_boottime else 0,
            indexes,
            columns(vpp.vips, vips),
            columns(vpp.routes, routes),
            columns(vpp.backends, backends),
            sum(vpp.vips.slots[0].figures),
        )
        for _ in self.subject.fold(figures):
            pass
        sample = self.subject.sample
        assert sample is not None
        self.sampled = indexes
        assert (sample.taken_at_ns, sample.boottime_ns) == (figures.taken_at_ns, figures.boottime_ns)
        assert sample.vips.keys() == indexes.vips.keys()
        assert sample.backends.keys() == indexes.backends.keys()
        self._check(sample, indexes)

    def _check(self, sample: Sample, indexes: Indexes) -> None:
        vpp = self.vpp
        self._see("unmatched", sample.unmatched_since_ns, [sample.unmatched_packets], vpp.vips.slots[0])
        for key, vip in sample.vips.items():
            slot = vpp.vips.slots[indexes.vips[key]]
            assert vip.index == indexes.vips[key]
            assert [vip.next, vip.first, vip.untracked, vip.no_server] == slot.figures
            self._see(key, vip.since_ns, slot.figures, slot)
            assert (vip.route is None) == (key.prefix not in indexes.routes)
            if vip.route is not None:
                slot = vpp.routes.slots[indexes.routes[key.prefix]]
                assert [vip.route.packets, vip.route.bytes] == slot.figures
                is_kept = any(
                    other.prefix == key.prefix
                    and vip.route_since_ns is not None
                    and vpp.vips.slots[index].zero_at < vip.route_since_ns
                    for other, index in indexes.vips.items()
                )
                self._see((key, "route"), vip.route_since_ns, slot.figures, slot, may_be_young=not is_kept)
                self._see_life(key.prefix, vip.route_since_ns, slot, indexes)
        for address, backend in sample.backends.items():
            slot = vpp.backends.slots[indexes.backends[address]]
            volumes = (backend.forwarded, backend.direct)
            assert [figure for each in volumes for figure in (each.packets, each.bytes)] == slot.figures
            assert backend.index == indexes.backends[address]
            self._see(address, backend.since_ns, slot.figures, slot, may_be_young=True)
            self._see_life(address, backend.since_ns, slot, indexes)

    def _see_life(self, name: object, since: int | None, slot: Counter, indexes: Indexes) -> None:
        """The claim: nobody was told of two lives under one `since`; but of what was done by hand since the audit."""
        if since is not None and slot.born_at <= indexes.audited_at_ns:
            assert self.lives.setdefault((name, since), slot.born_at) == slot.born_at

    def _see(
        self, name: object, since: int | None, figures: list[int], slot: Counter, *, may_be_young: bool = False
    ) -> None:
        """The claim: what is told was counted since `since`, and under that `since` no figure ever falls.

        `may_be_young`: it was told as younger than it is, as it may have gone.
        """
        if since is None:
            assert not self.tells_boottime or life.REMEMBERED == 1
            return
        assert since <= slot.zero_at or (may_be_young and since in self.audits)
        assert since >= self.vpp.boottime or not self.tells_boottime
        assert since <= self.now
        before = self.told[name, since]
        assert all(old <= new for old, new in zip(before, figures, strict=False))
        self.told[name, since] = figures


ACTIONS = ["write_vip", "write_backend", "vip_by_hand", "backend_by_hand", "made_anew_by_hand", "vip_made_anew"]
ACTIONS += [
    "vip_made_anew",
    "one_cleared",
    "collected",
    "reuse",
    "cleared",
    "audit_begins",
    "audit_ends",
    "audit",
    "audit",
    "tell_boottime",
    "traffic",
    "traffic",
    "restart",
]
BEGINNING: Acts = [("write_vip", 0, False), ("write_vip", 1, False), ("write_backend", 1, False), ("audit", 0, True)]
histories = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 63), st.booleans()), min_size=30, max_size=60)


def live_through(history: Acts) -> None:
    subject = History()
    for what, which, is_sampled in BEGINNING + history:
        subject.act(what, which)
        if is_sampled:
            subject.act("sample", 0)


@settings(max_examples=200)
@given(histories)
def test_no_figure_falls_under_one_since_and_none_is_of_an_older_life(history: Acts) -> None:
    live_through(history)


@settings(max_examples=200)
@given(histories)
def test_the_same_holds_when_too_many_names_were_away(history: Acts) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(life, "REMEMBERED", 1)
        live_through(history)
