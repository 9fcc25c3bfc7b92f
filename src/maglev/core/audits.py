"""When VPP's whole table may be read again; an audit stops VPP's workers, so its own cost decides. Time is passed in.

The rules:
- For drift: on the sync interval, stretched so that audits take at most DRIFT_SHARE of the time.
- For what we must know (the table is in doubt, or VPP's counter indexes moved): at once, a few times in a row, and at
  most MUST_SHARE of the time; but nobody is in doubt for longer than LONGEST_DOUBT_S.
- The cost is the lesser of the last two: one that was slow because the machine stood still says nothing of the next.
"""

import enum
import math

DRIFT_SHARE = 0.001
MUST_SHARE = 0.02
AT_ONCE = 3.0  # audits in a row
LONGEST_DOUBT_S = 30.0


class AuditReason(enum.Enum):
    """Why VPP's table is read: a new session, an answer that did not fit, moved indexes, a request, the interval."""

    START = "start"
    DOUBT = "doubt"
    INDEXES = "indexes"
    ASKED = "asked"
    DRIFT = "drift"


class AuditPace:
    """Remembers what audits cost and when they were."""

    def __init__(self, sync_interval_s: float) -> None:
        self.sync_interval_s = sync_interval_s
        self.cost_s = 0.0  # the lesser of the last two
        self._last_cost_s = math.inf
        self._at_s: float | None = None
        self._credit = AT_ONCE

    @property
    def interval_s(self) -> float:
        """Between audits for drift: the sync interval or, if audits cost more than that allows, longer."""
        return max(self.sync_interval_s, self.cost_s / DRIFT_SHARE)

    def done(self, now_s: float, cost_s: float) -> None:
        """An audit has ended, for which VPP was kept busy for `cost_s`."""
        self._credit = max(0.0, self._credit_at(now_s) - 1)
        self.cost_s, self._last_cost_s = min(cost_s, self._last_cost_s), cost_s
        self._at_s = now_s

    def due_s(self, *, must: bool) -> float:
        """When the next one is due."""
        if self._at_s is None:
            return 0.0
        if not must:
            return self._at_s + self.interval_s
        return self._at_s + min(max(0.0, 1 - self._credit) * self.cost_s / MUST_SHARE, LONGEST_DOUBT_S)

    def _credit_at(self, now_s: float) -> float:
        if self._at_s is None or not self.cost_s:
            return AT_ONCE
        return min(AT_ONCE, self._credit + (now_s - self._at_s) * MUST_SHARE / self.cost_s)
