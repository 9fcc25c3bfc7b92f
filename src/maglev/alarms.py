"""Wakes thousands of tasks at their times with one task of trio's; knows nothing of what they do.

trio's own sleep takes 45 us of CPU and a deadline 15 us, which for a probe is as much as all else that we do for it; an
alarm takes 3. It rings up to GRAIN_S late, as those of one grain ring together.
"""

import heapq
from collections.abc import Callable
from math import inf

import trio

GRAIN_S = 0.005
BURST = 32
"""Alarms that ring before everybody else has a turn. What they wake is work: with more at once, whoever shares the loop
is late; so each probe of an overloaded machine is later, and nothing stands still."""

_FEW = 1024


class Alarm:
    """`ring` is None once it rang or was put off."""

    __slots__ = ("ring",)

    def __init__(self, ring: Callable[[], None]) -> None:
        self.ring: Callable[[], None] | None = ring


class Alarms:
    """Alarms may be set before `run` began; they ring while it runs."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._serial = 0
        self._live = 0
        self._asleep: trio.CancelScope | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Ring until cancelled."""
        task_status.started()
        while True:
            first_s = self._heap[0][0] if self._heap else inf
            with trio.CancelScope(deadline=max(first_s, trio.current_time() + GRAIN_S)) as self._asleep:
                await trio.sleep_forever()
            while self._ring_until(trio.current_time()):
                await trio.lowlevel.checkpoint()

    def set(self, when_s: float, ring: Callable[[], None]) -> Alarm:
        """Have `ring` called at `when_s` on trio's clock, or soon if that is past; it must neither block nor raise."""
        alarm = Alarm(ring)
        self._serial += 1
        heapq.heappush(self._heap, (when_s, self._serial, alarm))
        self._live += 1
        if self._heap[0][2] is alarm and self._asleep is not None and when_s < self._asleep.deadline:
            self._asleep.deadline = when_s
        return alarm

    def put_off(self, alarm: Alarm) -> None:
        """It shall not ring, if it has not yet."""
        if alarm.ring is None:
            return
        alarm.ring = None
        self._live -= 1
        if len(self._heap) > 2 * self._live + _FEW:  # they would lie there until their time
            self._heap[:] = [each for each in self._heap if each[2].ring is not None]
            heapq.heapify(self._heap)

    def move(self, alarm: Alarm, when_s: float) -> Alarm:
        """The alarm that rings then instead; the same one if it rang already."""
        if alarm.ring is None:
            return alarm
        moved = self.set(when_s, alarm.ring)
        self.put_off(alarm)
        return moved

    def _ring_until(self, now_s: float) -> bool:
        """Ring what is due, the earliest first; whether there may be more."""
        heap = self._heap
        for _ in range(BURST):
            if not heap or heap[0][0] > now_s:
                return False
            alarm = heapq.heappop(heap)[2]
            if alarm.ring is not None:
                ring, alarm.ring = alarm.ring, None
                self._live -= 1
                ring()
        return True
