"""Takes a sample of VPP's counters on an interval and publishes it; never asks VPP's API for anything.

Indexes come from the reconciler. While they are in doubt nothing is sampled: a number under the wrong name is worse
than none. Reading takes about a millisecond; what is made of it then, in slices, as probes must not wait for it.
"""

import math

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Clock, Emit, Settled, Stats, unheeded
from maglev.core.counters import Indexes, Sample
from maglev.core.events import SampleFailed
from maglev.core.lives import Lives
from maglev.errors import Unavailable

RETRY_S = 1.0  # after a failure: numbers that cannot be taken again are not to stand for a whole interval
DOUBT_S = 5.0  # without any index, until old numbers are no numbers
MAX_FAILURES = 10  # in a row, before the session is given up


class Sampler:
    """The only writer of the cell `sample`, which is None while there is no session."""

    def __init__(
        self,
        interval_s: float,
        indexes: Cell[Indexes | None],
        emit: Emit,
        clock: Clock,
        settled: Settled = unheeded,
    ) -> None:
        self._settled = settled
        self.interval_s = interval_s
        self._indexes = indexes
        self._emit = emit
        self._clock = clock
        self._pause_since_s = -math.inf
        self._pausing = trio.CancelScope()  # the present pause or the last one
        self._lives = Lives()  # over all sessions: a life may go on when we come back
        self.sample: Cell[Sample | None] = Cell(None)

    def adopt(self, interval_s: float) -> None:
        """Sample at another interval, counted from the last sample."""
        self.interval_s = interval_s
        self._pausing.deadline = self._pause_since_s + interval_s

    async def serve(self, stats: Stats) -> None:
        """Sample until cancelled. Raises ProtocolError for a corrupt segment, Unavailable when it stays unreadable."""
        failures = 0
        try:
            while True:
                indexes = self._indexes.value
                if indexes is None:
                    with trio.move_on_after(DOUBT_S):
                        await self._indexes.changed(None)
                    if self._indexes.value is None:
                        self.sample.set(None)
                        await self._indexes.changed(None)
                    continue
                try:
                    # No await between taking the indexes and reading: nothing of ours can move them meanwhile.
                    figures = stats.read(indexes, self._clock.now_ns())
                    failures = 0
                except Unavailable as error:
                    failures += 1
                    self._emit(SampleFailed(str(error)))
                    if failures == MAX_FAILURES:
                        raise
                    if failures > 1:  # a moment's race is no news
                        self.sample.set(None)
                    await trio.sleep(RETRY_S)
                    continue
                for _ in self._lives.fold(figures):
                    self._settled()
                    await trio.lowlevel.checkpoint()
                if self._indexes.value != indexes:  # what has been written since is not to be told by old figures
                    continue
                self.sample.set(self._lives.sample)
                await self._until_due(indexes)
        finally:
            self.sample.set(None)

    async def _until_due(self, indexes: Indexes) -> None:
        """Until the next sample is due; at once when the indexes have moved, or are known no more."""
        seen: Indexes | None = indexes
        self._pause_since_s = trio.current_time()
        self._pausing = trio.CancelScope(deadline=self._pause_since_s + self.interval_s)
        with self._pausing:
            while seen == indexes:  # an audit that found the same
                seen = await self._indexes.changed(seen)
