"""Reads counters out of VPP's stats segment, safely; knows nothing of load balancing."""

from array import array
from collections.abc import Sequence
from typing import Final, Self, TypeAlias, final

# A contiguous, aligned buffer of unsigned 64-bit integers in one dimension: array("Q"), a memoryview of format "Q".
_U64Buffer: TypeAlias = array[int] | memoryview

SCALAR: Final[int]
SIMPLE: Final[int]
COMBINED: Final[int]
GAUGE: Final[int]

class SegmentError(Exception):
    """Base of what reading a segment can end in."""

class Raced(SegmentError):
    """The writer never stood still for long enough; try again later."""

class Corrupt(SegmentError):
    """The segment breaks its own rules; what and where is in the message. Do not try again on this map."""

class Gone(SegmentError):
    """The segment was closed here, or its file was shrunk."""

@final
class Counter:
    """A name to read by, good for any segment: a leading slash is optional, but the very spelling wins.

    It remembers where it was found last, so that a name is looked for only when its entry has come, gone or moved.
    """

    def __new__(cls, name: str) -> Self: ...
    @property
    def name(self) -> str:
        """As it was given."""

@final
class Segment:
    """One mapped stats segment. Takes over nothing: `fd` is duplicated and may be closed by the caller.

    Every read is repeated until the writer stood still throughout, at most `max_tries` times, and not begun again
    after `max_wait_s`; then it is Raced. Reads may come from any thread, one at a time; the GIL is released meanwhile.
    Raises Corrupt when `fd` is no stats segment of version 2, OSError when it cannot be mapped.
    """

    def __new__(cls, fd: int, max_tries: int = 64, max_wait_s: float = 0.05) -> Self: ...
    def close(self) -> None:
        """Unmap; later calls raise Gone. Waits for a read on another thread. Closing twice is fine."""
    @property
    def epoch(self) -> int:
        """The present epoch: moves when memory does (new entries, growth), not when VPP counts."""
    def names(self) -> dict[str, int]:
        """Every entry of the directory with its type, those of types unknown here too."""
    def scalar(self, counter: Counter) -> int:
        """The value of a scalar or gauge, which VPP keeps as a whole number.

        Raises KeyError when there is none of that name, ValueError when it is of another type.
        """
    def length(self, counter: Counter) -> int:
        """How many elements a counter has in the thread that has most; 0 when it is not there. Errors as for `sum`."""
    def sum(self, requests: Sequence[tuple[Counter, _U64Buffer | None, _U64Buffer]]) -> int:
        """Sum counters over all threads, all requests under one epoch; returns that epoch.

        Each request is (counter, indexes, out). A simple counter writes one number per index to `out`, a combined one
        packets and bytes alternating; with None for the indexes, the elements from the first on, as many as `out` has
        room for. A symlink to a column of a counter is a counter with one element. An index beyond a thread's vector,
        a NULL vector and a name that is not there count as zero. Sums wrap at 2**64. Raises ValueError for a buffer of
        the wrong type, length or access and for an entry that is no counter, Raced, Corrupt or Gone as they say; then
        `out` holds nothing of worth.
        """
