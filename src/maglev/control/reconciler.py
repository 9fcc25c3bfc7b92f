"""Makes VPP's LB table equal to what health asks for, for as long as one session lasts; decides nothing itself.

Edges wake, levels decide: whatever woke it, it lets the agenda look at what is, and writes what the agenda has in its
queue. A write is a stream that ends at the next step when the health moves on: a failover waits for no long plan.

VPP's table is read again (an audit) at the start of a session, where an answer put it in doubt, after VIPs or backends
were added or removed (VPP's counter indexes moved with them), when asked to, and on the sync interval for drift. An
audit stops VPP's workers for milliseconds, so there is no other, and core.audits bounds their share of the time.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from functools import partial
from typing import TypeVar

import trio

from maglev.control.cell import Cell
from maglev.control.indexing import Indexing
from maglev.control.ports import Audit, Clock, Dataplane, Emit, Settled, unheeded
from maglev.control.syncs import Synced, Syncs
from maglev.core.agenda import Agenda
from maglev.core.audits import AuditPace, AuditReason
from maglev.core.events import Audited, ConfChange, Drift, HeldBack, OpApplied, OpRefused, Programmed
from maglev.core.holdback import Holdback
from maglev.core.model import LbConf
from maglev.core.observed import Observed, Op, SetConf
from maglev.core.plan import Step
from maglev.core.scope import Scope
from maglev.core.status import HealthStatus, LbStatus
from maglev.core.warmup import Warmup
from maglev.errors import MaglevError, ProtocolError, Unavailable

AUDIT_DEADLINE_S = 60.0
ANSWER_DEADLINE_S = 10.0  # to the next answer to a write: no failover is written meanwhile, so patience has an end
BATCH = 512  # operations before those that wait for the answer to one of them
MANY_DONE = 50_000  # operations told in one event at most

T = TypeVar("T")


class _Work:
    """What one session has to do, and when it did what."""

    def __init__(self, agenda: Agenda, sync_interval_s: float, may_write_at: float) -> None:
        self.agenda = agenda
        self.pace = AuditPace(sync_interval_s)
        self.reading: _Reading | None = None
        self.audited = Observed(None, {})
        self.audited_at_ns = 0
        self.told_interval_s = sync_interval_s  # the longest of which the log knows
        self.may_write_at = may_write_at
        self.wrote_at: tuple[float, float] | None = None  # first and last
        self.done: list[Op] = []  # acknowledged, and not yet told
        self.acknowledged = 0  # operations, of the whole session

    def writes(self, now: float) -> None:
        """Something is sent or answered."""
        self.wrote_at = (now if self.wrote_at is None else self.wrote_at[0], now)


class _Reading:
    """An audit under way, and what came of it."""

    def __init__(self, reason: AuditReason, begun_at_ns: int) -> None:
        self.reason = reason
        self.begun_at_ns = begun_at_ns
        self.audit: Audit | None = None
        self.failure: MaglevError | None = None
        self.ended = trio.Event()


class Reconciler:
    """The only writer of VPP's table and of the cells `lb` and `indexes`, which are None while there is no session.

    The warmup runs from construction, which has to happen inside the loop.
    """

    def __init__(
        self,
        conf: LbConf | None,
        sync_interval_s: float,
        warmup: Warmup,
        health: Cell[HealthStatus],
        emit: Emit,
        clock: Clock,
        settled: Settled = unheeded,
    ) -> None:
        self._settled = settled
        self._conf = conf
        self._sync_interval_s = sync_interval_s
        self._warmup = warmup
        self._health = health
        self._emit = emit
        self._clock = clock
        self._scope = Scope()
        self._scope.move_to(health.value)  # here, as it takes some 20 ms for 10,000 frontends
        self._holdback = Holdback()
        self._started_at = trio.current_time()  # a lost session does not start the warmup again
        self._pen = trio.Lock()  # whoever holds it may write
        self._is_finishing = False
        self._is_asked = trio.Event()  # for a sync
        self._syncs = Syncs()
        self._work: _Work | None = None  # of the present session
        self.lb: Cell[LbStatus | None] = Cell(None)
        self._indexing = Indexing()
        self.indexes = self._indexing.indexes

    async def serve(self, dataplane: Dataplane) -> None:
        """Reconcile until cancelled. Raises Unavailable or ProtocolError when the session is of no more use."""
        try:
            async with trio.open_nursery() as nursery:
                await self._serve(dataplane, nursery)
        except BaseExceptionGroup as group:
            # Audits hand over what they raise: what comes out is the loop's own, and leaves as it came.
            if len(group.exceptions) != 1:
                raise
            only = group.exceptions[0]
            raise only from only.__cause__

    async def _serve(self, dataplane: Dataplane, audits: trio.Nursery) -> None:
        pause_s = self._holdback.pause_s
        agenda = Agenda(self._conf, self._warmup, self._scope)
        work = self._work = _Work(agenda, self._sync_interval_s, trio.current_time() + pause_s)
        try:
            if (early_s := self._warmup.min_delay_s - self._elapsed_s()) > 0:
                await trio.sleep(early_s)
            if pause_s:
                self._emit(HeldBack(self._holdback.deaths, pause_s))
            while True:
                if work.reading is not None and work.reading.ended.is_set():
                    await self._take_in(work.reading, work)
                if self._is_audit_due(work):
                    work.reading = self._begin_audit(work)
                    await audits.start(self._read, dataplane, work.reading, name="audit")
                await self._plan(work)
                if work.agenda.queue and trio.current_time() >= work.may_write_at:
                    await self._write(dataplane, work)
                elif not self._is_audit_due(work):
                    if not work.agenda.queue:
                        self._indexing.settle(work.agenda.moved)
                    self._tell(work)
                    if work.agenda.is_done:
                        self._syncs.nothing_left(work.acknowledged, len(work.agenda.refused()[1]))
                    await self._wait(work)
        finally:
            self._tell(work)  # also when the session is lost: these were acknowledged
            if work.wrote_at is not None:
                first_at, last_at = work.wrote_at
                now = trio.current_time()
                self._holdback = self._holdback.session_ended(now - first_at, now - last_at)
            self.lb.set(None)
            self._indexing.lost()
            agenda.close()
            work.reading = self._work = None
            self._syncs.session_ended()

    def adopt(self, conf: LbConf | None, sync_interval_s: float) -> None:
        """Want other global parameters and look for drift at another interval, from now on; `sync` is the caller's."""
        self._conf, self._sync_interval_s = conf, sync_interval_s
        if self._work is not None:
            self._work.agenda.want(conf)
            self._work.pace.sync_interval_s = sync_interval_s
            self._publish(self._work)

    def sync(self) -> None:
        """Read VPP's table soon, and try again at once what it refused."""
        self._is_asked.set()

    async def synced(self) -> Synced:
        """Sync, and wait until nothing is left to write. Raises Unavailable, Overloaded."""
        if self._work is None:
            raise Unavailable("no VPP is connected", hint="is it running? maglevd's log says what is wrong")
        self.sync()
        return await self._syncs.wait()

    async def finish(self) -> None:
        """Let the step under way come to its end, and write nothing ever after.

        There the table may be left (`core.plan.Step`): no VIP has been torn down without its return, unless VPP refused
        part of it. How long that may take is the caller's to bound.
        """
        self._is_finishing = True
        await self._pen.acquire()

    def _elapsed_s(self) -> float:
        return trio.current_time() - self._started_at

    def _reason_to_audit(self, work: _Work) -> AuditReason:
        if self._is_asked.is_set():
            return AuditReason.ASKED
        return work.agenda.reason_to_audit or AuditReason.DRIFT

    def _audit_due_s(self, work: _Work) -> float:
        if work.reading is not None:
            return math.inf
        return work.pace.due_s(must=self._reason_to_audit(work) is not AuditReason.DRIFT)

    def _is_audit_due(self, work: _Work) -> bool:
        return self._audit_due_s(work) <= trio.current_time()

    def _begin_audit(self, work: _Work) -> _Reading:
        reason = self._reason_to_audit(work)
        if reason is AuditReason.ASKED:
            self._is_asked = trio.Event()
            work.agenda.forgive()
        work.agenda.audit_begins()
        self._syncs.audit_begins(work.acknowledged)
        return _Reading(reason, self._clock.now_ns())

    async def _read(self, dataplane: Dataplane, reading: _Reading, task_status: trio.TaskStatus[None]) -> None:
        """A task of its own, started when its questions are put: writes go on, behind them."""
        is_begun = False

        def begun() -> None:
            nonlocal is_begun
            is_begun = True
            task_status.started()

        try:
            reading.audit = await self._within(AUDIT_DEADLINE_S, "an audit", partial(dataplane.audit, begun))
        except (Unavailable, ProtocolError) as error:
            reading.failure = error
        reading.ended.set()
        if not is_begun:
            task_status.started()

    async def _take_in(self, reading: _Reading, work: _Work) -> None:
        work.reading = None
        if reading.audit is None:
            raise reading.failure or Unavailable("an audit came to nothing")
        work.pace.done(trio.current_time(), reading.audit.cost_s)
        work.audited, work.audited_at_ns = reading.audit.observed, self._clock.now_ns()
        self._syncs.audited(work.audited_at_ns)
        self._emit(
            Audited(
                reading.reason,
                reading.audit.cost_s,
                work.pace.interval_s,
                is_slower=work.pace.interval_s > 1.5 * work.told_interval_s,
            )
        )
        work.told_interval_s = max(work.told_interval_s, work.pace.interval_s)
        for _ in work.agenda.audited(reading.audit.observed):
            self._settled()
            await trio.lowlevel.checkpoint()
        self._indexing.audited(reading.audit.indexes, reading.begun_at_ns, work.agenda.moved)

    async def _plan(self, work: _Work) -> None:
        work.agenda.look(self._health.value, self._elapsed_s(), trio.current_time())
        for _ in work.agenda.plan():
            self._settled()
            await trio.lowlevel.checkpoint()
        if work.agenda.drift:
            self._emit(Drift(tuple(work.agenda.drift)))
        self._publish(work)

    async def _write(self, dataplane: Dataplane, work: _Work) -> None:
        """Send what is queued, until the health moves on or what was sent has to be answered before the next."""
        sent: list[Step] = []
        refused: set[Op] = set()
        async with self._pen:
            self._indexing.withdraw(work.agenda.take_moving())
            await self._send(dataplane, self._taken(work, sent), work, refused)
            waiting = [step for step in sent if step.then and refused.isdisjoint(step.ops)]
            if work.agenda.is_outdated_by(self._health.value):  # it may not be wanted any more, and a flush is for good
                work.agenda.again(waiting)
            else:
                await self._send(dataplane, [op for step in waiting for op in step.then], work, refused)

    def _taken(self, work: _Work, sent: list[Step]) -> Iterator[Op]:
        """Operations off the queue, step by step into `sent`; asked for while those before are on their way."""
        count, is_awaited = 0, False
        while work.agenda.queue and not self._is_finishing:
            if is_awaited and count >= BATCH:
                return
            if sent and (work.agenda.is_outdated_by(self._health.value) or self._is_audit_due(work)):
                return  # but the first step was planned a moment ago: who never stops looking never writes
            step = work.agenda.take()
            sent.append(step)
            self._prepare(step, work)
            count += len(step.ops)
            is_awaited |= bool(step.then)
            yield from step.ops

    def _prepare(self, step: Step, work: _Work) -> None:
        """What others must know before the step is sent."""
        work.writes(trio.current_time())
        shadow = work.agenda.shadow
        for op in (*step.ops, *step.then):
            if isinstance(op, SetConf) and shadow is not None:
                self._emit(ConfChange(shadow.observed.conf, op.conf, has_vips=bool(shadow.observed.vips)))

    async def _send(self, dataplane: Dataplane, ops: Iterable[Op], work: _Work, refused: set[Op]) -> None:
        """Send `ops`, and take in the answers as they come."""
        async with aclosing(dataplane.stream(ops)) as chunks:
            while (chunk := await self._within(ANSWER_DEADLINE_S, "a write", partial(anext, chunks, None))) is not None:
                now = trio.current_time()
                work.writes(now)
                answers = [(op, None if no is None else str(no)) for op, no in chunk]
                for op, reason in answers:
                    if reason is None:
                        work.done.append(op)
                        work.acknowledged += 1
                        self._emit(OpApplied(op))
                    else:
                        refused.add(op)
                for op, reason in work.agenda.answered(answers, now):
                    self._emit(OpRefused(op, reason))
                self._publish(work)
                if len(work.done) >= MANY_DONE:
                    self._tell(work)

    def _publish(self, work: _Work) -> None:
        self._settled()
        agenda = work.agenda
        if agenda.shadow is not None:
            conf_refused, vips_refused = agenda.refused()
            held_back_s = 0.0 if trio.current_time() >= work.may_write_at else self._holdback.pause_s
            self.lb.set(
                LbStatus(
                    agenda.shadow.observed,
                    work.audited_at_ns,
                    vips_refused,
                    conf_refused,
                    frozenset(agenda.shadow.doubtful),
                    work.pace.cost_s,
                    work.pace.interval_s,
                    held_back_s,
                    work.audited,
                    agenda.wish,
                    agenda.is_warming_up,
                    agenda.held,
                )
            )

    def _tell(self, work: _Work) -> None:
        if work.done:
            self._emit(Programmed(tuple(work.done)))
            work.done = []

    async def _wait(self, work: _Work) -> None:
        """Until the health changes, a sync is asked for, or time alone gives something to do."""
        now = trio.current_time()
        deadlines = [self._audit_due_s(work)]
        if (try_s := work.agenda.next_try_s(now)) is not None:
            deadlines.append(try_s)
        if (look_s := self._warmup.next_look_s(self._elapsed_s())) is not None:
            deadlines.append(now + look_s)
        if now < work.may_write_at:
            deadlines.append(work.may_write_at)
        with trio.move_on_at(min(deadlines)):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_health_moves, work, nursery.cancel_scope)
                if work.reading is not None:
                    await work.reading.ended.wait()
                elif self._is_asked.is_set():  # but no audit is due yet: no reason to go round and round
                    await trio.sleep_forever()
                else:
                    await self._is_asked.wait()
                nursery.cancel_scope.cancel()

    async def _until_health_moves(self, work: _Work, waiting: trio.CancelScope) -> None:
        """That a counter moved, as it does at every probe of a flap, is nothing."""
        while not work.agenda.is_outdated_by(self._health.value):
            await self._health.changed(self._health.value)
        waiting.cancel()

    async def _within(self, deadline_s: float, what: str, call: Callable[[], Awaitable[T]]) -> T:
        with trio.move_on_after(deadline_s):
            return await call()
        raise Unavailable(f"VPP did not finish {what} within {deadline_s:g} s", hint="is its main thread stuck?")
