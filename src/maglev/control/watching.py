"""Asks the questions: one task for each (address, check), whoever shares it; knows no state of any backend.

A question is due at a time. It waits for its turn in a queue, first come, first served, as no more than `at_once`
probes are under way. A failure that overlapped a stall of our own loop says nothing, and is asked again at once; a pass
counts, as no lateness of ours makes a dead backend answer.
"""

import math
import zlib
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

import trio

from maglev.alarms import Alarm, Alarms
from maglev.control.lag import Lag
from maglev.control.ports import Clock, Emit, Probe
from maglev.core.events import ProbeDone, ProbesInconclusive, ProbeStarted
from maglev.core.model import Backend, HealthCheck, IPAddress, ProbeResult, probe_type
from maglev.core.pacing import Complaints, first_probe_delay_s, jittered_s, second_probe_s, stall_tolerance_s

MAX_PROBES_AT_ONCE = 4096
"""Each holds a file descriptor. So many that 10,000 silent backends are known in three timeouts."""

MAX_REPEATS = 3
"""Of a probe that failed and overlapped a stall. The next failure counts: who is stalled again and again would else
never see a backend die, and that all of them failed for our own lateness is not to be believed."""

OVERDUE_S = 5.0
"""A question that ought to have been put, or a probe that ought to have ended, is overdue after so long."""

Question = tuple[IPAddress, HealthCheck]
Judge = Callable[[Collection[str], HealthCheck, ProbeResult], float]
"""Takes in a result of a check for these backends; returns the seconds from the beginning of this probe to the next."""


class _Watch:
    """One question, and the names of the backends that it is asked for."""

    __slots__ = ("address", "alarm", "check", "due_s", "ends_s", "kind", "members", "scope", "share")

    def __init__(self, address: IPAddress, check: HealthCheck, due_s: float, share: float) -> None:
        self.address = address
        self.check = check
        self.kind = probe_type(check.spec)
        self.due_s = due_s
        self.share = share  # its place among all, in [0, 1)
        self.members: dict[str, None] = {}
        self.scope = trio.CancelScope()
        self.alarm: Alarm | None = None  # while it sleeps
        self.ends_s = math.inf  # when its probe has to come to an end, while one is under way


class Watches:
    """Runs the probes of those backends that have joined and not left."""

    def __init__(
        self, probe: Probe, judge: Judge, emit: Emit, clock: Clock, lag: Lag, at_once: int = MAX_PROBES_AT_ONCE
    ) -> None:
        self._probe = probe
        self._judge = judge
        self._emit = emit
        self._clock = clock
        self._lag = lag
        self._complaints = Complaints()
        self._turns = trio.CapacityLimiter(at_once)
        self._now_s = trio.lowlevel.current_clock().current_time  # trio's own way to it takes five times as long
        self._alarms = Alarms()
        self._watches: dict[Question, _Watch] = {}
        self._nursery: trio.Nursery | None = None
        self._has_ended = True  # a probe, since that was last asked

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Probe until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._alarms.run, name="alarms")
            for watch in self._watches.values():
                self._start(watch, nursery)
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def join(self, backend: Backend, check: HealthCheck, *, at_once: bool) -> None:
        """Ask for `backend` from now on: `at_once`, or within a short while, spread over it by name."""
        now_s, share = self._now_s(), zlib.crc32(backend.name.encode()) / 2**32
        delay_s = 0.0 if at_once else first_probe_delay_s(share, check.timing.fast_interval_s)
        watch = self._watches.get((backend.address, check))
        if watch is None:
            watch = self._watches[backend.address, check] = _Watch(backend.address, check, now_s + delay_s, share)
            watch.members[backend.name] = None
            if self._nursery is not None:
                self._start(watch, self._nursery)
            return
        watch.members[backend.name] = None
        if watch.due_s > now_s + delay_s:  # what is under way counts for the newcomer too
            watch.due_s = now_s + delay_s
            if watch.alarm is not None:
                watch.alarm = self._alarms.move(watch.alarm, watch.due_s)

    def leave(self, backend: Backend, check: HealthCheck) -> None:
        """Ask no more for `backend`, which had joined; a probe that nobody else waits for is cancelled."""
        watch = self._watches[backend.address, check]
        del watch.members[backend.name]
        self._complaints.forget(backend.name)
        if not watch.members:
            watch.scope.cancel()
            del self._watches[backend.address, check]

    def has_progress(self) -> bool:
        """Whether a probe came to an end since this was last asked, or none ought to have; for a watchdog.

        What the result was does not matter: a probe that this machine cannot make (no descriptor, no source address)
        has ended too, as a restart would mend few of its reasons, and forget the health of all. What waits for its
        turn is not overdue: those who have the turns are, if anybody is.
        """
        if self._has_ended:
            self._has_ended = False
            return True
        late_s = self._now_s() - OVERDUE_S
        return not any(
            watch.ends_s < late_s or (watch.alarm is not None and watch.due_s < late_s)
            for watch in self._watches.values()
        )

    def _start(self, watch: _Watch, nursery: trio.Nursery) -> None:
        nursery.start_soon(self._ask_again_and_again, watch, name=f"probe {watch.address} {watch.check.name}")

    async def _ask_again_and_again(self, watch: _Watch) -> None:
        check, kind = watch.check, watch.kind
        tolerance_s = stall_tolerance_s(check.timing)
        repeats, is_first = 0, True
        with watch.scope:
            while True:
                await self._sleep(watch)
                if not watch.members:  # the last one left in this very moment
                    return
                began_s, result = await self._ask(watch)
                is_doubtful = (
                    result.passed is False and repeats < MAX_REPEATS and self._lag.stalled_since(began_s, tolerance_s)
                )
                if is_doubtful:
                    result = replace(result, passed=None, detail=f"maglevd stood still meanwhile; {result.detail}")
                for name in watch.members:
                    self._emit(ProbeDone(name, kind, result))
                if is_doubtful:
                    repeats += 1
                    watch.due_s = self._now_s()
                    continue
                repeats = 0
                self._complain(watch, result)
                interval_s = self._judge(watch.members, check, result)
                if is_first:
                    interval_s, is_first = second_probe_s(watch.share, interval_s), False
                # Not before now: that a timeout is longer than the interval makes nobody late.
                watch.due_s = max(began_s + jittered_s(interval_s, self._clock.chance()), self._now_s())

    async def _sleep(self, watch: _Watch) -> None:
        task = trio.lowlevel.current_task()
        watch.alarm = self._alarms.set(watch.due_s, partial(trio.lowlevel.reschedule, task))

        def abort(_: object) -> trio.lowlevel.Abort:
            if watch.alarm is not None:
                self._alarms.put_off(watch.alarm)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        watch.alarm = None

    async def _ask(self, watch: _Watch) -> tuple[float, ProbeResult]:
        try:
            self._turns.acquire_nowait()
        except trio.WouldBlock:
            await self._turns.acquire()
        try:
            began_s = self._now_s()
            for name in watch.members:
                self._emit(ProbeStarted(name, watch.kind, began_s - watch.due_s))
            watch.ends_s = began_s + watch.check.timing.timeout_s
            result = await self._probe(watch.check, watch.address)
            self._has_ended = True
            return began_s, result
        finally:
            watch.ends_s = math.inf
            self._turns.release()

    def _complain(self, watch: _Watch, result: ProbeResult) -> None:
        reason = result.detail if result.passed is None else None
        for name in watch.members:
            if self._complaints.is_news(name, reason, self._now_s()):
                count = self._complaints.count(result.detail)
                self._emit(ProbesInconclusive(name, watch.kind, result.code, result.detail, count))
