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

from array import array
from collections.abc import Collection, Iterator, Mapping

from maglev.core.counters import BackendCounters, Figures, Sample, VipCounters, Volume
from maglev.core.life import SLICE, Kind, Moment, Row
from maglev.core.model import IPAddress, IPNetwork, VipKey

_UNMATCHED: Mapping[None, int] = {None: 0}


class Lives:
    """All lives, from the first sample on, over lost sessions and starts of VPP; `sample` is the latest."""

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self._begin()

    def _begin(self) -> None:
        self._audited_at_ns: int | None = None
        self._audit = 0
        self._users: Mapping[IPAddress, Collection[int]] = {}
        self._vips: Kind[VipKey, VipCounters] = Kind(4, is_vip=True)
        self._routes: Kind[IPNetwork, Volume] = Kind(2)
        self._backends: Kind[IPAddress, BackendCounters] = Kind(4)
        self._unmatched: Kind[None, None] = Kind(1)
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
        now = Moment(taken_at_ns, start_ns, audited_at_ns, self._audit, indexes.is_whole)
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

    def _step_backends(self, figures: Figures, now: Moment) -> Iterator[None]:
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

    def _step_routes(self, figures: Figures, now: Moment) -> Iterator[None]:
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
