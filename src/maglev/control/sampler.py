"""Takes a sample of VPP's counters on an interval and publishes it; never asks VPP's API for anything.

Indexes come from the reconciler. While they are in doubt nothing is sampled: a number under the wrong name is worse
than none.
"""

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Clock, Emit, Stats
from maglev.core.counters import Indexes, Sample, fold
from maglev.core.events import SampleFailed
from maglev.errors import Unavailable

MAX_FAILURES = 3  # in a row, before the session is given up


class Sampler:
    """The only writer of the cell `sample`, which is None while there is no session."""

    def __init__(self, interval_s: float, indexes: Cell[Indexes | None], emit: Emit, clock: Clock) -> None:
        self._interval_s = interval_s
        self._indexes = indexes
        self._emit = emit
        self._clock = clock
        self.sample: Cell[Sample | None] = Cell(None)

    def adopt(self, interval_s: float) -> None:
        """Sample at another interval, from the next sample on."""
        self._interval_s = interval_s

    async def serve(self, stats: Stats) -> None:
        """Sample until cancelled. Raises ProtocolError for a corrupt segment, Unavailable when it stays unreadable."""
        failures = 0
        try:
            while True:
                indexes = self._indexes.value
                if indexes is None:
                    with trio.move_on_after(self._interval_s):
                        await self._indexes.changed(None)
                    if self._indexes.value is None:
                        self.sample.set(None)  # in doubt for a whole interval: old numbers are no numbers
                        await self._indexes.changed(None)
                    continue
                try:
                    # No await between taking the indexes and reading: nothing of ours can move them meanwhile.
                    self.sample.set(fold(self.sample.value, stats.sample(indexes, self._clock.now_ns())))
                    failures = 0
                except Unavailable as error:
                    failures += 1
                    self._emit(SampleFailed(str(error)))
                    if failures == MAX_FAILURES:
                        raise
                await self._pause(indexes)
        finally:
            self.sample.set(None)

    async def _pause(self, indexes: Indexes) -> None:
        """Until the next sample is due; at once when the indexes have moved and are known again."""
        with trio.move_on_after(self._interval_s):
            while await self._indexes.changed(indexes) is None:
                await self._indexes.changed(None)
