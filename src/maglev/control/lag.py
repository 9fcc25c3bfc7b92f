"""Measures how late trio's loop is, so that nobody blames a backend for it; knows nothing of probes.

A beat is due every BEAT_S. Whatever holds the loop, a long step of ours, another thread with the GIL, a busy machine, a
SIGSTOP, makes it late; and a beat that is overdue tells the same before it had its turn.
"""

from collections.abc import Callable

import trio

from maglev.control.ports import Emit
from maglev.core.events import LoopStalled

BEAT_S = 0.05
TOLD_FROM_S = 0.25  # what is worth a line in the log
TELL_AGAIN_AFTER_S = 60.0
_RANKS = 24  # the last one is for more than an hour


class Lag:
    """`observe` is told the lateness of each beat, in seconds."""

    def __init__(self, emit: Emit, observe: Callable[[float], None]) -> None:
        self._emit = emit
        self._observe = observe
        self._due_s: float | None = None  # None while nobody measures
        self._ended_at_s = [-1.0] * _RANKS  # the latest stall of at least 2^rank milliseconds
        self._told_at_s: float | None = None
        self._untold = 0
        self._worst_s = 0.0
        self._last_s = 0.0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Measure until cancelled."""
        self._due_s = trio.current_time() + BEAT_S
        task_status.started()
        try:
            while True:
                await trio.sleep_until(self._due_s)
                now_s = trio.current_time()
                self._beat(now_s, now_s - self._due_s)
                self._due_s = now_s + BEAT_S
        finally:
            self._due_s = None

    def stalled_since(self, began_s: float, tolerance_s: float) -> bool:
        """Whether the loop stood still for more than some `tolerance_s` at any time since `began_s` (trio's clock).

        Stalls are remembered by powers of two: one of half the tolerance may count already, one above it always does.
        """
        if self._due_s is not None and trio.current_time() - self._due_s > tolerance_s:
            return True
        return self._ended_at_s[min(max(_length(tolerance_s) - 1, 0), _RANKS - 1)] > began_s

    def _beat(self, now_s: float, late_s: float) -> None:
        self._observe(late_s)
        for rank in range(min(_length(late_s), _RANKS)):
            self._ended_at_s[rank] = now_s
        if late_s >= TOLD_FROM_S:
            self._untold, self._last_s = self._untold + 1, now_s
            self._worst_s = max(self._worst_s, late_s)
        if self._untold and (self._told_at_s is None or now_s >= self._told_at_s + TELL_AGAIN_AFTER_S):
            self._emit(LoopStalled(self._untold, self._worst_s, now_s - self._last_s))
            self._told_at_s, self._untold, self._worst_s = now_s, 0, 0.0


def _length(seconds: float) -> int:
    """How many powers of two, in milliseconds and from 1 on, are not above `seconds`."""
    return int(seconds * 1000).bit_length()
