"""The clock of maglevc, to be passed in."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """What time it is, in unix nanoseconds, and how to let some pass, in seconds."""

    now_ns: Callable[[], int]
    pause: Callable[[float], object]
