"""What each operation of a plan would do to traffic; must not know how it is sent, or whether it ever is.

Existing flows stay with their backend whatever the weights, until they are flushed: what weights move is where *new*
flows go, and by how much tells the new-flow table itself (core.flowtable), as VPP would build it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from maglev.core import flowtable
from maglev.core.model import IPAddress, LbConf, VipKey
from maglev.core.observed import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedVip,
    Op,
    SetConf,
    SetWeight,
    advance,
)
from maglev.core.plan import Step

IP4_PADDING = bytes(12)  # VPP keeps IPv4 in the last four of sixteen bytes


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation does to the traffic of its VIP, or of all VIPs for global parameters.

    `moves`: the share of new flows that go to another backend than before, 0 to 1; `drops`: the share that went to one
    and goes nowhere now. `is_breaking`: whether existing flows are cut; `flows`: how many sticky slots they had, as of
    the audit, None where it is not known.
    """

    moves: float = 0.0
    drops: float = 0.0
    is_breaking: bool = False
    flows: int | None = None

    @property
    def is_neutral(self) -> bool:
        """Whether no packet notices."""
        return not (self.moves or self.drops or self.is_breaking)


NEUTRAL = Effect()


@dataclass(frozen=True, slots=True)
class Forecast:
    """An operation and its effect, given those before it."""

    op: Op
    effect: Effect


class Forecaster:
    """Follows a plan, step by step in the order of their sending, from the table as it is now."""

    def __init__(self, observed: Observed) -> None:
        self._conf, self._vips = observed.conf, dict(observed.vips)
        self._made: set[VipKey] = set()  # by this plan, so nobody's flows depend on them yet

    def forecast(self, step: Step) -> Iterator[Forecast]:
        """Each operation of the next step, with its effect; to be read to its end."""
        for op in (*step.ops, *step.then):
            yield Forecast(op, self._effect(op))

    def _effect(self, op: Op) -> Effect:
        vips = self._vips
        if isinstance(op, SetConf):
            before, self._conf = self._conf, op.conf
            return Effect(is_breaking=bool(vips) and _drops_flows(before, op.conf))
        now = Observed(None, {op.vip: vips[op.vip]} if op.vip in vips else {})
        effect = _effect(op, now, self._made)
        if isinstance(op, DelVip):
            del vips[op.vip]
        else:
            vips.update(advance(now, (op,)).vips)
        if isinstance(op, AddVip):
            self._made.add(op.vip)
        return effect


def _effect(
    op: AddVip | DelVip | AddBackend | DelBackend | SetWeight, observed: Observed, made: Collection[VipKey]
) -> Effect:
    match op:
        case AddVip() | DelVip():  # without backends it has no traffic: they went before it, or come after it
            return NEUTRAL
        case AddBackend(vip, backend, weight):
            return NEUTRAL if vip in made else Effect(*_shift(observed.vips[vip], backend, weight))
        case DelBackend(vip, backend):
            return _loss(observed.vips[vip], backend, 0, cuts=True)
        case SetWeight(vip, backend, weight, flush):
            return _loss(observed.vips[vip], backend, weight, cuts=flush)
        case _:
            assert_never(op)


def _drops_flows(before: LbConf | None, after: LbConf) -> bool:
    return before is None or before.sticky_buckets_per_core != after.sticky_buckets_per_core


def _loss(vip: ObservedVip, backend: IPAddress, weight: int, *, cuts: bool) -> Effect:
    now = vip.backends[backend]
    is_breaking = cuts and now.may_have_flows
    return Effect(*_shift(vip, backend, weight), is_breaking, now.flows if is_breaking else None)


def _shift(vip: ObservedVip, backend: IPAddress, weight: int) -> tuple[float, float]:
    """The shares of buckets that get another owner, and that lose theirs, when `backend` gets `weight`."""
    before = {address: now.weight for address, now in vip.backends.items()}
    if before.get(backend, 0) == weight or not vip.table_length:
        return 0.0, 0.0
    after = {**before, backend: weight}
    if not any(after.values()):
        return 0.0, 1.0  # there was some: `backend` had it
    if not any(before.values()):
        return 1.0, 0.0
    return flowtable.moved(vip.table_length, _members(before), _members(after)) / vip.table_length, 0.0


def _members(weights: Mapping[IPAddress, int]) -> tuple[flowtable.Member, ...]:
    return tuple((_as_vpp_keeps_it(address), weight) for address, weight in weights.items() if weight)


def _as_vpp_keeps_it(address: IPAddress) -> bytes:
    return address.packed if address.version == 6 else IP4_PADDING + address.packed
