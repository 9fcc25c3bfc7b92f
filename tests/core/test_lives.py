"""What samples say of a random history, held against a simple VPP that knows when each of its counters was zero."""

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Generic, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.core import lives
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
    """A slot of VPP: what it counted since it was zero last."""

    zero_at: int
    figures: list[int]


@dataclass
class Places(Generic[K]):
    """Slots of one kind and who has them. Nobody gets a slot that an index known to us may still point to."""

    width: int
    slots: dict[int, Counter] = field(default_factory=dict)
    of: dict[K, int] = field(default_factory=dict)
    lingering: set[int] = field(default_factory=set)

    def make(self, name: K, now: int, again: int | None = None) -> None:
        taken = {*self.of.values(), *self.lingering} - {again}
        index = next(index for index in range(1, 99) if index not in taken) if again is None else again
        self.slots[index] = Counter(now, [0] * self.width)
        self.of[name] = index

    def drop(self, name: K) -> None:
        self.lingering.add(self.of.pop(name))

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
        self.used: set[IPAddress] = set()
        self.backends.make(NEIGHBOUR, now)  # counted whether a VIP uses it or not

    def flip_vip(self, key: VipKey, now: int) -> Op:
        if key in self.vips.of:
            self.vips.drop(key)
            if not any(other.prefix == key.prefix for other in self.vips.of):
                self.routes.drop(key.prefix)
            return DelVip(key, "")
        self.vips.make(key, now)
        if key.prefix not in self.routes.of:
            self.routes.make(key.prefix, now)
        return AddVip(key, Encap.GRE4, False, 1024)

    def flip_backend(self, address: IPAddress, now: int) -> Op:
        if address in self.used:
            self.used.remove(address)
            if address != NEIGHBOUR:
                self.backends.drop(address)
            return DelBackend(VIPS[0], address)
        self.used.add(address)
        if address not in self.backends.of:
            self.backends.make(address, now)
        return AddBackend(VIPS[0], address, 1)

    def places(self, now: int) -> Indexes:
        backends = {address: index for address, index in self.backends.of.items() if address in self.used}
        return Indexes(dict(self.vips.of), dict(self.routes.of), backends, now)


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

    def act(self, what: str, which: int) -> None:
        self.now += 1
        getattr(self, what)(which)

    def traffic(self, which: int) -> None:
        for slots in (self.vpp.vips.slots, self.vpp.routes.slots, self.vpp.backends.slots):
            for index, slot in slots.items():
                if (which >> index) & 1:
                    slot.figures = [figure + 1 + which for figure in slot.figures]

    def write_vip(self, which: int) -> None:
        self._written(self.vpp.flip_vip(VIPS[which % 3], self.now))

    def write_backend(self, which: int) -> None:
        self._written(self.vpp.flip_backend(BACKENDS[which % 3], self.now))

    def _written(self, op: Op) -> None:
        self.moved.add([op])
        self.indexes = self.indexes.without(Moved([op])) if self.indexes else None

    def vip_by_hand(self, which: int) -> None:
        self.vpp.flip_vip(VIPS[which % 3], self.now)

    def backend_by_hand(self, which: int) -> None:
        self.vpp.flip_backend(BACKENDS[which % 3], self.now)

    def made_anew_by_hand(self, which: int) -> None:
        """At other indexes."""
        for _ in range(2 if VIPS[which % 3] in self.vpp.vips.of else 1):
            self.vip_by_hand(which)
        for _ in range(2 if BACKENDS[which % 3] in self.vpp.used else 1):
            self.backend_by_hand(which)

    def made_anew_in_place(self, which: int) -> None:
        prefix, address = VIPS[which % 3].prefix, BACKENDS[which % 3]
        if prefix in self.vpp.routes.of:
            self.vpp.routes.make(prefix, self.now, self.vpp.routes.of[prefix])
        if address in self.vpp.backends.of:
            self.vpp.backends.make(address, self.now, self.vpp.backends.of[address])

    def cleared(self, which: int) -> None:
        (self.vpp.vips.clear, self.vpp.routes.clear, self.vpp.backends.clear)[which % 3](self.now)

    def audit_begins(self, _: int) -> None:
        self.begun, self.moved = self.vpp.places(self.now), Moved()

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
        self.vpp.vips.lingering &= set(indexes.vips.values())
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
                self._see((key, "route"), vip.route_since_ns, slot.figures, slot)
        for address, backend in sample.backends.items():
            slot = vpp.backends.slots[indexes.backends[address]]
            volumes = (backend.forwarded, backend.direct)
            assert [figure for each in volumes for figure in (each.packets, each.bytes)] == slot.figures
            assert backend.index == indexes.backends[address]
            self._see(address, backend.since_ns, slot.figures, slot)

    def _see(self, name: object, since: int | None, figures: list[int], slot: Counter) -> None:
        """The claim: what is told was counted since `since`, and under that `since` no figure ever falls."""
        if since is None:
            assert not self.tells_boottime or lives.REMEMBERED == 1
            return
        assert since <= slot.zero_at
        assert since >= self.vpp.boottime or not self.tells_boottime
        assert since <= self.now
        before = self.told[name, since]
        assert all(old <= new for old, new in zip(before, figures, strict=False))
        self.told[name, since] = figures


ACTIONS = ["write_vip", "write_backend", "vip_by_hand", "backend_by_hand", "made_anew_by_hand", "made_anew_in_place"]
ACTIONS += ["cleared", "audit_begins", "audit_ends", "audit", "audit", "tell_boottime", "traffic", "traffic", "restart"]
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
        patch.setattr(lives, "REMEMBERED", 1)
        live_through(history)
