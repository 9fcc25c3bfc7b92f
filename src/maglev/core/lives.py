"""Figures -> samples that say since when each counter has been growing; must not know where the figures are read.

The rules. What is claimed of a life is always that nobody was told of an earlier life of that name with the same
`since_ns`, and, but for rule 5, that it stood at zero then:
1. All counters of a VPP stood at zero when it started, so a name never seen since then has counted since then.
2. A VIP that the last audit but this did not find did not exist then, and VPP clears the slot that it gives a new one.
3. A counter at another index was made after the audit before, which found it at the old one.
4. A counter that fell was cleared, or made anew at the same index, after the sample before.
5. What may have gone since the audit before is told as made anew then. VPP frees the FIB entry of a prefix with its
   last VIP, and may give the next one the same index, cleared: a route goes on only if a VIP of its prefix was there
   all the while, which its pool index tells, as VPP keeps that of a deleted VIP for a minute. It frees the entry of a
   backend when it collects the last VIP, live or deleted, that uses it: a backend goes on only if both audits found one
   such VIP. What we made or deleted (it was withdrawn) did not go on because of a live one.
6. All else goes on, also over a time in which VPP was not in reach.
7. Nothing goes on over a start of VPP.

All indexes that differ from those before are to be folded, as what was withdrawn meanwhile is not seen otherwise.

Work is done in slices, between which the caller may let others have a turn; what did not change from one sample to the
next is the very same object in both.
"""

import operator
from array import array
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from maglev.core.counters import BackendCounters, Figures, Sample, VipCounters, Volume
from maglev.core.model import IPAddress, IPNetwork, VipKey

SLICE = 256  # rows between two turns of everybody else, about 1 ms
REMEMBERED = 65_536  # names of one kind that have no index now; once there are more, newcomers are of unknown age

K = TypeVar("K")
V = TypeVar("V")
Row = tuple[int, ...]
Columns = tuple["array[int]", ...]

_UNMATCHED: Mapping[None, int] = {None: 0}


@dataclass(frozen=True, slots=True)
class _Moment:
    """When a sample was taken and its VPP started, and what its indexes are worth."""

    taken_at_ns: int
    start_ns: int | None
    audited_at_ns: int
    audit: int  # audits are numbered, as the clock may be set
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Life:
    """What was last seen of one name, when, and by the indexes of which audit."""

    index: int
    row: Row
    since_ns: int | None
    seen_at_ns: int
    audited_at_ns: int
    audit: int
    held_since: int


class _Kind(Generic[K, V]):
    """The lives of one kind of counter. `is_vip`: rule 2 holds for it.

    All is in the order of `places`. `told` is what was made of each row of `columns`, None where that is to be done;
    `held_since`, the first audit of those that found this life at its index without a gap.
    """

    def __init__(self, width: int, *, is_vip: bool = False) -> None:
        self._is_vip = is_vip
        self.places: Mapping[K, int] = {}
        self._indexes: list[int] = []
        self.columns: Columns = (array("Q"),) * width
        self.since: list[int | None] = []
        self.told: list[V | None] = []
        self.held_since: list[int] = []
        self.audit = 0
        self._seen_at_ns = 0
        self._audited_at_ns = 0
        self._whole_at_ns: int | None = None  # when the latest audit began whose indexes named all there was
        self._away: dict[K, _Life] = {}  # without an index now
        self._has_forgotten = False

    def step(
        self, places: Mapping[K, int], columns: Columns, now: _Moment, kept: Mapping[K, int] | None = None
    ) -> Iterator[None]:
        """Take in the next figures, all of them at the end or none.

        `kept`: since which audit each name is known to have been there, if that has to be looked at.
        """
        since: list[int | None] = []
        told: list[V | None] = []
        held: list[int] = []
        start_ns = None if self._has_forgotten else now.start_ns
        away = self._away
        if (yield from self._all_stay(places, now, kept)):
            for here in _slices(len(places)):
                self._go_on(here, columns, now, since, told, held)
                yield
        else:
            away = dict(self._away)
            for _ in self._leave(away):
                yield
            items = iter(places.items())
            for here in _slices(len(places)):
                for row, (name, index) in zip(_rows(columns, here), items, strict=False):
                    old = away.pop(name, None)
                    may_have_gone = old is not None and self._may_have_gone(name, old, now, kept)
                    begun, held_since = self._since(old, index, row, start_ns, now, may_have_gone=may_have_gone)
                    since.append(begun)
                    held.append(held_since)
                    told.append(None)
                yield
            if self._is_vip and now.is_whole:
                away.clear()  # these do not exist any more
            self._indexes = list(places.values())
        if now.taken_at_ns < self._seen_at_ns:  # the clock was set back
            since = [None if life is None else min(life, now.taken_at_ns) for life in since]
            told = [None] * len(since)
        if start_ns is not None and None in since:
            since = [start_ns if life is None else life for life in since]
            told = [None] * len(since)
        while len(away) > REMEMBERED:
            del away[next(iter(away))]
            self._has_forgotten = True
        self.places, self.columns, self.since, self.told, self._away = places, columns, since, told, away
        self.held_since, self.audit = held, now.audit
        self._seen_at_ns, self._audited_at_ns = now.taken_at_ns, now.audited_at_ns
        if now.is_whole:
            self._whole_at_ns = now.audited_at_ns

    def _all_stay(
        self, places: Mapping[K, int], now: _Moment, kept: Mapping[K, int] | None
    ) -> Generator[None, None, bool]:
        if places is not self.places:
            return False
        names = iter(places)
        while kept is not None and (part := [*islice(names, SLICE)]):
            if any(kept.get(name, now.audit) > self.audit for name in part):
                return False
            yield
        return True

    def _go_on(
        self,
        here: slice,
        columns: Columns,
        now: _Moment,
        since: list[int | None],
        told: list[V | None],
        held: list[int],
    ) -> None:
        """The names are the same: add what has become of some of them to `since`, `told` and `held`."""
        if all(new[here] == old[here] for new, old in zip(columns, self.columns, strict=True)):
            since += self.since[here]
            told += self.told[here]
            held += self.held_since[here]
            return
        rows, olds = _rows(columns, here), _rows(self.columns, here)
        told += [value if new == old else None for new, old, value in zip(rows, olds, self.told[here], strict=True)]
        if any(_fell(old[here], new[here]) for new, old in zip(columns, self.columns, strict=True)):
            fell = [*map(_fell, olds, rows)]
            since += [self._seen_at_ns if new else life for new, life in zip(fell, self.since[here], strict=True)]
            held += [now.audit + 1 if new else audit for new, audit in zip(fell, self.held_since[here], strict=True)]
        else:
            since += self.since[here]
            held += self.held_since[here]

    def _leave(self, away: dict[K, _Life]) -> Iterator[None]:
        names = iter(self.places.items())
        for here in _slices(len(self.places)):
            lives = zip(_rows(self.columns, here), self.since[here], self.held_since[here], names, strict=False)
            for row, since_ns, held_since, (name, index) in lives:
                away[name] = _Life(index, row, since_ns, self._seen_at_ns, self._audited_at_ns, self.audit, held_since)
            yield

    def _may_have_gone(self, name: K, old: _Life, now: _Moment, kept: Mapping[K, int] | None) -> bool:
        """Rule 5."""
        if self._is_vip:
            return name not in self.places and old.audit != now.audit
        return kept is not None and kept.get(name, now.audit) > old.audit

    def _since(
        self, old: _Life | None, index: int, row: Row, start_ns: int | None, now: _Moment, *, may_have_gone: bool
    ) -> tuple[int | None, int]:
        """When the life stood at zero, and since which audit it is seen."""
        if old is None:
            is_made = self._is_vip and self._whole_at_ns is not None
            return (self._whole_at_ns if is_made else start_ns), now.audit
        if old.index != index or may_have_gone:
            return old.audited_at_ns, now.audit
        if _fell(old.row, row):
            return old.seen_at_ns, now.audit + 1  # it may have been made anew after this audit, too
        return old.since_ns, old.held_since

    def tell(self, make: Callable[[int, int, Row, int | None], V]) -> Iterator[None]:
        """Fill what is missing in `told`; `make` takes position, index, row and since."""
        for here in _slices(len(self.told)):
            values = self.told[here]
            if None in values:
                numbers, indexes = range(here.start, here.stop), self._indexes[here]
                whole = zip(values, numbers, indexes, _rows(self.columns, here), self.since[here], strict=True)
                self.told[here] = [
                    make(number, index, row, since_ns) if value is None else value
                    for value, number, index, row, since_ns in whole
                ]
            yield

    def by_name(self, found: dict[K, V]) -> Iterator[None]:
        """Put all that is told into `found`."""
        told = zip(self.places, self.told, strict=True)
        while part := {name: value for name, value in islice(told, SLICE) if value is not None}:
            found.update(part)
            yield


class Lives:
    """All lives, from the first sample on, over lost sessions and starts of VPP; `sample` is the latest."""

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self._begin()

    def _begin(self) -> None:
        self._audited_at_ns: int | None = None
        self._audit = 0
        self._users: Mapping[IPAddress, Collection[int]] = {}
        self._vips: _Kind[VipKey, VipCounters] = _Kind(4, is_vip=True)
        self._routes: _Kind[IPNetwork, Volume] = _Kind(2)
        self._backends: _Kind[IPAddress, BackendCounters] = _Kind(4)
        self._unmatched: _Kind[None, None] = _Kind(1)
        self._route_at: list[int | None] = []  # the position of each VIP's route
        self._routed: tuple[object, object] = (None, None)  # of which VIPs and routes

    def fold(self, figures: Figures) -> Iterator[None]:
        """Make `sample` of `figures`; yields between slices."""
        if self.sample is not None and self.sample.boottime_ns != figures.boottime_ns:
            self._begin()  # also when it only tells it now: there may have been another one in between
        indexes, taken_at_ns = figures.indexes, figures.taken_at_ns
        start_ns = min(figures.boottime_ns, taken_at_ns) if figures.boottime_ns else None
        self._audit += indexes.audited_at_ns != self._audited_at_ns
        self._audited_at_ns = indexes.audited_at_ns
        audited_at_ns = min(indexes.audited_at_ns, taken_at_ns)
        now = _Moment(taken_at_ns, start_ns, audited_at_ns, self._audit, indexes.is_whole)
        yield from self._unmatched.step(_UNMATCHED, (array("Q", (figures.unmatched_packets,)),), now)
        yield from self._vips.step(indexes.vips, figures.vips, now)
        yield from self._step_backends(figures, now)
        yield from self._step_routes(figures, now)
        if self._routed[0] is not indexes.vips or self._routed[1] is not indexes.routes:
            yield from self._find_routes()
        yield from self._forget_moved_routes()
        yield from self._routes.tell(_volume)
        yield from self._vips.tell(self._vip)
        vips: dict[VipKey, VipCounters] = {}
        backends: dict[IPAddress, BackendCounters] = {}
        yield from self._vips.by_name(vips)
        yield from self._backends.by_name(backends)
        self.sample = Sample(
            taken_at_ns, figures.boottime_ns, vips, backends, figures.unmatched_packets, self._unmatched.since[0]
        )

    def _step_backends(self, figures: Figures, now: _Moment) -> Iterator[None]:
        users, backends = figures.indexes.users, self._backends
        kept: dict[IPAddress, int] | None = None
        if backends.audit != now.audit:
            kept = {}
            live = dict(zip(self._vips.places.values(), self._vips.held_since, strict=True))
            for number, address in enumerate(figures.indexes.backends):
                both = set(users.get(address, ())).intersection(self._users.get(address, ()))
                if address not in backends.places:  # withdrawn
                    both = {index for index in both if index not in live}
                if both:
                    kept[address] = min(live.get(index, backends.audit) for index in both)
                if number % SLICE == 0:
                    yield
        yield from backends.step(figures.indexes.backends, figures.backends, now, kept)
        self._users = users
        yield from backends.tell(_backend)

    def _step_routes(self, figures: Figures, now: _Moment) -> Iterator[None]:
        kept: dict[IPNetwork, int] | None = None
        if self._routes.audit != now.audit:
            kept = {}
            for number, (key, audit) in enumerate(zip(self._vips.places, self._vips.held_since, strict=True)):
                kept[key.prefix] = min(audit, kept.get(key.prefix, audit))
                if number % SLICE == 0:
                    yield
        yield from self._routes.step(figures.indexes.routes, figures.routes, now, kept)

    def _find_routes(self) -> Iterator[None]:
        at: dict[IPNetwork, int] = {}
        for number, prefix in enumerate(self._routes.places):
            at[prefix] = number
            if number % SLICE == 0:
                yield
        found: list[int | None] = []
        for number, key in enumerate(self._vips.places, 1):
            found.append(at.get(key.prefix))
            if number % SLICE == 0:
                yield
        self._route_at, self._routed = found, (self._vips.places, self._routes.places)
        self._vips.told = [None] * len(found)

    def _forget_moved_routes(self) -> Iterator[None]:
        """A VIP whose route is another one now is to be told anew."""
        routes, vips = self._routes.told, self._vips.told
        for number, at in enumerate(self._route_at):
            if at is not None and routes[at] is None:
                vips[number] = None
            if number % SLICE == 0:
                yield

    def _vip(self, number: int, index: int, row: Row, since_ns: int | None) -> VipCounters:
        known, first, untracked, no_server = row
        at = self._route_at[number]
        route, route_since_ns = (None, None) if at is None else (self._routes.told[at], self._routes.since[at])
        return VipCounters(index, known, first, untracked, no_server, route, since_ns, route_since_ns)


def _volume(_number: int, _index: int, row: Row, _since_ns: int | None) -> Volume:
    packets, octets = row
    return Volume(packets, octets)


def _backend(_number: int, index: int, row: Row, since_ns: int | None) -> BackendCounters:
    forwarded_packets, forwarded_bytes, direct_packets, direct_bytes = row
    forwarded, direct = Volume(forwarded_packets, forwarded_bytes), Volume(direct_packets, direct_bytes)
    return BackendCounters(index, forwarded, direct, since_ns)


def _fell(old: Iterable[int], new: Iterable[int]) -> bool:
    return any(map(operator.lt, new, old))


def _rows(columns: Columns, here: slice) -> list[Row]:
    return list(zip(*(column[here] for column in columns), strict=True))


def _slices(length: int) -> Iterator[slice]:
    for start in range(0, length, SLICE):
        yield slice(start, min(start + SLICE, length))
