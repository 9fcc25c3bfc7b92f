"""Samples -> totals per VIP and backend; must not know where the numbers are read.

A *life* is the time in which a counter only grows: it ends when VPP restarts, when the counter moves to another index,
or when any figure of it falls. `since_ns` is the latest moment known to us at which the present life stood at zero, in
unix nanoseconds, so that it may be told as the time of its creation: that VPP's start, as all its counters stood at
zero then, or for a life that began in our sight the last moment at which the one before it, or nothing, was there. It
is never after the time of the sample, and None while VPP does not tell when it started (its first moments).
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from maglev.core.model import IPAddress, IPNetwork, VipKey


@dataclass(frozen=True, slots=True)
class Indexes:
    """Where VPP counts what, as of one audit; never to be used across a change of the VIP set.

    `vips`: LB pool index by VIP. `routes`: load-balance index by VIP prefix (a prefix not looked up yet is absent).
    `backends`: load-balance index by backend address, shared by all VIPs that use the backend.
    """

    vips: Mapping[VipKey, int]
    routes: Mapping[IPNetwork, int]
    backends: Mapping[IPAddress, int]


@dataclass(frozen=True, slots=True)
class Volume:
    """Packets and bytes of one combined counter, summed over workers."""

    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class VipCounters:
    """One VIP: the LB plugin's four packet counters and the FIB's volume of its prefix (shared by all its ports).

    These are two lives: a VIP that is made anew counts from zero, the FIB goes on. `route` is None while the index of
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
class Sample:
    """All counters of one moment (unix nanoseconds), read under one epoch; `boottime_ns` tells VPP's lives apart.

    `unmatched_packets` came to the address of a VIP on a port that has none, over all VIPs: VPP drops them. What has no
    index known is not in it.
    """

    taken_at_ns: int
    boottime_ns: int
    vips: Mapping[VipKey, VipCounters] = field(default_factory=dict)
    backends: Mapping[IPAddress, BackendCounters] = field(default_factory=dict)
    unmatched_packets: int = 0
    unmatched_since_ns: int | None = None


def fold(previous: Sample | None, sample: Sample) -> Sample:
    """`sample` with the times of its lives, carried on from `previous` or begun."""
    if previous is not None and previous.boottime_ns not in (0, sample.boottime_ns):
        previous = None
    lives = _Lives(previous, sample)
    return replace(
        sample,
        vips={key: lives.of_vip(previous.vips.get(key) if previous else None, vip) for key, vip in sample.vips.items()},
        backends={
            address: lives.of_backend(previous.backends.get(address) if previous else None, backend)
            for address, backend in sample.backends.items()
        },
        unmatched_since_ns=lives.since(
            (0, (previous.unmatched_packets,), previous.unmatched_since_ns) if previous else None,
            0,
            (sample.unmatched_packets,),
        ),
    )


class _Lives:
    """When the lives of one sample began, given the one before it."""

    def __init__(self, previous: Sample | None, sample: Sample) -> None:
        self._start_ns = min(sample.boottime_ns, sample.taken_at_ns) if sample.boottime_ns else None
        self._seen_at_ns = self._start_ns if previous is None else min(previous.taken_at_ns, sample.taken_at_ns)

    def since(self, old: "_Life | None", index: int, figures: tuple[int, ...]) -> int | None:
        if old is None or old[0] != index or any(map(operator.lt, figures, old[1])):
            return self._seen_at_ns
        return self._start_ns if old[2] is None else old[2]

    def of_vip(self, old: VipCounters | None, vip: VipCounters) -> VipCounters:
        own = (old.index, (old.next, old.first, old.untracked, old.no_server), old.since_ns) if old else None
        since_ns = self.since(own, vip.index, (vip.next, vip.first, vip.untracked, vip.no_server))
        route_since_ns = None
        if vip.route is not None:
            before = (0, (old.route.packets, old.route.bytes), old.route_since_ns) if old and old.route else None
            route_since_ns = self.since(before, 0, (vip.route.packets, vip.route.bytes))
        return replace(vip, since_ns=since_ns, route_since_ns=route_since_ns)

    def of_backend(self, old: BackendCounters | None, backend: BackendCounters) -> BackendCounters:
        before = (old.index, _figures(old), old.since_ns) if old else None
        return replace(backend, since_ns=self.since(before, backend.index, _figures(backend)))


_Life = tuple[int, tuple[int, ...], int | None]
"""Index, figures, since when."""


def _figures(backend: BackendCounters) -> tuple[int, ...]:
    forwarded, direct = backend.forwarded, backend.direct
    return forwarded.packets, forwarded.bytes, direct.packets, direct.bytes
