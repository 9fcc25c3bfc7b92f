"""What to do about a VPP that dies whenever it is programmed: hold back, for longer and longer. Time is passed in.

A session that ends within NEAR_S of a write counts as a death; DEATHS of them in a row, and nothing is written for
PAUSE_S, then twice as long after each further one, up to LONGEST_PAUSE_S. A session that outlives its last write by
NEAR_S ends the row. Traffic is better served by an old table than by a router that starts again every minute.
"""

from dataclasses import dataclass

NEAR_S = 10.0
DEATHS = 3
PAUSE_S = 30.0
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class Holdback:
    """How many sessions in a row died of a write."""

    deaths: int = 0

    def session_ended(self, since_write_s: float | None) -> "Holdback":
        """After a session that ended `since_write_s` after its last write; None if it wrote nothing."""
        if since_write_s is None:
            return self
        return Holdback(self.deaths + 1 if since_write_s < NEAR_S else 0)

    @property
    def pause_s(self) -> float:
        """How long a new session has to wait before it writes."""
        if self.deaths < DEATHS:
            return 0.0
        return min(PAUSE_S * 2.0 ** min(self.deaths - DEATHS, 16), LONGEST_PAUSE_S)
