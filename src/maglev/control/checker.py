"""Folds results, orders and reloads into health; must not know VPP, who gives the orders, or how a probe is made.

It is the only writer of the health cell. A frontend's state is recomputed when the state of one of its backends
moves, never by polling; a reload is one step from one HealthStatus to the next, and shares with it what did not change.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import trio

from maglev.control.cell import Cell
from maglev.control.lag import Lag
from maglev.control.ports import Clock, Emit, Probe
from maglev.control.watching import MAX_PROBES_AT_ONCE, Watches
from maglev.core import backend as life
from maglev.core.desired import resolve
from maglev.core.events import (
    ActivePoolChanged,
    BackendAdded,
    BackendTransition,
    FrontendAdded,
    FrontendRemoved,
    FrontendTransition,
    UplinkSuspected,
)
from maglev.core.health import PROBED, Order, State
from maglev.core.model import Backend, Frontend, HealthCheck, ProbeResult
from maglev.core.pacing import probe_interval_s
from maglev.core.snapshot import Snapshot
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus
from maglev.core.uplink import Uplink

Change = tuple[BackendStatus | None, BackendStatus]
"""A backend before and after; None: it was not there."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is to be checked; `history` is how many transitions of each backend are kept."""

    backends: Mapping[str, Backend]
    frontends: Mapping[str, Frontend]
    history: int


class Checker:
    """The health of a fleet. `health.value` is complete from the start; `in_warmup` until `end_warmup`."""

    def __init__(
        self,
        fleet: Fleet,
        probe: Probe,
        emit: Emit,
        clock: Clock,
        lag: Lag,
        at_once: int = MAX_PROBES_AT_ONCE,
        *,
        in_warmup: bool = False,
    ) -> None:
        self._in_warmup = in_warmup
        self._emit = emit
        self._clock = clock
        self._uplink = Uplink()
        self._watches = Watches(probe, self._judge, emit, clock, lag, at_once)
        self._history = fleet.history
        self._probed = 0
        self._frontends_of = _by_backend(fleet.frontends.values())
        now_ns = clock.now_ns()
        self._backends = Snapshot({name: life.begun(backend, now_ns) for name, backend in fleet.backends.items()})
        self._frontends = Snapshot({f.name: self._frontend(f, None, now_ns) for f in fleet.frontends.values()})
        self._unsettled = set(self._frontends)  # of which some backend has not been known yet
        self.health = Cell(HealthStatus(self._backends, self._frontends))
        self._follow([(None, status) for status in self._backends.values()], is_order=False)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Probe until cancelled."""
        await self._watches.run(task_status)

    def has_progress(self) -> bool:
        """As `Watches.has_progress`."""
        return self._watches.has_progress()

    def end_warmup(self) -> None:
        """What is not known by now is told as it is: VPP's table is."""
        self._in_warmup = False
        self._unsettled.clear()  # what is not known is told now, and once
        unknown = (name for name, status in self._backends.items() if status.counts_as is State.UNKNOWN)
        names = dict.fromkeys(each for name in unknown for each in self._frontends_of.get(name, ()))
        self._publish([self._frontends[name].frontend for name in names], self._clock.now_ns())

    def order(self, name: str, order: Order) -> None:
        """Pause, resume, enable or disable the backend `name`, which must exist. Raises Refused."""
        old = self._backends[name]
        new = life.ordered(old, order, self._clock.now_ns(), self._history)
        if new is not old:
            self._follow([(old, new)], is_order=True)
            self._move(old, new)

    def change_frontend(self, frontend: Frontend) -> None:
        """Put `frontend` in the place of the one with its name and backends: other weights."""
        self._publish([frontend], self._clock.now_ns())

    def reload(self, fleet: Fleet, *, asks_anew: bool) -> None:
        """Check `fleet` from now on; what is the same object as before goes on as if nothing had happened.

        `asks_anew`: what probes found so far was found in another network namespace.
        """
        now_ns = self._clock.now_ns()
        before, self._history = self._backends, fleet.history
        after = {
            name: life.reloaded(before[name], backend, now_ns, fleet.history, asks_anew=asks_anew)
            if name in before
            else life.begun(backend, now_ns)
            for name, backend in fleet.backends.items()
        }
        gone = {name: life.removed(before[name], now_ns, fleet.history) for name in before if name not in after}
        changes = [(before.get(name), new) for name, new in (*gone.items(), *after.items())]
        changes = [(old, new) for old, new in changes if new is not old]
        self._follow(changes, is_order=False, asks_anew=asks_anew)
        self._backends = Snapshot(after)
        if not self._has_exactly(fleet.frontends):
            self._frontends_of = _by_backend(fleet.frontends.values())
        for old, new in changes:
            self._tell(old, new)
        touched = {
            frontend
            for old, new in changes
            if old is None or _matters(old, new)
            for frontend in self._frontends_of.get(new.backend.name, ())
        }
        self._take_frontends(fleet.frontends, touched, now_ns)

    def _has_exactly(self, frontends: Mapping[str, Frontend]) -> bool:
        before = self._frontends
        return len(before) == len(frontends) and all(
            name in before and before[name].frontend is frontend for name, frontend in frontends.items()
        )

    def _take_frontends(self, frontends: Mapping[str, Frontend], touched: Collection[str], now_ns: int) -> None:
        before, after = self._frontends, dict[str, FrontendStatus]()
        for name, frontend in frontends.items():
            old = before.get(name)
            if old is not None and old.frontend is frontend and name not in touched:
                after[name] = old
                continue
            after[name] = self._frontend(frontend, old, now_ns)
            if old is None:
                self._unsettled.add(name)
                self._emit(FrontendAdded(name, after[name].resolved.state, now_ns))
            else:
                self._tell_frontend(old, after[name], now_ns)
        for name in before:
            if name not in after:
                self._emit(FrontendRemoved(name, before[name].resolved.state, now_ns))
        if len(after) != len(before) or any(a is not b for a, b in zip(after.values(), before.values(), strict=True)):
            self._frontends = Snapshot(after)  # else who compares statuses sees at once that nothing moved
        self._unsettled &= after.keys()
        self.health.set(HealthStatus(self._backends, self._frontends))

    def _judge(self, names: Collection[str], check: HealthCheck, result: ProbeResult) -> float:
        """Take in a result for backends that share a check; returns the seconds to the next probe."""
        soonest_s = math.inf
        for name in names:
            old = self._backends[name]
            self._count_losses(name, check, result)
            new = life.judged(old, result, self._clock.now_ns(), self._history)
            if new is not old:
                self._move(old, new)
            soonest_s = min(soonest_s, probe_interval_s(new.health, result.passed, check.policy, check.timing))
        return soonest_s

    def _count_losses(self, name: str, check: HealthCheck, result: ProbeResult) -> None:
        if result.passed:
            self._uplink.passed(name, self._probed)
        elif result.passed is False:
            lost = self._uplink.failed(name, check.timing, trio.current_time(), self._probed)
            if lost is not None:
                self._emit(UplinkSuspected(lost, self._probed))

    def _follow(self, changes: Sequence[Change], *, is_order: bool, asks_anew: bool = False) -> None:
        """Have probes go where they are wanted now: first all leave who leave, so that nothing old is shared."""
        changes = [(old, new) for old, new in changes if asks_anew or old is None or _is_asked_otherwise(old, new)]
        left = [(old.backend, check) for old, _ in changes if old and (check := _asked(old))]
        joining = [(new.backend, check) for _, new in changes if (check := _asked(new))]
        self._probed += len(joining) - len(left)
        for backend, check in left:
            self._watches.leave(backend, check)
        self._uplink.forget((backend.name for backend, _ in left), self._probed)
        for backend, check in joining:
            self._watches.join(backend, check, at_once=is_order)

    def _move(self, old: BackendStatus, new: BackendStatus) -> None:
        self._backends = self._backends.replaced({new.backend.name: new})
        self._tell(old, new)
        is_other = new.health.state is not old.health.state
        names = self._frontends_of.get(new.backend.name, ()) if is_other else ()
        self._publish([self._frontends[name].frontend for name in names], new.changed_at_ns)

    def _publish(self, touched: Iterable[Frontend], at_ns: int) -> None:
        changes = {}
        for frontend in touched:
            old = self._frontends[frontend.name]
            changes[frontend.name] = new = self._frontend(frontend, old, at_ns)
            self._tell_frontend(old, new, at_ns)
            self._settle(old, new)
        if changes:
            self._frontends = self._frontends.replaced(changes)
        self.health.set(HealthStatus(self._backends, self._frontends))

    def _frontend(self, frontend: Frontend, old: FrontendStatus | None, at_ns: int) -> FrontendStatus:
        """What the backends' health makes of it now; `old` is what it was, whatever the file said of it then."""
        states = {name: self._backends[name].counts_as for name in frontend.backend_names}
        resolved = resolve(frontend, states, in_warmup=self._in_warmup)
        is_same = old is not None and old.resolved.state is resolved.state
        return FrontendStatus(frontend, resolved, old.changed_at_ns if old is not None and is_same else at_ns)

    def _settle(self, old: FrontendStatus, new: FrontendStatus) -> None:
        """Tell once, when all backends are known for the first time, that not the first pool has the traffic."""
        name = new.frontend.name
        if name not in self._unsettled or any(
            self._backends[each].health.state is State.UNKNOWN for each in new.frontend.backend_names
        ):
            return
        self._unsettled.discard(name)
        rank = new.resolved.active_pool
        if rank and rank == old.resolved.active_pool:  # else it has just been told, or that it is down
            self._emit(ActivePoolChanged(name, None, _pool_name(new.frontend, rank), rank))

    def _tell(self, old: BackendStatus | None, new: BackendStatus) -> None:
        backend = new.backend
        if old is None:
            self._emit(BackendAdded(backend.name, backend.address, new.health.state, new.changed_at_ns))
            return
        if new.health.state is old.health.state:
            return
        change = new.transitions[0]
        self._emit(
            BackendTransition(
                backend.name, backend.address, change.before, change.after, change.code, change.detail, change.at_ns
            )
        )

    def _tell_frontend(self, old: FrontendStatus, new: FrontendStatus, at_ns: int) -> None:
        before, after = old.resolved, new.resolved
        name = new.frontend.name
        if before.state is not after.state:
            self._emit(FrontendTransition(name, before.state, after.state, at_ns))
        pools = _pool_name(old.frontend, before.active_pool), _pool_name(new.frontend, after.active_pool)
        if pools[0] != pools[1]:
            self._emit(ActivePoolChanged(name, *pools, after.active_pool))


def _by_backend(frontends: Iterable[Frontend]) -> Mapping[str, Sequence[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for frontend in frontends:
        for name in frontend.backend_names:
            names[name].append(frontend.name)
    return names


def _asked(status: BackendStatus) -> HealthCheck | None:
    """The check that is to be put to a backend; None: it takes no probes."""
    return status.backend.check if status.health.state in PROBED else None


def _is_asked_otherwise(old: BackendStatus, new: BackendStatus) -> bool:
    return _asked(old) != _asked(new) or old.backend.address != new.backend.address


def _matters(old: BackendStatus, new: BackendStatus) -> bool:
    """Whether the frontends of a backend are others by this."""
    return old.counts_as is not new.counts_as or old.backend.address != new.backend.address


def _pool_name(frontend: Frontend, index: int | None) -> str | None:
    return None if index is None else frontend.pools[index].name
