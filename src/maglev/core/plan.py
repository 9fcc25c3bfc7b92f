"""Desired x Observed -> ordered operations; must not know how they are sent or what becomes of them.

The order, which is the rule:
1. Global parameters first.
2. Among VIPs: those that send traffic to a backend that shall have none; then those that change otherwise;
   deletions of VIPs last. Ties in numeric address order, IPv4 first.
3. Within a VIP grow before shrinking: additions and raised weights, then lowered weights and flushes, then removals.
   A VIP must not pass through "no backend" while it has somewhere to go.
4. What VPP cannot change is recreated: backends out with flush, VIP out, VIP in, backends in. All VIPs of one prefix
   must agree on encap and on all-port or per-port, so those that stand in the way leave first, the others stay. Who
   leaves and who comes on one prefix is one step of rule 2, in the place of its first VIP; it is urgent when a VIP that
   comes back is.

A flush is wanted once per loss of weight: `ObservedBackend.is_flushed` remembers that no flow can be left.
"""

import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from maglev.core.desired import Desired, DesiredVip, Effective
from maglev.core.model import IPNetwork, VipKey, address_order
from maglev.core.observed import (
    MEMBERSHIP,
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    Op,
    SetConf,
    SetWeight,
    advance,
    carry_flushed,
)

# What a plan is made of and what it works on, so that its users need one import.
__all__ = [
    "MEMBERSHIP",
    "AddBackend",
    "AddVip",
    "DelBackend",
    "DelVip",
    "Observed",
    "ObservedBackend",
    "ObservedVip",
    "Op",
    "SetConf",
    "SetWeight",
    "advance",
    "batches",
    "carry_flushed",
    "plan",
]


class _Turn(enum.IntEnum):
    """Rule 2: whose turn it is."""

    LOSING = 0
    CHANGING = 1
    DELETING = 2


@dataclass(frozen=True, slots=True)
class _Step:
    """Operations that stay together, and the VIP that gives them their place."""

    turn: _Turn
    first: VipKey
    ops: tuple[Op, ...]


def plan(desired: Desired, observed: Observed, only: AbstractSet[VipKey] | None = None) -> tuple[Op, ...]:
    """Operations that turn `observed` into `desired`, in the order given above.

    With `only`, no other VIP is touched, and none is deleted for good; a VIP that would need another one out of its way
    is left for a full plan. Global parameters are set either way: no VIP works without them.
    """
    ops: list[Op] = []
    if desired.conf is not None and desired.conf != observed.conf:
        ops.append(SetConf(desired.conf))
    if only is not None:
        desired = Desired(desired.conf, {key: wish for key, wish in desired.vips.items() if key in only})
    steps = [
        step
        for keys in _by_prefix(desired, observed)
        for step in _steps(keys, desired.vips, observed.vips, may_delete=only is None)
    ]
    for step in sorted(steps, key=lambda step: (step.turn, step.first.order)):
        ops += step.ops
    return tuple(ops)


def batches(ops: Iterable[Op], size: int) -> Iterator[list[Op]]:
    """`ops` in batches that may each be the last one written: of `size`, and on to the end of what belongs together.

    That is a VIP with its backends, and all of a prefix on which a VIP is torn down, as it may be to be made again.
    """
    batch: list[Op] = []
    torn: IPNetwork | None = None
    for op in ops:
        vip = _vip(op)
        if len(batch) >= size and (vip is None or vip.prefix != torn) and vip != _vip(batch[-1]):
            yield batch
            batch = []
        batch.append(op)
        if isinstance(op, DelVip):
            torn = op.vip.prefix
    if batch:
        yield batch


def _vip(op: Op) -> VipKey | None:
    return None if isinstance(op, SetConf) else op.vip


def _by_prefix(desired: Desired, observed: Observed) -> Iterator[list[VipKey]]:
    groups: dict[IPNetwork, set[VipKey]] = defaultdict(set)
    for key in (*desired.vips, *observed.vips):
        groups[key.prefix].add(key)
    for keys in groups.values():
        yield sorted(keys, key=lambda key: key.order)


def _steps(
    keys: list[VipKey],
    wishes: Mapping[VipKey, DesiredVip],
    haves: Mapping[VipKey, ObservedVip],
    *,
    may_delete: bool,
) -> Iterator[_Step]:
    """What is to be done on one prefix, whose VIPs are `keys`."""
    leaving = {key: why for key in keys if (why := _reason_to_leave(key, keys, wishes, haves))}
    if not may_delete and not leaving.keys() <= wishes.keys():
        # Whoever must go for good is in the way of every wish here: they agree on encap and kind, and it does not.
        return
    for key in keys:
        wish, have = wishes.get(key), haves.get(key)
        if have is None or key in leaving:
            continue
        if wish is not None:
            turn = _Turn.LOSING if _sends_to_the_dead(wish, have) else _Turn.CHANGING
            yield _Step(turn, key, tuple(_adjust(key, wish, have)))
        elif may_delete:
            yield _Step(_Turn.DELETING, key, tuple(_tear_down(key, have, "not configured")))
    coming = [key for key in keys if key in wishes and (key in leaving or key not in haves)]
    if leaving:
        yield _recreation(leaving, coming, wishes, haves)
    else:
        yield from (_Step(_Turn.CHANGING, key, tuple(_build(key, wishes[key]))) for key in coming)


def _recreation(
    leaving: Mapping[VipKey, str],
    coming: list[VipKey],
    wishes: Mapping[VipKey, DesiredVip],
    haves: Mapping[VipKey, ObservedVip],
) -> _Step:
    """All that leaves, then all that comes."""
    ops = [op for key, why in leaving.items() for op in _tear_down(key, haves[key], why)]
    ops += [op for key in coming for op in _build(key, wishes[key])]
    is_losing = any(_sends_to_the_dead(wishes[key], haves[key]) for key in leaving if key in wishes)
    first = min((*leaving, *coming), key=lambda key: key.order)
    return _Step(_Turn.LOSING if is_losing else _Turn.CHANGING, first, tuple(ops))


def _reason_to_leave(
    key: VipKey, keys: list[VipKey], wishes: Mapping[VipKey, DesiredVip], haves: Mapping[VipKey, ObservedVip]
) -> str:
    """Why the observed VIP must go before anything of its prefix can be built; empty if it need not."""
    have = haves.get(key)
    if have is None:
        return ""
    wish = wishes.get(key)
    if wish is not None and (why := _reason_to_recreate(wish, have)):
        return why
    for other in keys:
        wanted = wishes.get(other)
        if wanted is None or other == key:
            continue
        if wanted.encap is not have.encap:
            return f"{other} on the same prefix needs encap {wanted.encap.name.lower()}"
        if (other.port == 0) != (key.port == 0):
            return f"{other} on the same prefix excludes it"
    return ""


def _reason_to_recreate(wish: DesiredVip, have: ObservedVip) -> str:
    """What VPP cannot change in place; empty if nothing."""
    if have.encap is not wish.encap:
        return f"encap {have.encap.name.lower()} must become {wish.encap.name.lower()}"
    if have.src_ip_sticky is not None and have.src_ip_sticky != wish.src_ip_sticky:
        return f"src-ip-sticky must become {str(wish.src_ip_sticky).lower()}"
    if have.table_length != wish.table_length:
        return f"table length {have.table_length} must become {wish.table_length}"
    return ""


def _sends_to_the_dead(wish: DesiredVip, have: ObservedVip) -> bool:
    alive = {address for address, cell in wish.backends.items() if cell.weight > 0}
    return any(now.weight > 0 and address not in alive for address, now in have.backends.items())


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
