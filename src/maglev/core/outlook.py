"""What is left to do to VPP's table: each operation with its effect, and what it waits for; does none of it.

It plans by the rules of the agenda (core.plan, core.scope, core.warmup), but all of the table, of a frozen Status, and
as if nothing had to wait. So whoever reads a Status can ask, and what waits is told, too. The first that fits counts:

| waits for | what                                                                                                     |
|-----------|----------------------------------------------------------------------------------------------------------|
| refused   | steps with a VIP of which VPP refused something that we still want; parameters that it refused           |
| doubt     | steps with a VIP that is not written until the next audit                                                |
| warmup    | what would not be planned now: VIPs of frontends that are not released yet, deletions of VIPs            |
| held-back | everything else, while VPP dies of being written                                                         |
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge

from maglev.core.desired import Desired, DesiredVip
from maglev.core.forecast import Effect, Forecaster
from maglev.core.model import IPNetwork, VipKey
from maglev.core.observed import ObservedVip, Op, SetConf
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


@dataclass(slots=True)
class _Place:
    """A prefix: the frontends on it, and the VIPs that are there."""

    frontends: list[FrontendStatus] = field(default_factory=list)
    there: set[VipKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A step; `early` is what the warmup lets through, None where that is everything."""

    step: Step
    wait: Wait | None
    early: frozenset[Op] | None = None

    @property
    def order(self) -> tuple[int, ...]:
        return self.step.order

    def wait_of(self, op: Op, otherwise: Wait | None) -> Wait | None:
        if self.wait is None and self.early is not None and op not in self.early:
            return Wait.WARMUP
        return self.wait or otherwise


def outlook(health: HealthStatus, lb: LbStatus) -> Iterator[Outstanding | None]:
    """All that is left to do, in order. None between slices, so that others may have their turn."""
    places: dict[IPNetwork, _Place] = {}
    for number, status in enumerate(health.frontends.values(), 1):
        places.setdefault(status.frontend.vip.prefix, _Place()).frontends.append(status)
        if number % SLICE == 0:
            yield None
    for number, key in enumerate(lb.observed.vips, 1):
        places.setdefault(key.prefix, _Place()).there.add(key)
        if number % SLICE == 0:
            yield None
    refused = Wait.REFUSED if lb.conf_refused else None
    runs = [[_Waiting(step, refused) for step in conf_step(Desired(lb.wish, {}), lb.observed)], list[_Waiting]()]
    for number, place in enumerate(places.values(), 1):
        runs[-1] += _left_on(place, health, lb)
        if len(runs[-1]) >= RUN:
            runs[-1].sort(key=_order)
            runs.append([])
        if number % SLICE == 0:
            yield None
    runs[-1].sort(key=_order)
    forecaster, otherwise = Forecaster(lb.observed), Wait.HELD_BACK if lb.held_back_s else None
    for waiting in merge(*runs, key=_order):
        for one in forecaster.forecast(waiting.step):
            yield Outstanding(one.op, one.effect, waiting.wait_of(one.op, otherwise))


def _order(waiting: _Waiting) -> tuple[int, ...]:
    return waiting.order


def _left_on(place: _Place, health: HealthStatus, lb: LbStatus) -> Iterator[_Waiting]:
    wishes = {status.frontend.vip: wish_of(status, health) for status in place.frontends}
    vips = lb.observed.vips
    steps = [*steps_on(place.there | wishes.keys(), wishes, vips, may_delete=True)]
    if not steps:
        return
    early = _early(place, wishes, health, vips) if lb.is_warming_up else None
    for step in steps:
        yield _Waiting(step, _wait(step, lb), early)


def _early(
    place: _Place, wishes: Mapping[VipKey, DesiredVip], health: HealthStatus, vips: Mapping[VipKey, ObservedVip]
) -> frozenset[Op]:
    released = {
        status.frontend.vip: wishes[status.frontend.vip]
        for status in place.frontends
        if is_known(status.frontend, states_of(status.frontend, health))
    }
    steps = steps_on(place.there | released.keys(), released, vips, may_delete=False)
    return frozenset(op for step in steps for op in (*step.ops, *step.then))


def _wait(step: Step, lb: LbStatus) -> Wait | None:
    if not (lb.refused or lb.doubtful):
        return None
    vips = {op.vip for op in (*step.ops, *step.then) if not isinstance(op, SetConf)}
    if not vips.isdisjoint(lb.refused):
        return Wait.REFUSED
    return Wait.DOUBT if vips & lb.doubtful else None
