"""Keeps many writers from holding the GIL: turns of a millisecond, with rests as long; must not know what is written.

Probing gives the GIL up at each system call and then waits until whoever has it lets go. One watcher of everything
that 2,000 probes a second tell took more than half of them away, with nothing that any profile shows.
"""

import asyncio
import time
from collections import deque

TURN_S = 0.001
_EACH = 16  # writers after a rest: a message takes some 50 us


class Pace:
    """To be waited for before each write, on one loop. Nobody holds a turn: who is stuck in a write stops none."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._is_resting = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def begin(self) -> None:
        """There was nothing to write until now."""
        self._began_s = time.perf_counter()

    async def turn(self) -> None:
        """Wait until it may be written; those who wait go in the order in which they came."""
        if not self._is_resting:
            if time.perf_counter() - self._began_s < TURN_S:
                return
            self._is_resting = True
            asyncio.get_running_loop().call_later(TURN_S, self._go_on)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def _go_on(self) -> None:
        self.begin()
        released = 0
        while self._waiting and released < _EACH:
            waiting = self._waiting.popleft()
            if not waiting.done():  # else it has gone meanwhile
                waiting.set_result(None)
                released += 1
        if self._waiting:
            asyncio.get_running_loop().call_later(2 * TURN_S, self._go_on)
        else:
            self._is_resting = False
