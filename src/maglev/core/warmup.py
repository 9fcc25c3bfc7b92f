"""After a start: which frontends may be written at time t. A restart of ours must be no event for the traffic.

Before `min_delay_s` nothing is written. Until `max_delay_s` a frontend is released once every backend of it has a
real health. From `max_delay_s` on everything is released, and only then may VIPs be deleted. Both 0: no warmup.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from maglev.core.health import State
from maglev.core.model import Frontend


@dataclass(frozen=True, slots=True)
class Warmup:
    """The two delays, in seconds since start; max >= min >= 0."""

    min_delay_s: float
    max_delay_s: float

    def is_over(self, elapsed_s: float) -> bool:
        """Whether everything may be written."""
        return elapsed_s >= self.max_delay_s

    def released(
        self, elapsed_s: float, frontends: Collection[Frontend], states: Mapping[str, State]
    ) -> tuple[Frontend, ...]:
        """The frontends that may be written `elapsed_s` after the start."""
        if self.is_over(elapsed_s):
            return tuple(frontends)
        if elapsed_s < self.min_delay_s:
            return ()
        return tuple(f for f in frontends if is_known(f, states))

    def next_look_s(self, elapsed_s: float) -> float | None:
        """Seconds until time alone changes the answer; None when it never will again."""
        for edge in (self.min_delay_s, self.max_delay_s):
            if elapsed_s < edge:
                return edge - elapsed_s
        return None


def is_known(frontend: Frontend, states: Mapping[str, State]) -> bool:
    """Whether every backend of it has a real health; `states` must name them all."""
    return all(states[name] is not State.UNKNOWN for name in frontend.backend_names)
