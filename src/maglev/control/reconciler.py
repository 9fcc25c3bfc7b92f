"""Makes VPP's LB table equal to what health asks for, for as long as one session lasts; decides nothing itself.

Edges wake, levels decide: whatever woke it, it lets the agenda look at what is, and writes what the agenda has in its
queue, a batch at a time. Between two batches it looks again, so that a failover never waits for a long plan.

VPP's table is read again (an audit) at the start of a session, where an answer put it in doubt, after VIPs or backends
were added or removed (VPP's counter indexes moved with them), when asked to, and on the sync interval for drift. An
audit stops VPP's workers for milliseconds, so there is no other, and core.audits bounds their share of the time.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Clock, Dataplane, Emit
from maglev.core.agenda import Agenda, Answer
from maglev.core.audits import AuditPace, AuditReason
from maglev.core.counters import Indexes
from maglev.core.events import Audited, ConfChange, Drift, HeldBack, OpApplied, OpRefused, Programmed
from maglev.core.holdback import Holdback
from maglev.core.model import LbConf
from maglev.core.observed import MEMBERSHIP, Op, SetConf
from maglev.core.status import HealthStatus, LbStatus
from maglev.core.warmup import Warmup
from maglev.errors import Unavailable

OPERATION_DEADLINE_S = 60.0  # for one audit or one batch; a VPP that needs longer is as good as gone
BATCH = 512  # operations between two looks at the health
MANY_DONE = 50_000  # operations told in one event at most

T = TypeVar("T")


class _Work:
    """What one session has to do, and when it did what."""

    def __init__(self, conf: LbConf | None, warmup: Warmup, sync_interval_s: float, may_write_at: float) -> None:
        self.agenda = Agenda(conf, warmup)
        self.pace = AuditPace(sync_interval_s)
        self.audited_at_ns = 0
        self.may_write_at = may_write_at
        self.wrote_at: float | None = None
        self.done: list[Op] = []  # acknowledged, and not yet told


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
    ) -> None:
        self._conf = conf
        self._sync_interval_s = sync_interval_s
        self._warmup = warmup
        self._health = health
        self._emit = emit
        self._clock = clock
        self._holdback = Holdback()
        self._started_at = trio.current_time()  # a lost session does not start the warmup again
        self._pen = trio.Lock()  # whoever holds it may write
        self._is_asked = trio.Event()  # for a sync
        self.lb: Cell[LbStatus | None] = Cell(None)
        self.indexes: Cell[Indexes | None] = Cell(None)

    async def serve(self, dataplane: Dataplane) -> None:
        """Reconcile until cancelled. Raises Unavailable or ProtocolError when the session is of no more use."""
        pause_s = self._holdback.pause_s
        work = _Work(self._conf, self._warmup, self._sync_interval_s, trio.current_time() + pause_s)
        try:
            if (early_s := self._warmup.min_delay_s - self._elapsed_s()) > 0:
                await trio.sleep(early_s)
            if pause_s:
                self._emit(HeldBack(self._holdback.deaths, pause_s))
            while True:
                if self._audit_due_s(work) <= trio.current_time():
                    await self._audit(dataplane, work)
                await self._plan(work)
                if work.agenda.queue and trio.current_time() >= work.may_write_at:
                    await self._write(dataplane, work)
                elif self._audit_due_s(work) > trio.current_time():
                    self._tell(work)
                    await self._wait(work)
        finally:
            self._tell(work)  # also when the session is lost: these were acknowledged
            since_write_s = None if work.wrote_at is None else trio.current_time() - work.wrote_at
            self._holdback = self._holdback.session_ended(since_write_s)
            self.lb.set(None)
            self.indexes.set(None)

    def sync(self) -> None:
        """Read VPP's table soon, and try again at once what it refused."""
        self._is_asked.set()

    async def finish(self) -> None:
        """Let the batch under way come to its end, and write nothing ever after.

        A batch ends where the table may be left (`core.plan.Step`): no VIP has been torn down without its return,
        unless VPP refused part of it. How long that may take is the caller's to bound.
        """
        await self._pen.acquire()

    def _elapsed_s(self) -> float:
        return trio.current_time() - self._started_at

    def _reason_to_audit(self, work: _Work) -> AuditReason:
        if self._is_asked.is_set():
            return AuditReason.ASKED
        return work.agenda.reason_to_audit or AuditReason.DRIFT

    def _audit_due_s(self, work: _Work) -> float:
        return work.pace.due_s(must=self._reason_to_audit(work) is not AuditReason.DRIFT)

    async def _audit(self, dataplane: Dataplane, work: _Work) -> None:
        reason = self._reason_to_audit(work)
        if reason is AuditReason.ASKED:
            self._is_asked = trio.Event()
            work.agenda.forgive()
        audit = await self._under_deadline("an audit", dataplane.audit)
        before_s = work.pace.interval_s
        work.pace.done(trio.current_time(), audit.cost_s)
        work.audited_at_ns = self._clock.now_ns()
        self._emit(Audited(reason, audit.cost_s, work.pace.interval_s, is_slower=work.pace.interval_s > before_s))
        work.agenda.audited(audit.observed)
        if audit.indexes != self.indexes.value:
            self.indexes.set(audit.indexes)

    async def _plan(self, work: _Work) -> None:
        work.agenda.look(self._health.value, self._elapsed_s(), trio.current_time())
        for _ in work.agenda.plan():
            await trio.lowlevel.checkpoint()
        if work.agenda.drift:
            self._emit(Drift(tuple(work.agenda.drift)))
        self._publish(work)

    async def _write(self, dataplane: Dataplane, work: _Work) -> None:
        """Send one batch: first what waits for nothing, then what waited for that."""
        steps = work.agenda.take(BATCH)
        ops = [op for step in steps for op in step.ops]
        if any(isinstance(op, MEMBERSHIP) for op in (*ops, *(op for step in steps for op in step.then))):
            self.indexes.set(None)
        self._warn_of_conf(ops, work)
        async with self._pen:
            work.wrote_at = trio.current_time()
            answers = await self._send(dataplane, ops, work)
            refused = {op for op, reason in answers if reason is not None}
            then = [op for step in steps if refused.isdisjoint(step.ops) for op in step.then]
            answers += await self._send(dataplane, then, work)
            work.wrote_at = trio.current_time()
        for op, reason in work.agenda.answered(answers, trio.current_time()):
            self._emit(OpRefused(op, reason))
        if len(work.done) >= MANY_DONE:
            self._tell(work)

    async def _send(self, dataplane: Dataplane, ops: Sequence[Op], work: _Work) -> list[Answer]:
        if not ops:
            return []
        refusals = await self._under_deadline("a batch of writes", partial(dataplane.execute, ops))
        answers = [(op, None if no is None else str(no)) for op, no in zip(ops, refusals, strict=True)]
        for op, reason in answers:
            if reason is None:
                work.done.append(op)
                self._emit(OpApplied(op))
        return answers

    def _warn_of_conf(self, ops: Sequence[Op], work: _Work) -> None:
        shadow = work.agenda.shadow
        for op in ops:
            if isinstance(op, SetConf) and shadow is not None:
                self._emit(ConfChange(shadow.observed.conf, op.conf, has_vips=bool(shadow.observed.vips)))

    def _publish(self, work: _Work) -> None:
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
                    len(agenda.shadow.doubtful),
                    work.pace.cost_s,
                    work.pace.interval_s,
                    held_back_s,
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
        if work.agenda.queue:
            deadlines.append(work.may_write_at)
        with trio.move_on_at(min(deadlines)):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_health_moves, work, nursery.cancel_scope)
                if self._is_asked.is_set():  # but the audit is not due yet: no reason to go round and round
                    await trio.sleep_forever()
                await self._is_asked.wait()
                nursery.cancel_scope.cancel()

    async def _until_health_moves(self, work: _Work, waiting: trio.CancelScope) -> None:
        """That a counter moved, as it does at every probe of a flap, is nothing."""
        while not work.agenda.is_outdated_by(self._health.value):
            await self._health.changed(self._health.value)
        waiting.cancel()

    async def _under_deadline(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        with trio.move_on_after(OPERATION_DEADLINE_S):
            return await call()
        raise Unavailable(
            f"VPP did not finish {what} within {OPERATION_DEADLINE_S:g} s", hint="is its main thread stuck?"
        )
