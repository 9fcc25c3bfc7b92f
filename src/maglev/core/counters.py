"""Samples -> totals per VIP and backend; must not know where the numbers are read.

A *life* is the time in which a counter only grows: it ends when VPP restarts, when the VIP or backend moves to
another index, or when any figure of it falls. `since_ns` says when the present life was first seen. It is no time of
creation: a counter that was running before we came began earlier, and VPP does not say when.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

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
    """One VIP: the LB plugin's four packet counters and the FIB's volume of its prefix (shared by all its ports)."""

    index: int
    next: int
    first: int
    untracked: int
    no_server: int
    route: Volume | None
    since_ns: int = 0


@dataclass(frozen=True, slots=True)
class BackendCounters:
    """One backend over all VIPs: `forwarded` by the LB (with tunnel header), `direct` by plain routing."""

    index: int
    forwarded: Volume
    direct: Volume
    since_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """All counters of one moment (unix nanoseconds), read under one epoch; `boottime_ns` tells VPP's lives apart."""

    taken_at_ns: int
    boottime_ns: int
    vips: Mapping[VipKey, VipCounters] = field(default_factory=dict)
    backends: Mapping[IPAddress, BackendCounters] = field(default_factory=dict)


Counted = TypeVar("Counted", VipCounters, BackendCounters)


def fold(previous: Sample | None, sample: Sample) -> Sample:
    """`sample` with each life's `since_ns` carried on from `previous`, or begun now."""
    if previous is None or previous.boottime_ns != sample.boottime_ns:
        previous = Sample(sample.taken_at_ns, sample.boottime_ns)
    now = sample.taken_at_ns
    return replace(
        sample,
        vips={
            k: replace(v, since_ns=_since(previous.vips.get(k), v, _vip_figures, now)) for k, v in sample.vips.items()
        },
        backends={
            k: replace(v, since_ns=_since(previous.backends.get(k), v, _backend_figures, now))
            for k, v in sample.backends.items()
        },
    )


def _since(old: Counted | None, new: Counted, figures: Callable[[Counted], Iterable[int | None]], now_ns: int) -> int:
    if old is None or old.index != new.index:
        return now_ns
    fell = any(
        before is not None and after is not None and after < before
        for before, after in zip(figures(old), figures(new), strict=True)
    )
    return now_ns if fell else old.since_ns


def _vip_figures(vip: VipCounters) -> Iterable[int | None]:
    route = (vip.route.packets, vip.route.bytes) if vip.route else (None, None)
    return vip.next, vip.first, vip.untracked, vip.no_server, *route


def _backend_figures(backend: BackendCounters) -> Iterable[int | None]:
    forwarded, direct = backend.forwarded, backend.direct
    return forwarded.packets, forwarded.bytes, direct.packets, direct.bytes
