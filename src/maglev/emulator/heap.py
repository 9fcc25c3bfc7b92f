"""Which bytes of the stats segment are free; must not know what is kept in the others.

First fit, merging neighbours, so that what growth leaves behind is used again.
"""

import bisect

from maglev.errors import Refused


class Heap:
    """What lies between `start` and `end`, in bytes."""

    def __init__(self, start: int, end: int) -> None:
        self._size = end
        self._holes = [(start, end)]  # sorted, never touching each other

    def take(self, wanted: int) -> int:
        """Where so many bytes are now the caller's. Raises Refused when no hole is as large."""
        for i, (start, end) in enumerate(self._holes):
            if end - start < wanted:
                continue
            self._holes[i : i + 1] = [(start + wanted, end)] if end - start > wanted else []
            return start
        free = sum(end - start for start, end in self._holes)
        hint = "give the emulator a larger one"
        raise Refused("the stats segment is full", wanted=wanted, free=free, size=self._size, hint=hint)

    def give(self, start: int, size: int) -> None:
        """Take back what `take` gave."""
        end = start + size
        i = bisect.bisect(self._holes, (start, end))
        if i < len(self._holes) and self._holes[i][0] == end:
            end = self._holes.pop(i)[1]
        if i and self._holes[i - 1][1] == start:
            i -= 1
            start = self._holes.pop(i)[0]
        self._holes.insert(i, (start, end))
