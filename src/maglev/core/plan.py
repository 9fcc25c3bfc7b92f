"""Desired x Observed -> ordered operations, and how each acknowledged operation moves Observed.

The order, which is the rule:
1. Global parameters first.
2. Among VIPs: those that send traffic to a backend that shall have none; then those that change otherwise;
   deletions of VIPs last. Ties in numeric address order, IPv4 first.
3. Within a VIP grow before shrinking: additions and raised weights, then lowered weights and flushes, then removals.
   A VIP must not pass through "no backend" while it has somewhere to go.
4. What VPP cannot change is recreated: backends out with flush, VIP out, VIP in, backends in. All VIPs of one prefix
   must agree on encap and on all-port or per-port, so those that stand in the way leave first, the others stay.

A flush is wanted once per loss of weight: `ObservedBackend.is_flushed` remembers that no flow can be left.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import assert_never

from maglev.core.desired import Desired, DesiredVip, Effective
from maglev.core.model import Encap, IPAddress, IPNetwork, LbConf, VipKey, address_order


@dataclass(frozen=True, slots=True)
class ObservedBackend:
    """A live backend of a VIP in VPP; `buckets` and `flows` as of the last audit, None when written since."""

    weight: int
    is_flushed: bool = False
    buckets: int | None = None
    flows: int | None = None


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
    """Add a backend (VPP: application server) to a VIP."""

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


_LOSING, _CHANGING, _DELETING = range(3)


def plan(desired: Desired, observed: Observed, only: AbstractSet[VipKey] | None = None) -> tuple[Op, ...]:
    """Operations that turn `observed` into `desired`, in the order given above.

    With `only`, nothing but these VIPs is touched and none is deleted for good; a VIP that would need another one out
    of its way is left for a full plan.
    """
    ops: list[Op] = []
    if desired.conf is not None and desired.conf != observed.conf:
        ops.append(SetConf(desired.conf))

    stages: tuple[list[tuple[VipKey, list[Op]]], ...] = ([], [], [])
    for keys in _by_prefix(desired, observed):
        leaving = {key: why for key in keys if (why := _reason_to_leave(key, keys, desired, observed))}
        if only is not None and not leaving.keys() <= only:
            continue
        touched = [key for key in keys if key not in leaving and (only is None or key in only)]
        for key in touched:
            wish, have = desired.vips.get(key), observed.vips.get(key)
            if wish is None and have is not None and only is None:
                stages[_DELETING].append((key, list(_tear_down(key, have, "not configured"))))
            elif wish is not None and have is not None:
                stage = _LOSING if _sends_to_the_dead(wish, have) else _CHANGING
                stages[stage].append((key, list(_adjust(key, wish, have))))
        group = [op for key, why in leaving.items() for op in _tear_down(key, observed.vips[key], why)]
        for key in keys:
            if key in desired.vips and (key in leaving or (key in touched and key not in observed.vips)):
                group.extend(_build(key, desired.vips[key]))
        stages[_LOSING if leaving else _CHANGING].append((keys[0], group))

    for stage_groups in stages:
        for _, group in sorted(stage_groups, key=lambda item: item[0].order):
            ops.extend(group)
    return tuple(ops)


def advance(observed: Observed, ops: Iterable[Op]) -> Observed:
    """Observed after VPP acknowledged `ops`, in order. One copy of the table, however many ops."""
    conf, vips = observed.conf, dict(observed.vips)
    for op in ops:
        match op:
            case SetConf(new):
                conf = new
            case AddVip(key, encap, sticky, length):
                vips[key] = ObservedVip(encap, sticky, length, {})
            case DelVip(key):
                vips.pop(key, None)
            case AddBackend(key, address, weight):
                _put(vips, key, address, ObservedBackend(weight, is_flushed=weight == 0))
            case SetWeight(key, address, weight, flush):
                before = vips[key].backends[address]
                flushed = weight == 0 and (flush or before.is_flushed)
                _put(vips, key, address, ObservedBackend(weight, is_flushed=flushed))
            case DelBackend(key, address):
                rest = {a: b for a, b in vips[key].backends.items() if a != address}
                vips[key] = replace(vips[key], backends=rest)
            case _:
                assert_never(op)
    return Observed(conf, vips)


def carry_flushed(audited: Observed, shadow: Observed) -> Observed:
    """`audited` with what only we know: which weightless backends were flushed already."""
    vips: dict[VipKey, ObservedVip] = {}
    for key, vip in audited.vips.items():
        known = shadow.vips.get(key)
        if known is None:
            vips[key] = vip
            continue
        backends = {
            address: replace(backend, is_flushed=True)
            if backend.weight == 0 and (old := known.backends.get(address)) is not None and old.is_flushed
            else backend
            for address, backend in vip.backends.items()
        }
        vips[key] = replace(vip, backends=backends)
    return Observed(audited.conf, vips)


def _by_prefix(desired: Desired, observed: Observed) -> Iterator[list[VipKey]]:
    groups: dict[IPNetwork, set[VipKey]] = defaultdict(set)
    for key in (*desired.vips, *observed.vips):
        groups[key.prefix].add(key)
    for keys in groups.values():
        yield sorted(keys, key=lambda key: key.order)


def _reason_to_leave(key: VipKey, keys: list[VipKey], desired: Desired, observed: Observed) -> str:
    """Why the observed VIP must go before anything of its prefix can be built; empty if it need not."""
    have = observed.vips.get(key)
    if have is None:
        return ""
    wish = desired.vips.get(key)
    if wish is not None:
        if have.encap is not wish.encap:
            return f"encap {have.encap.name.lower()} must become {wish.encap.name.lower()}"
        if have.src_ip_sticky is not None and have.src_ip_sticky != wish.src_ip_sticky:
            return f"src-ip-sticky must become {str(wish.src_ip_sticky).lower()}"
        if have.table_length != wish.table_length:
            return f"table length {have.table_length} must become {wish.table_length}"
    for other in keys:
        wanted = desired.vips.get(other)
        if wanted is None or other == key:
            continue
        if wanted.encap is not have.encap:
            return f"{other} on the same prefix needs encap {wanted.encap.name.lower()}"
        if (other.port == 0) != (key.port == 0):
            return f"{other} on the same prefix excludes it"
    return ""


def _sends_to_the_dead(wish: DesiredVip, have: ObservedVip) -> bool:
    return any(
        backend.weight > 0 and (cell is None or cell.weight == 0)
        for address, backend in have.backends.items()
        for cell in (wish.backends.get(address),)
    )


def _adjust(key: VipKey, wish: DesiredVip, have: ObservedVip) -> Iterator[Op]:
    grow: list[Op] = []
    shrink: list[Op] = []
    for address in sorted(wish.backends, key=address_order):
        cell, now = wish.backends[address], have.backends.get(address)
        if now is None:
            grow.append(AddBackend(key, address, cell.weight))
        elif cell.weight > now.weight:
            grow.append(SetWeight(key, address, cell.weight, flush=False))
        elif cell.weight < now.weight or _wants_flush(cell, now):
            shrink.append(SetWeight(key, address, cell.weight, flush=_wants_flush(cell, now)))
    yield from grow
    yield from shrink
    for address in sorted(have.backends.keys() - wish.backends.keys(), key=address_order):
        yield DelBackend(key, address)


def _wants_flush(cell: Effective, now: ObservedBackend) -> bool:
    return cell.weight == 0 and cell.flush and not now.is_flushed


def _tear_down(key: VipKey, have: ObservedVip, reason: str) -> Iterator[Op]:
    for address in sorted(have.backends, key=address_order):
        yield DelBackend(key, address)
    yield DelVip(key, reason)


def _build(key: VipKey, wish: DesiredVip) -> Iterator[Op]:
    yield AddVip(key, wish.encap, wish.src_ip_sticky, wish.table_length)
    for address in sorted(wish.backends, key=address_order):
        yield AddBackend(key, address, wish.backends[address].weight)


def _put(vips: dict[VipKey, ObservedVip], key: VipKey, address: IPAddress, backend: ObservedBackend) -> None:
    vips[key] = replace(vips[key], backends={**vips[key].backends, address: backend})
