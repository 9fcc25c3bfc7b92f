"""Keeps writers from holding the GIL when others need it: turns of a millisecond, then rests; writes nothing itself.

gRPC sends each message of a stream by system calls of its own, with the GIL held. One watcher of everything that 2,000
probes a second tell took more than half of them away; so writers get what the checker's thread leaves of one core.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

TURN_S = 0.001
_EACH = 16  # writers after a rest: a message takes some 50 us


class Pace:
    """To be waited for before each write, on one loop. Nobody holds a turn: who is stuck in a write stops none.

    `share` says how much of one core writers may take now, more than 0 and less than 1.
    """

    def __init__(self, share: Callable[[], float]) -> None:
        self._share = share
        self._began_s = 0.0
        self._is_resting = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def begin(self) -> None:
        """There was nothing to write until now."""
        self._began_s = time.perf_counter()

    async def turn(self) -> None:
        """Wait until it may be written; those who wait go in the order in which they came."""
        loop = asyncio.get_running_loop()
        if not self._is_resting:
            if time.perf_counter() - self._began_s < TURN_S:
                return
            self._is_resting = True
            loop.call_later(self._rest_s(), self._go_on)
        waiting = loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _rest_s(self) -> float:
        return TURN_S * (1 / self._share() - 1)

    def _go_on(self) -> None:
        self.begin()
        released = 0
        while self._waiting and released < _EACH:
            waiting = self._waiting.popleft()
            if not waiting.done():  # else it has gone meanwhile
                waiting.set_result(None)
                released += 1
        if self._waiting:
            asyncio.get_running_loop().call_later(TURN_S + self._rest_s(), self._go_on)
        else:
            self._is_resting = False


class Leftover:
    """What one thread leaves of a core, by its own account: it says `beat` many times a second.

    A third of a core is left alone, for its bursts; a tenth is always given away, and never more than half.
    """

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.monotonic(), time.thread_time()
        self.share = 0.5

    def beat(self) -> None:
        """Called in that thread, and in no other."""
        wall_s, cpu_s = time.monotonic(), time.thread_time()
        if wall_s > self._wall_s:
            load = (cpu_s - self._cpu_s) / (wall_s - self._wall_s)
            now = min(max(2 / 3 - load, 0.1), 0.5)
            self.share += (now - self.share) / 4  # a beat alone says little
        self._wall_s, self._cpu_s = wall_s, cpu_s
