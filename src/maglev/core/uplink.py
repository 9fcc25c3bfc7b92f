"""Whether so many backends fail at once that the fault is likely ours; says so, and moves nobody's health.

A failure is fresh for one interval of its check, jitter and timeout included: in that time the loss of an uplink shows
on every backend behind it. When the failures of more than half of all backends are fresh it is said, and not again
before half of them answer, nor within TELL_AGAIN_AFTER_S.
"""

from collections.abc import Iterable

from maglev.core.model import Timing
from maglev.core.pacing import JITTER, TELL_AGAIN_AFTER_S

AT_LEAST = 3  # of one or two backends more than half are lost by any fault of theirs


class Uplink:
    """Takes in conclusive results, by backend; `probed` is how many backends there are that are probed."""

    def __init__(self) -> None:
        self._failing: set[str] = set()
        self._fresh_until_s: dict[str, float] = {}  # by backend, for failing ones
        self._is_told = False
        self._silent_until_s = 0.0

    def passed(self, backend: str, probed: int) -> None:
        """It answers."""
        if backend in self._failing:
            self.forget((backend,), probed)

    def failed(self, backend: str, timing: Timing, now_s: float, probed: int) -> int | None:
        """It failed; returns how many did of late where that is to be told now."""
        if backend in self._failing:
            return None
        self._failing.add(backend)
        fresh = self._fresh_until_s
        fresh[backend] = now_s + timing.interval_s * (1 + JITTER) + timing.timeout_s
        if self._is_told or now_s < self._silent_until_s or not _is_most(len(fresh), probed):
            return None
        for name in [name for name, until_s in fresh.items() if until_s < now_s]:
            del fresh[name]
        self._is_told = _is_most(len(fresh), probed)
        if not self._is_told:
            return None
        self._silent_until_s = now_s + TELL_AGAIN_AFTER_S
        return len(fresh)

    def forget(self, backends: Iterable[str], probed: int) -> None:
        """They do not fail any more, or are not probed any more."""
        for name in backends:
            self._failing.discard(name)
            self._fresh_until_s.pop(name, None)
        self._is_told = self._is_told and _is_most(len(self._failing), probed)


def _is_most(count: int, probed: int) -> bool:
    return count >= AT_LEAST and count * 2 > probed
