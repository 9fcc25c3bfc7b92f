"""Makes VPP's LB table equal to what health asks for, for as long as one session lasts; decides nothing itself.

Edges wake, levels decide: whatever woke it, it computes Desired, plans against Observed, and writes the difference.
Observed is a shadow moved only by acknowledged operations. It is read again (an audit) at the start of a session, after
VIPs or backends were added or removed (VPP's counter indexes moved with them), after any refusal, and on the sync
interval for drift. An audit stops VPP's workers for milliseconds, so there is no other.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Audit, Clock, Dataplane, Emit
from maglev.core.counters import Indexes
from maglev.core.desired import Desired, desired
from maglev.core.events import Drift, OpApplied, OpRefused, Programmed
from maglev.core.model import IPNetwork, LbConf, VipKey
from maglev.core.plan import MEMBERSHIP, Observed, Op, SetConf, advance, carry_flushed, plan
from maglev.core.status import HealthStatus, LbStatus
from maglev.core.warmup import Warmup
from maglev.errors import Refused, Unavailable

OPERATION_DEADLINE_S = 60.0  # for one audit or one batch; a VPP that needs longer is as good as gone
BATCH = 512  # operations between two looks at the health

T = TypeVar("T")


@dataclass(slots=True)
class _Doubt:
    """What this session may not assume: the table itself, and prefixes that VPP refused (None: global parameters)."""

    shadow: Observed | None = None
    audit_at: float = 0.0
    held_until: dict[IPNetwork | None, float] = field(default_factory=dict)
    refused: dict[VipKey, str] = field(default_factory=dict)


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
        self.lb: Cell[LbStatus | None] = Cell(None)
        self.indexes: Cell[Indexes | None] = Cell(None)

    async def serve(self, dataplane: Dataplane) -> None:
        """Reconcile until cancelled. Raises Unavailable or ProtocolError when the session is of no more use."""
        doubt = _Doubt()
        try:
            if (early_s := self._warmup.min_delay_s - self._elapsed_s()) > 0:
                await trio.sleep(early_s)
            while True:
                health = self._health.value
                observed = await self._audited(dataplane, doubt, health)
                ops = self._due(plan(*self._wish(health, observed)), doubt)
                if ops:
                    await self._write(dataplane, doubt, observed, ops, health)
                else:
                    await self._wait(health, doubt)
        finally:
            self.lb.set(None)
            self.indexes.set(None)

    def _elapsed_s(self) -> float:
        return trio.current_time() - self._started_at

    def _wish(self, health: HealthStatus, observed: Observed) -> tuple[Desired, Observed, frozenset[VipKey] | None]:
        """Arguments of plan(): while warming up, only the released frontends."""
        elapsed_s = self._elapsed_s()
        states = {name: status.health.state for name, status in health.backends.items()}
        frontends = [status.frontend for status in health.frontends.values()]
        released = self._warmup.released(elapsed_s, frontends, states)
        backends = {name: status.backend for name, status in health.backends.items()}
        resolved = {name: status.resolved for name, status in health.frontends.items()}
        wish = desired(self._conf, released, resolved, backends)
        only = None if self._warmup.is_over(elapsed_s) else frozenset(frontend.vip for frontend in released)
        return wish, observed, only

    async def _audited(self, dataplane: Dataplane, doubt: _Doubt, health: HealthStatus) -> Observed:
        """The shadow, read anew when it is in doubt or its time has come."""
        shadow = doubt.shadow
        if shadow is not None and trio.current_time() < doubt.audit_at:
            return shadow
        audit = await self._under_deadline("an audit", dataplane.audit)
        observed = carry_flushed(audit.observed, shadow) if shadow is not None else audit.observed
        if shadow is not None and not plan(*self._wish(health, shadow)) and self.indexes.value is not None:
            drift = self._due(plan(*self._wish(health, observed)), doubt)
            if drift:
                self._emit(Drift(tuple(drift)))
        doubt.shadow = observed
        doubt.audit_at = trio.current_time() + self._sync_interval_s
        self._publish(audit, observed, doubt)
        return observed

    def _publish(self, audit: Audit, observed: Observed, doubt: _Doubt) -> None:
        self.lb.set(LbStatus(observed, self._clock.now_ns(), dict(doubt.refused)))
        if audit.indexes != self.indexes.value:
            self.indexes.set(audit.indexes)

    def _due(self, ops: Sequence[Op], doubt: _Doubt) -> list[Op]:
        """`ops` without those on prefixes that VPP refused lately."""
        now = trio.current_time()
        doubt.held_until = {prefix: at for prefix, at in doubt.held_until.items() if at > now}
        return [op for op in ops if _prefix(op) not in doubt.held_until]

    async def _write(
        self, dataplane: Dataplane, doubt: _Doubt, observed: Observed, ops: list[Op], health: HealthStatus
    ) -> None:
        """Send `ops` batch by batch; stop early when the health moved on, as the rest may be wrong by then."""
        moves_indexes = any(isinstance(op, MEMBERSHIP) for op in ops)
        if moves_indexes:
            self.indexes.set(None)
        done: list[Op] = []
        refusals: list[tuple[Op, Refused]] = []
        for start in range(0, len(ops), BATCH):
            batch = ops[start : start + BATCH]
            answers = await self._under_deadline("a batch of writes", partial(dataplane.execute, batch))
            done += [op for op, answer in zip(batch, answers, strict=True) if answer is None]
            refusals += [(op, answer) for op, answer in zip(batch, answers, strict=True) if answer is not None]
            if refusals or self._has_moved(health):
                break
        for op in done:
            self._emit(OpApplied(op))
        if done:
            self._emit(Programmed(tuple(done)))
        self._hold(refusals, doubt)
        if moves_indexes or refusals:
            doubt.audit_at = 0.0
        if refusals:
            # Operations behind a refused one may have met another table than we thought: only VPP knows.
            return
        self._note_success(done, doubt)
        doubt.shadow = advance(observed, done)
        if (lb := self.lb.value) is not None:
            self.lb.set(LbStatus(doubt.shadow, lb.audited_at_ns, dict(doubt.refused)))

    def _hold(self, refusals: list[tuple[Op, Refused]], doubt: _Doubt) -> None:
        """Leave refused prefixes alone until the next sync; say each new reason once."""
        for op, answer in refusals:
            prefix = _prefix(op)
            if prefix in doubt.held_until:
                continue  # what follows from the first refusal on a prefix is no news
            doubt.held_until[prefix] = trio.current_time() + self._sync_interval_s
            reason = str(answer)
            if isinstance(op, SetConf) or doubt.refused.get(op.vip) != reason:
                self._emit(OpRefused(op, reason))
            if not isinstance(op, SetConf):
                doubt.refused[op.vip] = reason

    def _note_success(self, done: list[Op], doubt: _Doubt) -> None:
        for op in done:
            if not isinstance(op, SetConf):
                doubt.refused.pop(op.vip, None)

    async def _wait(self, health: HealthStatus, doubt: _Doubt) -> None:
        """Until the health changes, an audit is due, a held prefix may be tried again or the warmup moves on."""
        deadline = min([doubt.audit_at, *doubt.held_until.values()])
        if (look_s := self._warmup.next_look_s(self._elapsed_s())) is not None:
            deadline = min(deadline, trio.current_time() + look_s)
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


def _prefix(op: Op) -> IPNetwork | None:
    return None if isinstance(op, SetConf) else op.vip.prefix
