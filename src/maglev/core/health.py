"""One backend's health; must not know how probes are made, when, or who listens.

The rules, all of them:
- The counter runs from 0 to rise + fall - 1. A pass adds one, a failure takes one, clamped at both ends.
- A backend is UP when the counter is at least `rise`, else DOWN.
- UNKNOWN starts at rise - 1: one pass brings it UP, any one failure brings it DOWN.
- PAUSED, DISABLED and REMOVED take no probes; leaving them starts again at UNKNOWN.
"""

import enum
from dataclasses import dataclass

from maglev.core.model import Policy


class State(enum.Enum):
    """What results add up to, or why there are none."""

    UNKNOWN = 0
    UP = 1
    DOWN = 2
    PAUSED = 3
    DISABLED = 4
    REMOVED = 5

    @property
    def word(self) -> str:
        """The word that users see."""
        return self.name.lower()


PROBED = frozenset({State.UNKNOWN, State.UP, State.DOWN})


@dataclass(frozen=True, slots=True)
class Health:
    """State and the counter behind it."""

    state: State
    counter: int


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state: when (unix nanoseconds), from, to, the probe's code and its sentence."""

    at_ns: int
    before: State
    after: State
    code: str
    detail: str


def ceiling(policy: Policy) -> int:
    """The counter of a backend that passed every probe lately."""
    return policy.rise + policy.fall - 1


def unknown(policy: Policy) -> Health:
    """Where every probed backend starts, and starts again after resume, enable or a changed check."""
    return Health(State.UNKNOWN, policy.rise - 1)


def step(health: Health, passed: bool, policy: Policy) -> Health:
    """Fold one probe result into the health; the only place the counter moves."""
    if health.state not in PROBED:
        return health
    counter = min(max(health.counter + (1 if passed else -1), 0), ceiling(policy))
    return Health(State.UP if counter >= policy.rise else State.DOWN, counter)
