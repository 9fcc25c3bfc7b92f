"""Takes a sample of VPP's counters on an interval and publishes it; never asks VPP's API for anything.

Indexes come from the reconciler. While they are in doubt nothing is sampled: a number under the wrong name is worse
than none. Reading takes about a millisecond; what is made of it then, in slices, as probes must not wait for it.
"""

import trio

from maglev.control.cell import Cell
from maglev.control.ports import Clock, Emit, Settled, Stats, unheeded
from maglev.core.counters import Indexes, Sample
from maglev.core.events import SampleFailed
from maglev.core.lives import Lives
from maglev.errors import Unavailable

MAX_FAILURES = 3  # in a row, before the session is given up


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
        self._interval_s = interval_s
        self._indexes = indexes
        self._emit = emit
        self._clock = clock
        self._lives = Lives()  # over all sessions: a life may go on when we come back
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
                    figures = stats.read(indexes, self._clock.now_ns())
                    failures = 0
                except Unavailable as error:
                    failures += 1
                    self._emit(SampleFailed(str(error)))
                    if failures == MAX_FAILURES:
                        raise
                else:
                    for _ in self._lives.fold(figures):
                        self._settled()
                        await trio.lowlevel.checkpoint()
                    if self._indexes.value != indexes:  # what has been written since is not to be told by old figures
                        continue
                    self.sample.set(self._lives.sample)
                await self._pause(indexes)
        finally:
            self.sample.set(None)

    async def _pause(self, indexes: Indexes) -> None:
        """Until the next sample is due; at once when the indexes have moved and are known again."""
        seen: Indexes | None = indexes
        with trio.move_on_after(self._interval_s):
            while seen is None or seen == indexes:  # an audit that found the same
                seen = await self._indexes.changed(seen)
