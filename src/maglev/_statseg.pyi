"""Reads counters out of VPP's stats segment, safely; knows nothing of load balancing."""

from array import array
from typing import Final, TypeAlias, final

# A C-contiguous buffer of unsigned 64-bit integers: array("Q") or memoryview of format "Q".
U64Buffer: TypeAlias = array[int] | memoryview

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
class Segment:
    """One mapped stats segment. Takes over nothing: `fd` is duplicated by the map and may be closed by the caller.

    Raises Corrupt when `fd` is no stats segment of version 2, OSError when it cannot be mapped.
    """

    def __init__(self, fd: int, max_tries: int = ..., max_wait_s: float = ...) -> None: ...
    def close(self) -> None:
        """Unmap; later calls raise Gone. Closing twice is fine."""
    @property
    def epoch(self) -> int:
        """The present epoch of the directory."""
    def names(self) -> dict[str, int]:
        """Every entry of the directory with its type."""
    def scalar(self, name: str) -> float:
        """The value of a scalar or gauge; KeyError when there is none of that name. A leading slash is optional."""
    def sum_at(
        self,
        requests: list[tuple[str, U64Buffer, U64Buffer]],
    ) -> int:
        """Sum counters over all threads at given indexes, all requests under one epoch; returns that epoch.

        Each request is (name, indexes, out). A simple counter writes len(indexes) sums to `out`; a combined one
        writes packets and bytes alternating, 2 * len(indexes). An index beyond a thread's vector, a NULL vector and
        a name that is not there count as zero. Names match with and without a leading slash. Raises ValueError for
        a buffer of the wrong type, length or access, Raced, Corrupt or Gone as they say.
        """
