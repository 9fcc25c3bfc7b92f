"""When to act or to speak next: probe intervals, their jitter, and complaints; time and chance are passed in."""

from collections import Counter

from maglev.core.health import Health, State, ceiling
from maglev.core.model import Policy, Timing

JITTER = 0.1  # each interval is stretched or shrunk by up to this share
FIRST_PROBE_WITHIN_S = 2.0  # every backend is asked for the first time within this time of the start
INCONCLUSIVE_AT_LEAST_S = 1.0  # between probes that we could not make; what we lack, thousands of backends lack at once
TOLERATED_SHARE = 0.25  # of a probe's timeout, that a stall of ours may take of it
TOLERATED_AT_MOST_S = 0.25
TELL_AGAIN_AFTER_S = 60.0  # a complaint that comes and goes is told this often at most
REMIND_AFTER_S = 600.0  # of one that stays


def first_probe_delay_s(name_share: float, fast_interval_s: float) -> float:
    """Seconds from the start to the first probe of the backend whose name hashes to `name_share`, in [0, 1).

    By name, so that a start is no burst and is the same every time; within a bound, because a backend that was not
    asked when the warmup ends gets no weight.
    """
    return name_share * min(fast_interval_s, FIRST_PROBE_WITHIN_S)


def second_probe_s(name_share: float, interval_s: float) -> float:
    """Seconds from the first probe to the second: so many that long intervals are spread over their whole length."""
    if interval_s <= FIRST_PROBE_WITHIN_S:
        return interval_s
    return FIRST_PROBE_WITHIN_S + name_share * (interval_s - FIRST_PROBE_WITHIN_S)


def probe_interval_s(health: Health, passed: bool | None, policy: Policy, timing: Timing) -> float:
    """Seconds to the next probe, after one that `passed`, or was inconclusive (None).

    Fast while in doubt, the down interval at 0, the interval at the ceiling.
    """
    if passed is None:
        return max(timing.fast_interval_s, INCONCLUSIVE_AT_LEAST_S)
    if health.state is State.UNKNOWN:
        return timing.fast_interval_s
    if health.counter == 0:
        return timing.down_interval_s
    if health.counter == ceiling(policy):
        return timing.interval_s
    return timing.fast_interval_s


def stall_tolerance_s(timing: Timing) -> float:
    """Seconds that our own loop may have stood still during a probe that counts all the same."""
    return min(TOLERATED_SHARE * timing.timeout_s, TOLERATED_AT_MOST_S)


def jittered_s(interval_s: float, chance: float) -> float:
    """`interval_s` moved by up to 10 % either way; `chance` is uniform in [0, 1)."""
    return interval_s * (1 + JITTER * (2 * chance - 1))


class Complaints:
    """Decides when a fault of ours is told: each time that it appears, but never twice within TELL_AGAIN_AFTER_S.

    One that stays is told again after REMIND_AFTER_S.
    It is there while it is the latest result of any backend. One that comes back too early to be told is told later, if
    it is still there. Reasons hold no word of a peer, so they are few.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}  # by backend, for those whose latest result was inconclusive
        self._backends: Counter[str] = Counter()  # how many have this reason
        self._told_at_s: dict[str, float] = {}
        self._untold: set[str] = set()  # there, and not told since they appeared

    def forget(self, backend: str) -> None:
        """It is not probed any more."""
        self.is_news(backend, None, 0.0)

    def count(self, reason: str) -> int:
        """How many backends it is the latest result of."""
        return self._backends[reason]

    def is_news(self, backend: str, reason: str | None, now_s: float) -> bool:
        """Take in a result of `backend`, None for one that is conclusive; True when the reason is to be told now."""
        if reason is None and not self._reasons:
            return False
        before = self._reasons.pop(backend, None)
        if before is not None:
            self._backends[before] -= 1
            if before != reason and not self._backends[before]:
                self._untold.discard(before)
        if reason is None:
            return False
        if before != reason and not self._backends[reason]:
            self._untold.add(reason)
        self._reasons[backend] = reason
        self._backends[reason] += 1
        told_at_s = self._told_at_s.get(reason)
        patience_s = TELL_AGAIN_AFTER_S if reason in self._untold else REMIND_AFTER_S
        if told_at_s is not None and now_s < told_at_s + patience_s:
            return False
        self._untold.discard(reason)
        self._told_at_s[reason] = now_s
        return True
