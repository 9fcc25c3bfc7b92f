"""Desired x Observed -> ordered steps of operations; must not know how they are sent or what becomes of them.

The order, which is the rule:
1. Global parameters first.
2. Among VIPs: those that send traffic to a backend that shall have none; then those that change otherwise;
   deletions of VIPs last. Ties in numeric address order, IPv4 first.
3. Within a VIP grow before shrinking: additions and raised weights, then lowered weights and flushes, then removals.
   A VIP must not pass through "no backend" while it has somewhere to go. Where nothing but what grows keeps it from
   that, the rest is sent only once VPP has acknowledged the growth (`Step.then`).
4. What VPP cannot change is recreated: backends out with flush, VIP out, VIP in, backends in. A VIP of another
   src-ip-sticky or table length goes and comes alone. All VIPs of one prefix must agree on encap and on all-port or
   per-port, so those that stand in the way leave first, the others stay. Who leaves and who comes on one prefix is then
   one step of rule 2, in the place of its first VIP; it is urgent when a VIP that comes back is.
5. What is `held`, because VPP keeps refusing it (core.refusals), is left out, and so is what does harm without it: no
   VIP is torn down, nor left without any weight. A VIP that should be recreated is kept right as it stands meanwhile.

Between two steps the table may be left for good, within one it may not. VIPs on different prefixes do not depend on
each other, so a plan may be made for some prefixes only.

A flush is wanted once per loss of weight, while `ObservedBackend.may_have_flows`: so a start of ours flushes nobody
whose flows were cut before it.
"""

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar

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
    "Step",
    "Turn",
    "advance",
    "carry_flushed",
    "conf_step",
    "in_order",
    "plan",
    "steps_on",
]

T = TypeVar("T", AddBackend | SetWeight, SetWeight | DelBackend)
Held = AbstractSet[Op]
NOTHING_HELD: frozenset[Op] = frozenset()


class Turn(enum.IntEnum):
    """Rules 1 and 2: whose turn it is."""

    CONF = 0
    LOSING = 1
    CHANGING = 2
    DELETING = 3


@dataclass(frozen=True, slots=True)
class Step:
    """Operations that stay together; `then` is sent when VPP has acknowledged all of `ops`. `first` gives the place.

    `order` is the sort key of rules 1 and 2, worked out where the step is made: sorting thousands takes a moment.
    """

    turn: Turn
    first: VipKey | None
    ops: tuple[Op, ...]
    then: tuple[Op, ...] = ()
    order: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out `order`."""
        object.__setattr__(self, "order", (self.turn, *(() if self.first is None else self.first.order)))

    @property
    def prefix(self) -> IPNetwork | None:
        """Where it happens; None for the global parameters."""
        return None if self.first is None else self.first.prefix


def plan(
    desired: Desired, observed: Observed, only: AbstractSet[VipKey] | None = None, held: Held = NOTHING_HELD
) -> tuple[Op, ...]:
    """Operations that turn `observed` into `desired`, in the order given above.

    With `only`, no other VIP is touched, and none is deleted for good; a VIP that would need another one out of its way
    is left for a full plan. Global parameters are set either way: no VIP works without them.
    """
    wishes = desired.vips
    if only is not None:
        wishes = {key: wish for key, wish in wishes.items() if key in only}
    keys_on: dict[IPNetwork, set[VipKey]] = defaultdict(set)
    for key in (*wishes, *observed.vips):
        keys_on[key.prefix].add(key)
    steps = [*conf_step(desired, observed, held)]
    for keys in keys_on.values():
        steps += steps_on(keys, wishes, observed.vips, may_delete=only is None, held=held)
    return tuple(op for step in in_order(steps) for op in (*step.ops, *step.then))


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Rules 1 and 2."""
    return sorted(steps, key=attrgetter("order"))


def conf_step(desired: Desired, observed: Observed, held: Held = NOTHING_HELD) -> Iterator[Step]:
    """Rule 1."""
    if desired.conf is not None and desired.conf != observed.conf and (op := SetConf(desired.conf)) not in held:
        yield Step(Turn.CONF, None, (op,))


def steps_on(
    unordered: Collection[VipKey],
    wishes: Mapping[VipKey, DesiredVip],
    haves: Mapping[VipKey, ObservedVip],
    *,
    may_delete: bool,
    held: Held = NOTHING_HELD,
) -> Iterator[Step]:
    """What is to be done on one prefix; `unordered` are all VIPs on it that are wished for or there."""
    if all(_is_right(wishes.get(key), haves.get(key)) for key in unordered):
        return  # as nearly always; the rest of this looks at each thing more than once
    keys = sorted(unordered, key=lambda key: key.order)
    leaving = {key: why for key in keys if key in haves and (why := _is_in_the_way(key, keys, wishes, haves[key]))}
    if not may_delete and not leaving.keys() <= wishes.keys():
        # Whoever must go for good is in the way of every wish here: they agree on encap and kind, and it does not.
        return
    if leaving:
        move = _move(leaving, keys, wishes, haves)
        if held.isdisjoint(move.ops):
            yield move
        else:
            for key in leaving.keys() & wishes.keys():
                yield from _in_place(key, wishes[key], haves[key], held, weights_only=True)
    for key in keys:
        wish, have = wishes.get(key), haves.get(key)
        if key in leaving or (have is None and leaving):
            continue
        if wish is None:
            yield from _deletion(key, haves[key], held) if may_delete else ()
        elif have is None:
            yield from _creation(key, wish, held)
        elif why := _reason_to_recreate(wish, have):
            yield from _recreation(key, wish, have, why, held)
        else:
            yield from _in_place(key, wish, have, held)


def _is_right(wish: DesiredVip | None, have: ObservedVip | None) -> bool:
    """Whether a VIP needs nothing."""
    if wish is None or have is None or have.encap is not wish.encap or _reason_to_recreate(wish, have):
        return False
    if wish.backends.keys() != have.backends.keys():
        return False
    for address, cell in wish.backends.items():
        now = have.backends[address]
        if cell.weight != now.weight or _wants_flush(cell, now):
            return False
    return True


def _is_in_the_way(key: VipKey, keys: Iterable[VipKey], wishes: Mapping[VipKey, DesiredVip], have: ObservedVip) -> str:
    """Why the observed VIP must go before anything of its prefix can be built; empty if it need not."""
    wish = wishes.get(key)
    if wish is not None and have.encap is not wish.encap:
        return f"encap {have.encap.name.lower()} must become {wish.encap.name.lower()}"
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
    """What VPP cannot change in place and concerns no other VIP; empty if nothing."""
    if have.src_ip_sticky is not None and have.src_ip_sticky != wish.src_ip_sticky:
        return f"src-ip-sticky must become {str(wish.src_ip_sticky).lower()}"
    if have.table_length != wish.table_length:
        return f"table length {have.table_length} must become {wish.table_length}"
    return ""


def _move(
    leaving: Mapping[VipKey, str],
    keys: Iterable[VipKey],
    wishes: Mapping[VipKey, DesiredVip],
    haves: Mapping[VipKey, ObservedVip],
) -> Step:
    """All that leaves a prefix, then all that comes."""
    coming = [key for key in keys if key in wishes and (key in leaving or key not in haves)]
    ops = [op for key, why in leaving.items() for op in _tear_down(key, haves[key], why)]
    ops += [op for key in coming for op in _build(key, wishes[key])]
    is_losing = any(_sends_to_the_dead(wishes[key], haves[key]) for key in leaving if key in wishes)
    first = min((*leaving, *coming), key=lambda key: key.order)
    return Step(Turn.LOSING if is_losing else Turn.CHANGING, first, tuple(ops))


def _recreation(key: VipKey, wish: DesiredVip, have: ObservedVip, why: str, held: Held) -> Iterator[Step]:
    ops = (*_tear_down(key, have, why), *_build(key, wish))
    if held.isdisjoint(ops):
        yield Step(_turn(wish, have), key, ops)
    else:
        yield from _in_place(key, wish, have, held)


def _deletion(key: VipKey, have: ObservedVip, held: Held) -> Iterator[Step]:
    ops = tuple(_tear_down(key, have, "not configured"))
    if held.isdisjoint(ops):
        yield Step(Turn.DELETING, key, ops)


def _creation(key: VipKey, wish: DesiredVip, held: Held) -> Iterator[Step]:
    vip, *backends = _build(key, wish)
    if not held or vip not in held:
        yield Step(Turn.CHANGING, key, (vip, *(op for op in backends if not held or op not in held)))


def _in_place(
    key: VipKey, wish: DesiredVip, have: ObservedVip, held: Held, *, weights_only: bool = False
) -> Iterator[Step]:
    """Rule 3, and rule 5 for the last weight; `weights_only` where nobody can join or leave."""
    grow, loses, settles = _changes(key, wish, have)
    grow = _allowed(grow, held, weights_only)
    loses, settles = _allowed(loses, held, weights_only), _allowed(settles, held, weights_only)
    has_somewhere_to_go = any(cell.weight for cell in wish.backends.values())
    keeps_some = any(
        cell.weight and (now := have.backends.get(address)) and now.weight for address, cell in wish.backends.items()
    )
    shrink = sorted((*loses, *settles), key=lambda op: (isinstance(op, DelBackend), address_order(op.backend)))
    ops: Sequence[Op] = (*grow, *shrink)
    then: Sequence[Op] = ()
    if loses and has_somewhere_to_go and not keeps_some:
        if any(op.weight for op in grow):
            ops, then = grow, shrink
        else:  # what would take over is held
            ops = (*grow, *settles)
    if ops:
        yield Step(_turn(wish, have), key, tuple(ops), tuple(then))


def _allowed(ops: list[T], held: Held, weights_only: bool) -> list[T]:
    if not held and not weights_only:
        return ops
    return [op for op in ops if op not in held and (isinstance(op, SetWeight) or not weights_only)]


def _changes(
    key: VipKey, wish: DesiredVip, have: ObservedVip
) -> tuple[list[AddBackend | SetWeight], list[SetWeight | DelBackend], list[SetWeight | DelBackend]]:
    """What grows, what takes weight away, and what takes none."""
    grow: list[AddBackend | SetWeight] = []
    loses: list[SetWeight | DelBackend] = []
    settles: list[SetWeight | DelBackend] = []
    for address in sorted(wish.backends, key=address_order):
        cell, now = wish.backends[address], have.backends.get(address)
        if now is None:
            grow.append(AddBackend(key, address, cell.weight))
        elif cell.weight > now.weight:
            grow.append(SetWeight(key, address, cell.weight, flush=False))
        elif cell.weight < now.weight:
            loses.append(SetWeight(key, address, cell.weight, flush=_wants_flush(cell, now)))
        elif _wants_flush(cell, now):
            settles.append(SetWeight(key, address, cell.weight, flush=True))
    for address in sorted(have.backends.keys() - wish.backends.keys(), key=address_order):
        (loses if have.backends[address].weight else settles).append(DelBackend(key, address))
    return grow, loses, settles


def _turn(wish: DesiredVip, have: ObservedVip) -> Turn:
    return Turn.LOSING if _sends_to_the_dead(wish, have) else Turn.CHANGING


def _sends_to_the_dead(wish: DesiredVip, have: ObservedVip) -> bool:
    alive = {address for address, cell in wish.backends.items() if cell.weight > 0}
    return any(now.weight > 0 and address not in alive for address, now in have.backends.items())


def _wants_flush(cell: Effective, now: ObservedBackend) -> bool:
    return cell.weight == 0 and cell.flush and now.may_have_flows


def _tear_down(key: VipKey, have: ObservedVip, reason: str) -> Iterator[Op]:
    for address in sorted(have.backends, key=address_order):
        yield DelBackend(key, address)
    yield DelVip(key, reason)


def _build(key: VipKey, wish: DesiredVip) -> Iterator[Op]:
    yield AddVip(key, wish.encap, wish.src_ip_sticky, wish.table_length)
    for address in sorted(wish.backends, key=address_order):
        yield AddBackend(key, address, wish.backends[address].weight)
