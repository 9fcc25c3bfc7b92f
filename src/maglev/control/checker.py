"""Probes every backend in its own task and folds the results into health; must not know VPP or who listens.

It is the only writer of the health cell. A frontend's state is recomputed when the state of one of its backends
moves, never by polling.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Clock, Emit, Probe
from maglev.core.desired import resolve
from maglev.core.events import (
    ActivePoolChanged,
    BackendTransition,
    FrontendTransition,
    ProbeDone,
    ProbesInconclusive,
    ProbeStarted,
)
from maglev.core.health import Health, State, Transition, step, unknown
from maglev.core.model import Backend, Frontend, HealthCheck, ProbeResult, probe_type
from maglev.core.pacing import Complaints, first_probe_delay_s, jittered_s, probe_interval_s
from maglev.core.snapshot import Snapshot
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus

MAX_PROBES_AT_ONCE = 512  # each holds a file descriptor; the queue behind it is first come, first served


class Checker:
    """Health of `backends` and, from it, of `frontends`. `health.value` is complete from the start."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        frontends: Mapping[str, Frontend],
        history: int,
        probe: Probe,
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._history = history
        self._probe = probe
        self._emit = emit
        self._clock = clock
        self._complaints = Complaints()
        self._turns = trio.CapacityLimiter(MAX_PROBES_AT_ONCE)
        self._frontends_of: dict[str, list[Frontend]] = defaultdict(list)
        for frontend in frontends.values():
            for name in frontend.backend_names:
                self._frontends_of[name].append(frontend)
        now_ns = clock.now_ns()
        started = {b.name: BackendStatus(b, _first_health(b), now_ns, ()) for b in backends.values()}
        states = {name: status.health.state for name, status in started.items()}
        resolved = {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends.values()}
        self._backends, self._frontends = Snapshot(started), Snapshot(resolved)
        self.health = Cell(HealthStatus(self._backends, self._frontends))

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Probe until cancelled."""
        async with trio.open_nursery() as nursery:
            for status in self.health.value.backends.values():
                backend = status.backend
                if backend.check is not None and status.health.state is State.UNKNOWN:
                    nursery.start_soon(self._watch, backend, backend.check, name=f"probe {backend.name}")
            task_status.started()

    async def _watch(self, backend: Backend, check: HealthCheck) -> None:
        name_share = zlib.crc32(backend.name.encode()) / 2**32
        await trio.sleep(first_probe_delay_s(name_share, check.timing.fast_interval_s))
        while True:
            async with self._turns:
                began = trio.current_time()
                self._emit(ProbeStarted(backend.name, probe_type(check.spec)))
                result = await self._probe(check, backend.address)
            self._emit(ProbeDone(backend.name, probe_type(check.spec), result))
            self._complain(backend, check, result)
            self._judge(backend, check, result)
            health = self.health.value.backends[backend.name].health
            interval_s = probe_interval_s(health, result.passed, check.policy, check.timing)
            await trio.sleep_until(began + jittered_s(interval_s, self._clock.chance()))

    def _complain(self, backend: Backend, check: HealthCheck, result: ProbeResult) -> None:
        reason = result.detail if result.passed is None else None
        if self._complaints.is_news(backend.name, reason, trio.current_time()):
            self._emit(ProbesInconclusive(backend.name, probe_type(check.spec), result.code, result.detail))

    def _judge(self, backend: Backend, check: HealthCheck, result: ProbeResult) -> None:
        if result.passed is None:
            return
        status = self.health.value.backends[backend.name]
        health = step(status.health, result.passed, check.policy)
        if health == status.health:
            return
        if health.state is status.health.state:
            self._publish(replace(status, health=health), [])
            return
        now_ns = self._clock.now_ns()
        change = Transition(now_ns, status.health.state, health.state, result.code, result.detail)
        self._emit(
            BackendTransition(
                backend.name, backend.address, change.before, change.after, change.code, change.detail, now_ns
            )
        )
        transitions = (change, *status.transitions)[: self._history]
        self._publish(BackendStatus(backend, health, now_ns, transitions), self._frontends_of[backend.name])

    def _publish(self, status: BackendStatus, touched: list[Frontend]) -> None:
        self._backends = self._backends.replaced({status.backend.name: status})
        moved: dict[str, FrontendStatus] = {}
        for frontend in touched:
            states = {name: self._backends[name].health.state for name in frontend.backend_names}
            old, new = self._frontends[frontend.name].resolved, resolve(frontend, states)
            moved[frontend.name] = FrontendStatus(frontend, new)
            if old.state is not new.state:
                self._emit(FrontendTransition(frontend.name, old.state, new.state, status.changed_at_ns))
            if old.active_pool != new.active_pool:
                names = (_pool_name(frontend, old.active_pool), _pool_name(frontend, new.active_pool))
                self._emit(ActivePoolChanged(frontend.name, *names, new.active_pool))
        if moved:
            self._frontends = self._frontends.replaced(moved)
        self.health.set(HealthStatus(self._backends, self._frontends))


def _pool_name(frontend: Frontend, index: int | None) -> str | None:
    return None if index is None else frontend.pools[index].name


def _first_health(backend: Backend) -> Health:
    if not backend.enabled:
        return Health(State.DISABLED, 0)
    if backend.check is None:
        return Health(State.UP, 0)
    return unknown(backend.check.policy)
