"""VPP's LB table as far as we know it, the operations that change it, and what each acknowledged one changes.

Must not know what the table ought to be. What only we can know is remembered here: `ObservedBackend.is_flushed` says
that a backend has had no weight since its flows were cut, so that none can be left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from maglev.core.model import Encap, IPAddress, LbConf, VipKey


@dataclass(frozen=True, slots=True)
class ObservedBackend:
    """A live backend of a VIP in VPP; `is_flushed` only at weight 0.

    `buckets` and `flows` as of the last audit; None once a write moved them: any weight of the VIP moves the buckets of
    all its backends.
    """

    weight: int
    is_flushed: bool = False
    buckets: int | None = None
    flows: int | None = None

    @property
    def may_have_flows(self) -> bool:
        """Whether there may be flows to cut. Without weight none come: those that VPP listed are the last ones."""
        return not self.is_flushed and (self.weight > 0 or self.flows != 0)


@dataclass(frozen=True, slots=True)
class ObservedVip:
    """A live VIP in VPP; `src_ip_sticky` is None where VPP's listing could not be read."""

    encap: Encap
    src_ip_sticky: bool | None
    table_length: int
    backends: Mapping[IPAddress, ObservedBackend]


@dataclass(frozen=True, slots=True)
class Observed:
    """The LB table as VPP has it, dead entries left out."""

    conf: LbConf | None
    vips: Mapping[VipKey, ObservedVip]


@dataclass(frozen=True, slots=True)
class SetConf:
    """Push the global parameters."""

    conf: LbConf


@dataclass(frozen=True, slots=True)
class AddVip:
    """Create a VIP without backends."""

    vip: VipKey
    encap: Encap
    src_ip_sticky: bool
    table_length: int


@dataclass(frozen=True, slots=True)
class DelVip:
    """Delete a VIP; its backends must be gone already, with flush, or its slot can linger for ever."""

    vip: VipKey
    reason: str


@dataclass(frozen=True, slots=True)
class AddBackend:
    """Add a backend (VPP: application server); sent with flush, as VPP revives a deleted one with its flows."""

    vip: VipKey
    backend: IPAddress
    weight: int


@dataclass(frozen=True, slots=True)
class DelBackend:
    """Delete a backend from a VIP, always with flush."""

    vip: VipKey
    backend: IPAddress


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Set a backend's weight; `flush` also cuts its flows."""

    vip: VipKey
    backend: IPAddress
    weight: int
    flush: bool


Op = SetConf | AddVip | DelVip | AddBackend | DelBackend | SetWeight
MEMBERSHIP = (AddVip, DelVip, AddBackend, DelBackend)
"""Operations after which VPP's indexes may mean something else."""


def advance(observed: Observed, ops: Iterable[Op]) -> Observed:
    """Observed after VPP acknowledged `ops`, in order. One copy of what changes, however many ops."""
    conf, vips = observed.conf, dict(observed.vips)
    opened: dict[VipKey, dict[IPAddress, ObservedBackend]] = {}  # backends of the VIPs that change
    reshared: set[VipKey] = set()  # VIPs whose weights changed, and so the share of every backend
    for op in ops:
        match op:
            case SetConf(new):
                conf = new
            case AddVip(key, encap, sticky, length):
                vips[key] = ObservedVip(encap, sticky, length, {})
            case DelVip(key):
                vips.pop(key, None)
                opened.pop(key, None)
            case AddBackend(key, address, weight):
                _opened(opened, vips, key)[address] = ObservedBackend(weight, is_flushed=weight == 0)
                reshared.add(key)
            case SetWeight(key, address, weight, flush):
                backends = _opened(opened, vips, key)
                before = backends[address]
                is_flushed = weight == 0 and (flush or before.is_flushed)
                backends[address] = replace(before, weight=weight, is_flushed=is_flushed, flows=None)
                if weight != before.weight:
                    reshared.add(key)
            case DelBackend(key, address):
                del _opened(opened, vips, key)[address]
                reshared.add(key)
            case _:
                assert_never(op)
    for key, backends in opened.items():
        if key in reshared:
            _forget_buckets(backends)
        vips[key] = replace(vips[key], backends=backends)
    return Observed(conf, vips)


def _forget_buckets(backends: dict[IPAddress, ObservedBackend]) -> None:
    for address, backend in backends.items():
        if backend.buckets is not None:
            backends[address] = replace(backend, buckets=None)


def carry_flushed(audited: Observed, shadow: Observed) -> Observed:
    """`audited` with what only we know: which weightless backends were flushed already."""
    return Observed(audited.conf, {key: with_flushed(vip, shadow.vips.get(key)) for key, vip in audited.vips.items()})


def with_flushed(audited: ObservedVip, known: ObservedVip | None) -> ObservedVip:
    """The same of one VIP."""
    if known is None:
        return audited
    flushed = {
        address: replace(backend, is_flushed=True)
        for address, backend in audited.backends.items()
        if backend.weight == 0 and (old := known.backends.get(address)) is not None and old.is_flushed
    }
    return replace(audited, backends={**audited.backends, **flushed}) if flushed else audited


def _opened(
    opened: dict[VipKey, dict[IPAddress, ObservedBackend]], vips: Mapping[VipKey, ObservedVip], key: VipKey
) -> dict[IPAddress, ObservedBackend]:
    """The VIP's backends, copied at the first touch."""
    if key not in opened:
        opened[key] = dict(vips[key].backends)
    return opened[key]
