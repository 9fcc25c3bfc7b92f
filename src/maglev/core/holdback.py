"""What to do about a VPP that dies whenever it is programmed: hold back, for longer and longer. Time is passed in.

A session that ends within NEAR_S of a write, and within SOON_S of its first one, counts as a death; DEATHS of them in a
row, and nothing is written for PAUSE_S, then twice as long after each further one, up to LONGEST_PAUSE_S. Any other
session that wrote ends the row: it has outlived a write. A VPP that dies of its table is of more use without it than
when it starts again every minute.
"""

from dataclasses import dataclass

NEAR_S = 10.0
SOON_S = 60.0
DEATHS = 3
PAUSE_S = 30.0
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class Holdback:
    """How many sessions in a row died of a write."""

    deaths: int = 0

    def session_ended(self, since_first_s: float, since_last_s: float) -> "Holdback":
        """After a session that wrote and ended so many seconds after its first and its last write."""
        return Holdback(self.deaths + 1 if since_last_s < NEAR_S and since_first_s < SOON_S else 0)

    @property
    def pause_s(self) -> float:
        """How long a new session has to wait before it writes."""
        if self.deaths < DEATHS:
            return 0.0
        return min(PAUSE_S * 2.0 ** min(self.deaths - DEATHS, 16), LONGEST_PAUSE_S)
