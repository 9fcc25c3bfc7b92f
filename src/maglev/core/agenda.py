"""What is left to do to one VPP: the queue of steps, kept right while health, answers and time move; does none of it.

It looks at what is (health, the table as far as we know it, what VPP refused), plans anew the prefixes that anything
touched, and takes in the answers to what was sent. Time is passed in. Three things keep a VIP out of the queue: it is
as desired, what it needs is held (core.refusals), or it is in doubt (core.shadow) until the next audit.
"""

import math
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from maglev.core import refusals
from maglev.core.audits import AuditReason
from maglev.core.counters import Moved
from maglev.core.desired import Desired
from maglev.core.model import IPNetwork, LbConf, VipKey
from maglev.core.observed import Observed, Op, SetConf, with_flushed
from maglev.core.plan import NOTHING_HELD, Held, Step, conf_step, in_order, steps_on
from maglev.core.refusals import Refusal
from maglev.core.scope import Scope
from maglev.core.shadow import Shadow
from maglev.core.status import HealthStatus
from maglev.core.warmup import Warmup

SLICE = 64  # prefixes planned between two turns of everybody else
DOUBT_PATIENCE_S = 1.0  # for the rest of the queue, so that one audit serves all who are in doubt
FEW = 16  # steps come in one by one if those already in order are so many times more

Answer = tuple[Op, str | None]
"""An operation that was sent, and why VPP refused it; None if it did it."""


class Agenda:
    """For one session with VPP; `shadow` is None until the first audit. The `scope` may outlive it."""

    def __init__(self, conf: LbConf | None, warmup: Warmup, scope: Scope) -> None:
        self.shadow: Shadow | None = None
        self.queue: deque[Step] = deque()
        self.drift: list[Op] = []
        self._wish = Desired(conf, {})  # of global parameters; that of VIPs is worked out by prefix
        self._warmup = warmup
        self._elapsed_s = 0.0
        self._now_s = 0.0
        self._doubt_since_s = 0.0
        self._scope = scope
        self._stale: set[IPNetwork] = set()  # prefixes to be planned anew
        self._refusals: dict[Op, Refusal] = {}
        self._held = NOTHING_HELD
        self._held_until_s = 0.0  # when to work that out again
        self._moot: Held = NOTHING_HELD  # refused, and not wanted any more
        self._at_audit = Observed(None, {})  # what we knew when the latest audit began
        self._doubts_at_audit: frozenset[VipKey] = frozenset()
        self._since_audit: list[Op] = []  # acknowledged after that, while it is under way
        self._is_reading = False
        self._moving = Moved()  # by what was planned, until it was told
        self._before: Shadow | None = None  # what we took for the table until the audit that is to be planned for

    @property
    def reason_to_audit(self) -> AuditReason | None:
        """Why the table has to be read; None if it need not."""
        if self.shadow is None:
            return AuditReason.START
        if self.shadow.doubtful and (not self.queue or self._now_s >= self._doubt_since_s + DOUBT_PATIENCE_S):
            return AuditReason.DOUBT
        if self.shadow.moved and not self.queue:
            return AuditReason.INDEXES
        return None

    @property
    def is_done(self) -> bool:
        """Whether the table is as desired, but for what VPP refuses."""
        return self.shadow is not None and not self.shadow.doubtful and not self.queue

    @property
    def wish(self) -> LbConf | None:
        """What the global parameters shall be; None to leave them alone."""
        return self._wish.conf

    @property
    def is_warming_up(self) -> bool:
        """Whether it was so at the last look, by which the queue is made."""
        return not self._warmup.is_over(self._elapsed_s)

    @property
    def held(self) -> frozenset[Op]:
        """What was not to be tried at the last look, by which the queue is made; one object until that changes."""
        return self._held

    @property
    def moved(self) -> Moved:
        """Whose indexes may be others by what was done since the latest audit began."""
        return Moved() if self.shadow is None else self.shadow.moved

    def take_moving(self) -> Moved:
        """Whose indexes what is queued may move; each is told once, unless it was planned anew."""
        moving, self._moving = self._moving, Moved()
        return moving

    def want(self, conf: LbConf | None) -> None:
        """Other global parameters are wished for, from the next plan on."""
        self._wish = Desired(conf, {})

    def close(self) -> None:
        """Let go of the table. A session's end leaves cycles of exceptions and frames behind, and they hold us."""
        self.shadow = self._before = None
        self.queue, self.drift, self._since_audit = deque(), [], []
        self._at_audit = Observed(None, {})

    def audit_begins(self) -> None:
        """What is answered from now on is of after the audit, as VPP works in order; nothing may be unanswered now."""
        self._at_audit = self.shadow.observed if self.shadow else Observed(None, {})
        self._doubts_at_audit = frozenset(self.shadow.doubtful) if self.shadow else frozenset()
        self._is_reading, self._since_audit = True, []

    def audited(self, observed: Observed) -> Iterator[None]:
        """VPP's table was read whole, as of when the audit began. Yields between slices, as `plan` does."""
        self._before = self.shadow
        shadow = Shadow(observed.conf)
        for number, (key, vip) in enumerate(observed.vips.items(), 1):
            shadow.found(key, with_flushed(vip, self._at_audit.vips.get(key)))
            if number % SLICE == 0:
                yield
        if self._before is not None:
            shadow.doubtful |= self._before.doubtful - self._doubts_at_audit
            shadow.acknowledge(self._since_audit)
        yield
        self.shadow, self.queue, self._moving = shadow, deque(), Moved()
        self._is_reading, self._since_audit = False, []
        self._stale |= self._scope.prefixes | shadow.prefixes

    def forgive(self) -> None:
        """Whatever was refused may be tried at once, as if never asked; to be followed by an audit."""
        self._refusals, self._held, self._moot = {}, NOTHING_HELD, NOTHING_HELD
        self._held_until_s = 0.0

    def look(self, health: HealthStatus, elapsed_s: float, now_s: float) -> None:
        """See what moved: the health, the warmup, `elapsed_s` after the start, and the time of those held."""
        was_over = self._warmup.is_over(self._elapsed_s)
        self._elapsed_s, self._now_s = elapsed_s, now_s
        self._stale |= self._scope.move_to(health)
        if self._warmup.is_over(elapsed_s) and not was_over:
            self._stale |= self._scope.prefixes | (self.shadow.prefixes if self.shadow else set())
        if now_s >= self._held_until_s:
            self._hold(now_s)

    def _hold(self, now_s: float) -> None:
        """Work out what is held, and until when that is so."""
        held = refusals.held(self._refusals, now_s)
        self._stale |= _prefixes(held ^ self._held)
        self._held = held
        for op in self._moot:
            if refusals.forget_s(self._refusals[op]) <= now_s:
                del self._refusals[op]
        self._moot &= self._refusals.keys()
        free_s = refusals.next_try_s(self._refusals, now_s)
        forget_s = min((refusals.forget_s(self._refusals[op]) for op in self._moot), default=math.inf)
        self._held_until_s = min(forget_s, math.inf if free_s is None else free_s)

    def is_outdated_by(self, health: HealthStatus) -> bool:
        """Whether a frontend is not what it was at the last look."""
        return self._scope.health.frontends is not health.frontends

    def plan(self) -> Iterator[None]:
        """Bring the queue up to date; yields between slices, so that whoever drives it can let others have a turn."""
        shadow = self.shadow
        if shadow is None:
            return
        stale, self._stale = self._stale, set()
        known, self._before = self._before, None
        refused = _prefixes(self._refusals)
        wanted: set[Op] = set(_ops(conf_step(self._wish, shadow.observed)))
        expected: set[Op] = set(_ops(conf_step(self._wish, known.observed, self._held))) if known else set()
        fresh: list[Step] = []
        for number, prefix in enumerate(stale, 1):
            steps = [s for s in self._steps_on(prefix, shadow, self._held) if _is_certain(s, shadow)]
            fresh += steps
            for step in steps:
                self._moving.add((*step.ops, *step.then))
            if known is not None and steps:
                expected.update(_ops(self._steps_on(prefix, known, self._held)))
            if prefix in refused:
                wanted.update(_ops(self._steps_on(prefix, shadow, NOTHING_HELD)))
            if number % SLICE == 0:
                yield
        yield
        planned = stale | {None}
        fresh = in_order((*conf_step(self._wish, shadow.observed, self._held), *fresh))
        self._enqueue(fresh, lambda step: step.prefix not in planned)
        self.drift = [op for op in _ops(fresh) if op not in expected] if known else []
        self._moot = frozenset(
            op for op in self._refusals if (op not in wanted if _prefix(op) in planned else op in self._moot)
        )
        if self._moot:
            self._held_until_s = 0.0  # to see when they are to be forgotten

    def take(self) -> Step:
        """The next step, out of the queue."""
        return self.queue.popleft()

    def again(self, steps: Iterable[Step]) -> None:
        """What is left of `steps` was not sent: plan it anew."""
        self._stale |= {step.first.prefix for step in steps if step.first is not None}

    def answered(self, answers: Sequence[Answer], now_s: float) -> list[tuple[Op, str]]:
        """Take in what VPP answered, in order; returns the refusals worth telling, the first of each VIP."""
        shadow = self.shadow
        if shadow is None:
            return []
        done = [op for op, reason in answers if reason is None]
        news: list[tuple[Op, str]] = []
        told: set[VipKey | None] = set()
        touched = {_vip(op) for op in done}
        for op, reason in answers:
            if reason is None:
                continue
            before, vip = self._refusals.get(op), _vip(op)
            is_news = refusals.is_news(before, reason)
            self._refusals[op] = refusals.refused(before, reason, now_s)
            self._held_until_s = now_s
            if is_news and vip not in told:
                news.append((op, reason))
            told.add(vip)
            if vip is None:
                continue
            if is_news or vip in touched:  # what we knew of it was wrong, or may be now
                self._doubt_since_s = self._doubt_since_s if shadow.doubtful else now_s
                shadow.doubtful.add(vip)
            self._stale.add(vip.prefix)  # whatever else is queued there goes with the next plan
        for op in done:
            self._refusals.pop(op, None)
        self._moot &= self._refusals.keys()
        if self._is_reading:
            self._since_audit += done
        shadow.acknowledge(done)
        return news

    def refused(self) -> tuple[str, dict[VipKey, str]]:
        """Why the global parameters are not set (empty if they are), and why each VIP is not as it should be."""
        return refusals.reasons({op: known for op, known in self._refusals.items() if op not in self._moot})

    def next_try_s(self, now_s: float) -> float | None:
        """When something that is held comes free."""
        return refusals.next_try_s(self._refusals, now_s)

    def _steps_on(self, prefix: IPNetwork, shadow: Shadow, held: Held) -> Iterator[Step]:
        wishes = self._scope.wishes_on(prefix, self._warmup, self._elapsed_s)
        keys = wishes.keys() | shadow.keys_on(prefix)
        is_over = self._warmup.is_over(self._elapsed_s)
        return steps_on(keys, wishes, shadow.observed.vips, may_delete=is_over, held=held)

    def _enqueue(self, fresh: Sequence[Step], stays: Callable[[Step], bool]) -> None:
        kept = [step for step in self.queue if stays(step)]
        if len(fresh) * FEW > len(kept):
            kept = in_order((*kept, *fresh))
        else:
            for step in fresh:
                insort(kept, step, key=attrgetter("order"))
        self.queue = deque(kept)


def _ops(steps: Iterable[Step]) -> Iterator[Op]:
    for step in steps:
        yield from step.ops
        yield from step.then


def _is_certain(step: Step, shadow: Shadow) -> bool:
    return not shadow.doubtful or all(_vip(op) not in shadow.doubtful for op in (*step.ops, *step.then))


def _vip(op: Op) -> VipKey | None:
    return None if isinstance(op, SetConf) else op.vip


def _prefix(op: Op) -> IPNetwork | None:
    return None if isinstance(op, SetConf) else op.vip.prefix


def _prefixes(ops: Iterable[Op]) -> set[IPNetwork]:
    return {op.vip.prefix for op in ops if not isinstance(op, SetConf)}
