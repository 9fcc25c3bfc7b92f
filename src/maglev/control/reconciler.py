"""Makes VPP's LB table equal to what health asks for, for as long as one session lasts; decides nothing itself.

Edges wake, levels decide: whatever woke it, it computes Desired, plans against Observed, and writes the difference.
Observed is a shadow moved only by acknowledged operations. It is read again (an audit) at the start of a session, after
VIPs or backends were added or removed (VPP's counter indexes moved with them), after any refusal, and on the sync
interval for drift. An audit stops VPP's workers for milliseconds, so there is no other.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Clock, Dataplane, Emit
from maglev.core.counters import Indexes
from maglev.core.desired import desired
from maglev.core.events import Drift, OpApplied, OpRefused, Programmed
from maglev.core.model import LbConf, VipKey
from maglev.core.plan import MEMBERSHIP, Observed, Op, SetConf, advance, batches, carry_flushed, plan
from maglev.core.refusals import Refusal, due, next_try_s, reasons, refused, remembered
from maglev.core.status import HealthStatus, LbStatus
from maglev.core.warmup import Warmup
from maglev.errors import Refused, Unavailable

OPERATION_DEADLINE_S = 60.0  # for one audit or one batch; a VPP that needs longer is as good as gone
BATCH = 512  # operations between two looks at the health

T = TypeVar("T")


@dataclass(slots=True)
class _Knowledge:
    """What this session knows: the table (None: not yet), when to read it again, and what VPP refused."""

    shadow: Observed | None = None
    audit_at: float = 0.0
    audited_at_ns: int = 0
    refusals: dict[Op, Refusal] = field(default_factory=dict)
    planned: tuple[Op, ...] = ()


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
        self._started_at = trio.current_time()  # a lost session does not start the warmup again
        self._pen = trio.Lock()  # whoever holds it may write
        self.lb: Cell[LbStatus | None] = Cell(None)
        self.indexes: Cell[Indexes | None] = Cell(None)

    async def serve(self, dataplane: Dataplane) -> None:
        """Reconcile until cancelled. Raises Unavailable or ProtocolError when the session is of no more use."""
        known = _Knowledge()
        try:
            if (early_s := self._warmup.min_delay_s - self._elapsed_s()) > 0:
                await trio.sleep(early_s)
            while True:
                before = known.shadow
                observed = await self._audited(dataplane, known)
                health = self._health.value
                known.planned = self._plan(health, observed)
                if before is not None and before is not observed:
                    self._tell_drift(known.planned, health, before)
                now = trio.current_time()
                known.refusals = remembered(known.refusals, known.planned, now, self._sync_interval_s)
                self._publish(known)
                ops = due(known.planned, known.refusals, now, self._sync_interval_s)
                if ops:
                    await self._write(dataplane, known, observed, ops, health)
                else:
                    await self._wait(health, known)
        finally:
            self.lb.set(None)
            self.indexes.set(None)

    async def finish(self) -> None:
        """Let the batch under way come to its end, and write nothing ever after.

        A batch ends where the table may be left (`core.plan.batches`): no VIP has been torn down without its return,
        unless VPP refused part of it. How long that may take is the caller's to bound.
        """
        await self._pen.acquire()

    def _elapsed_s(self) -> float:
        return trio.current_time() - self._started_at

    def _plan(self, health: HealthStatus, observed: Observed) -> tuple[Op, ...]:
        """What VPP needs; while warming up, for the released frontends only."""
        elapsed_s = self._elapsed_s()
        states = {name: status.health.state for name, status in health.backends.items()}
        frontends = [status.frontend for status in health.frontends.values()]
        released = self._warmup.released(elapsed_s, frontends, states)
        backends = {name: status.backend for name, status in health.backends.items()}
        resolved = {name: status.resolved for name, status in health.frontends.items()}
        wish = desired(self._conf, released, resolved, backends)
        only = None if self._warmup.is_over(elapsed_s) else frozenset(frontend.vip for frontend in released)
        return plan(wish, observed, only)

    async def _audited(self, dataplane: Dataplane, known: _Knowledge) -> Observed:
        """The shadow, read anew when it is in doubt or its time has come."""
        shadow = known.shadow
        if shadow is not None and trio.current_time() < known.audit_at:
            return shadow
        audit = await self._under_deadline("an audit", dataplane.audit)
        known.shadow = audit.observed if shadow is None else carry_flushed(audit.observed, shadow)
        known.audit_at = trio.current_time() + self._sync_interval_s
        known.audited_at_ns = self._clock.now_ns()
        if audit.indexes != self.indexes.value:
            self.indexes.set(audit.indexes)
        return known.shadow

    def _tell_drift(self, planned: tuple[Op, ...], health: HealthStatus, before: Observed) -> None:
        """What VPP needs beyond what it needed as far as we knew; that may be something, as we may be refused."""
        expected = frozenset(self._plan(health, before)) if planned else frozenset()
        if drift := tuple(op for op in planned if op not in expected):
            self._emit(Drift(drift))

    def _publish(self, known: _Knowledge) -> None:
        if known.shadow is not None:
            conf_refused, vips_refused = reasons(known.refusals, known.planned)
            self.lb.set(LbStatus(known.shadow, known.audited_at_ns, vips_refused, conf_refused))

    async def _write(
        self, dataplane: Dataplane, known: _Knowledge, observed: Observed, ops: list[Op], health: HealthStatus
    ) -> None:
        """Send `ops` batch by batch; stop early when the health moved on, as the rest may be wrong by then."""
        if any(isinstance(op, MEMBERSHIP) for op in ops):
            self.indexes.set(None)
            known.audit_at = 0.0
        done: list[Op] = []
        refusals: list[tuple[Op, Refused]] = []
        try:
            for batch in batches(ops, BATCH):
                async with self._pen:
                    answers = await self._under_deadline("a batch of writes", partial(dataplane.execute, batch))
                for op, answer in zip(batch, answers, strict=True):
                    if answer is None:
                        done.append(op)
                        self._emit(OpApplied(op))
                    else:
                        refusals.append((op, answer))
                if refusals or self._has_moved(health):
                    break
        finally:  # also when the session is lost: the batches before that were acknowledged
            if done:
                self._emit(Programmed(tuple(done)))
        if refusals:
            # Operations behind a refused one may have met another table than we thought: only VPP knows.
            known.audit_at = 0.0
            self._note(refusals, known)
        for op in done:
            known.refusals.pop(op, None)
        lost = {_vip(op) for op, _ in refusals}
        known.shadow = advance(observed, [op for op in done if _vip(op) not in lost])
        self._publish(known)

    def _note(self, refusals: list[tuple[Op, Refused]], known: _Knowledge) -> None:
        """Remember the refusals; tell the first of each VIP, unless it is the old story: the rest follows from it."""
        told: set[VipKey | None] = set()
        for op, answer in refusals:
            before = known.refusals.get(op)
            known.refusals[op] = refused(known.refusals, op, str(answer), trio.current_time())
            if _vip(op) not in told and (before is None or before.reason != str(answer)):
                self._emit(OpRefused(op, str(answer)))
            told.add(_vip(op))

    async def _wait(self, health: HealthStatus, known: _Knowledge) -> None:
        """Until the health changes, an audit is due, a held operation may be tried again or the warmup moves on."""
        tries = [next_try_s(op, refusal, self._sync_interval_s) for op, refusal in known.refusals.items()]
        now = trio.current_time()
        deadline = min([known.audit_at, *(at for at in tries if at > now)])
        if (look_s := self._warmup.next_look_s(self._elapsed_s())) is not None:
            deadline = min(deadline, now + look_s)
        with trio.move_on_at(deadline):
            while not self._has_moved(health):
                await self._health.changed(self._health.value)

    def _has_moved(self, health: HealthStatus) -> bool:
        """Whether any state is another one; that a counter moved, as it does at every probe of a flap, is nothing."""
        return self._health.value.frontends is not health.frontends

    async def _under_deadline(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        with trio.move_on_after(OPERATION_DEADLINE_S):
            return await call()
        raise Unavailable(
            f"VPP did not finish {what} within {OPERATION_DEADLINE_S:g} s", hint="is its main thread stuck?"
        )


def _vip(op: Op) -> VipKey | None:
    return None if isinstance(op, SetConf) else op.vip
