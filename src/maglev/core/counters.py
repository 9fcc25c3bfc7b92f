"""VPP's counters as values: where they are, what was read, and what that says; must not know how they are read.

A *life* is the time in which a counter only grows: it ends when VPP restarts, when the counter moves to another index,
or when any figure of it falls. `since_ns` is the latest moment known to us at which the present life stood at zero, in
unix nanoseconds, so that it may be told as the time of its creation; core.lives says how it is found. It is never after
the time of the sample, and None where there is no such moment, as in VPP's first, when it does not tell its start yet.
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar

from maglev.core.model import IPAddress, IPNetwork, VipKey
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, Op

K = TypeVar("K")
V = TypeVar("V")


class Moved:
    """The names of which operations may move VPP's indexes; all others keep theirs.

    A VIP that comes or goes takes or frees its own pool slot, and the FIB entry of its prefix; a backend that leaves a
    VIP, perhaps the FIB entry of its address. One that joins moves nothing: if its index is known, a VIP has it
    already, and has not left it, as that would have been told here. Nothing else is renumbered.
    """

    def __init__(self, ops: Iterable[Op] = ()) -> None:
        self.vips: set[VipKey] = set()
        self.backends: set[IPAddress] = set()
        self.joined: set[IPAddress] = set()  # their indexes, if unknown, are still to be found
        self.add(ops)

    def __bool__(self) -> bool:
        return bool(self.vips or self.backends or self.joined)

    def add(self, ops: Iterable[Op]) -> None:
        """Take in more operations."""
        for op in ops:
            if isinstance(op, AddVip | DelVip):
                self.vips.add(op.vip)
            elif isinstance(op, DelBackend):
                self.backends.add(op.backend)
            elif isinstance(op, AddBackend):
                self.joined.add(op.backend)


@dataclass(frozen=True, slots=True)
class Indexes:
    """Where VPP counts what, as of one audit; of no name that was written since.

    `vips`: LB pool index by VIP. `routes`: load-balance index by VIP prefix (a prefix not looked up yet is absent).
    `backends`: load-balance index by backend address, shared by all VIPs that use the backend. All by rising index,
    which is the quickest to read. What is not named although it was there at `audited_at_ns`, when the audit began,
    makes them not `is_whole`. `users`: the pool indexes of all VIPs that the audit found with each backend,
    also of those deleted of which VPP has not let go yet.
    """

    vips: Mapping[VipKey, int]
    routes: Mapping[IPNetwork, int]
    backends: Mapping[IPAddress, int]
    audited_at_ns: int = field(default=0, compare=False)
    is_whole: bool = field(default=True, compare=False)
    users: Mapping[IPAddress, Collection[int]] = field(default_factory=dict, compare=False)

    def without(self, moved: Moved) -> "Indexes":
        """The same but for what has `moved`; the very same if that is nothing."""
        vips = _without(self.vips, moved.vips)
        routes = _without(self.routes, {key.prefix for key in moved.vips})
        backends = _without(self.backends, moved.backends)
        if vips is self.vips and routes is self.routes and backends is self.backends:
            return self
        return replace(self, vips=vips, routes=routes, backends=backends, is_whole=False)

    def like(self, known: "Indexes") -> "Indexes":
        """The same, with the very maps of `known` where they are equal: who has worked by them may go on so."""
        vips, routes = _shared(self.vips, known.vips), _shared(self.routes, known.routes)
        backends, users = _shared(self.backends, known.backends), _shared(self.users, known.users)
        return replace(self, vips=vips, routes=routes, backends=backends, users=users)


def _shared(new: Mapping[K, V], old: Mapping[K, V]) -> Mapping[K, V]:
    return old if new is old or new == old else new


def _without(places: Mapping[K, int], names: Set[K]) -> Mapping[K, int]:
    gone = [name for name in names if name in places]
    if not gone:
        return places
    left = dict(places)
    for name in gone:
        del left[name]
    return left


@dataclass(frozen=True, slots=True)
class Volume:
    """Packets and bytes of one combined counter, summed over workers."""

    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class VipCounters:
    """One VIP: the LB plugin's four packet counters and the FIB's volume of its prefix (shared by all its ports).

    These are two lives: a VIP that is made anew counts from zero, the FIB may go on. `route` is None while the index of
    the prefix is not known.
    """

    index: int
    next: int
    first: int
    untracked: int
    no_server: int
    route: Volume | None
    since_ns: int | None = None
    route_since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class BackendCounters:
    """One backend over all VIPs: `forwarded` by the LB (with tunnel header), `direct` by plain routing."""

    index: int
    forwarded: Volume
    direct: Volume
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was read under one epoch: columns of figures in the order of `indexes`, nothing built of them yet.

    `vips`: next, first, untracked, no_server. `routes`: packets, bytes. `backends`: packets and bytes forwarded, then
    those direct. Times are unix nanoseconds; `boottime_ns` tells VPP's lives apart, 0 in its first moments.
    """

    taken_at_ns: int
    boottime_ns: int
    indexes: Indexes
    vips: tuple["array[int]", ...]
    routes: tuple["array[int]", ...]
    backends: tuple["array[int]", ...]
    unmatched_packets: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """All counters of one moment (unix nanoseconds), read under one epoch; what has no index known is not in it.

    `unmatched_packets` came to the address of a VIP on a port that has none, over all VIPs: VPP drops them.
    """

    taken_at_ns: int
    boottime_ns: int
    vips: Mapping[VipKey, VipCounters] = field(default_factory=dict)
    backends: Mapping[IPAddress, BackendCounters] = field(default_factory=dict)
    unmatched_packets: int = 0
    unmatched_since_ns: int | None = None
