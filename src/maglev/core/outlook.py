"""What is left to do to VPP's table: each operation with its effect, and what it waits for; does none of it.

It plans by the rules of the agenda (core.plan, core.scope, core.warmup), but all of the table, of a frozen Status, and
as if nothing had to wait. So whoever reads a Status can ask, and what waits is told, too. During the warmup it tells
nothing of frontends that are not released, but how many there are: no result of a probe is no reason for a plan that
takes all weights from a table that is right, as if every backend were down. The first that fits counts:

| waits for | what                                                                                                     |
|-----------|----------------------------------------------------------------------------------------------------------|
| refused   | what is not done while VPP keeps refusing something: that, and what would do harm without it             |
| doubt     | steps with a VIP that is not written until the next audit                                                |
| warmup    | deletions of VIPs that no frontend has                                                                   |
| held-back | everything else, while VPP dies of being written                                                         |

What waits for a refusal is the plan that is left once all else on its prefix is done. So it comes after that, and a VIP
that VPP will not let us recreate is first put right as it stands.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from heapq import merge

from maglev.core.desired import Desired, DesiredVip
from maglev.core.forecast import Effect, Forecaster
from maglev.core.model import IPNetwork, VipKey
from maglev.core.observed import Observed, Op, SetConf, advance
from maglev.core.plan import Step, conf_step, steps_on
from maglev.core.scope import states_of, wish_of
from maglev.core.status import FrontendStatus, HealthStatus, LbStatus
from maglev.core.warmup import is_known

SLICE = 32  # of anything, between two turns of everybody else
RUN = 512  # steps sorted in one go


class Wait(enum.Enum):
    """Why an operation is not sent at once."""

    REFUSED = "refused"
    DOUBT = "doubt"
    WARMUP = "warmup"
    HELD_BACK = "held-back"


@dataclass(frozen=True, slots=True)
class Outstanding:
    """An operation that is left to do, its effect given those before it, and what it waits for."""

    op: Op
    effect: Effect
    wait: Wait | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """So many VIPs of which nothing is planned yet, as a backend of theirs is unknown in the warmup."""

    vips: int


@dataclass(slots=True)
class _Place:
    """A prefix: the frontends on it, the VIPs that are there, and what is not to be tried."""

    frontends: list[FrontendStatus] = field(default_factory=list)
    there: set[VipKey] = field(default_factory=set)
    held: set[Op] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Waiting:
    step: Step
    wait: Wait | None
    order: tuple[int, ...]


def outlook(health: HealthStatus, lb: LbStatus) -> Iterator[Outstanding | Unknown | None]:
    """All that is left to do, in order, then what is not known yet, if anything is.

    None between slices, so that others may have their turn.
    """
    places: dict[IPNetwork, _Place] = {}
    yield from _look(places, health, lb)
    runs = [[*_parameters(lb)], list[_Waiting]()]
    unknown = 0
    for number, place in enumerate(places.values(), 1):
        released = _released(place, health) if lb.is_warming_up else place.frontends
        unknown += len(place.frontends) - len(released)
        runs[-1] += _left_on(place, released, health, lb)
        if len(runs[-1]) >= RUN:
            runs[-1].sort(key=_order)
            runs.append([])
        if number % SLICE == 0:
            yield None
    runs[-1].sort(key=_order)
    forecaster, otherwise = Forecaster(lb.observed), Wait.HELD_BACK if lb.held_back_s else None
    for waiting in merge(*runs, key=_order):
        for one in forecaster.forecast(waiting.step):
            yield Outstanding(one.op, one.effect, waiting.wait or otherwise)
    if unknown:
        yield Unknown(unknown)


def _order(waiting: _Waiting) -> tuple[int, ...]:
    return waiting.order


def _look(places: dict[IPNetwork, _Place], health: HealthStatus, lb: LbStatus) -> Iterator[None]:
    """Find all places, in slices."""
    for number, status in enumerate(health.frontends.values(), 1):
        places.setdefault(status.frontend.vip.prefix, _Place()).frontends.append(status)
        if number % SLICE == 0:
            yield None
    for number, key in enumerate(lb.observed.vips, 1):
        places.setdefault(key.prefix, _Place()).there.add(key)
        if number % SLICE == 0:
            yield None
    for number, op in enumerate(lb.held, 1):
        if not isinstance(op, SetConf) and (known := places.get(op.vip.prefix)):
            known.held.add(op)
        if number % SLICE == 0:
            yield None


def _parameters(lb: LbStatus) -> Iterator[_Waiting]:
    for step in conf_step(Desired(lb.wish, {}), lb.observed):
        yield _Waiting(step, None if lb.held.isdisjoint(step.ops) else Wait.REFUSED, step.order)


def _released(place: _Place, health: HealthStatus) -> list[FrontendStatus]:
    return [each for each in place.frontends if is_known(each.frontend, states_of(each.frontend, health))]


def _left_on(
    place: _Place, released: Sequence[FrontendStatus], health: HealthStatus, lb: LbStatus
) -> Iterator[_Waiting]:
    wishes = {status.frontend.vip: wish_of(status, health) for status in released}
    yield from _planned(place.there | wishes.keys(), wishes, place, lb, may_delete=not lb.is_warming_up)
    if lb.is_warming_up:
        strangers = place.there.difference(status.frontend.vip for status in place.frontends)
        yield from _planned(strangers, {}, place, lb, may_delete=True, otherwise=Wait.WARMUP)


def _planned(
    keys: AbstractSet[VipKey],
    wishes: Mapping[VipKey, DesiredVip],
    place: _Place,
    lb: LbStatus,
    *,
    may_delete: bool,
    otherwise: Wait | None = None,
) -> Iterator[_Waiting]:
    """What the agenda would do there, then what is left to do once that is done."""
    vips = lb.observed.vips
    sent = [*steps_on(keys, wishes, vips, may_delete=may_delete, held=place.held)]
    for step in sent:
        is_doubtful = lb.doubtful and not lb.doubtful.isdisjoint(_vips(step))
        yield _Waiting(step, Wait.DOUBT if is_doubtful else otherwise, step.order)
    if not place.held:
        return
    there = {key: vips[key] for key in keys if key in vips}
    after = advance(Observed(None, there), [op for step in sent for op in _ops(step)]).vips
    for step in steps_on(after.keys() | wishes.keys(), wishes, after, may_delete=may_delete):
        touched = _vips(step)
        before = (each.order for each in sent if each.first in touched)
        yield _Waiting(step, Wait.REFUSED, max((step.order, *before)))


def _ops(step: Step) -> tuple[Op, ...]:
    return (*step.ops, *step.then)


def _vips(step: Step) -> set[VipKey]:
    return {op.vip for op in _ops(step) if not isinstance(op, SetConf)}
