"""One backend's health; must not know how probes are made, when, or who listens.

The rules, all of them:
- The counter runs from 0 to rise + fall - 1. A pass adds one, a failure takes one, clamped at both ends.
- A backend is UP when the counter is at least `rise`, else DOWN.
- UNKNOWN starts at rise - 1: one pass brings it UP, any one failure brings it DOWN.
- PAUSED, DISABLED and REMOVED take no probes; leaving the first two starts again at UNKNOWN.
- Without a health check, so without a policy, there is no UNKNOWN and no counter: UP takes its place.
- An order that is carried out already changes nothing. Pausing and resuming what is DISABLED is refused, as an operator
  who means the one and forgot the other would be surprised; so is any order to what was REMOVED.
"""

import enum
from dataclasses import dataclass
from typing import assert_never

from maglev.core.model import Policy
from maglev.errors import Refused


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


class Order(enum.Enum):
    """What an operator, or the configuration, wants of a backend; the values are the words that users type."""

    PAUSE = "pause"
    RESUME = "resume"
    ENABLE = "enable"
    DISABLE = "disable"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Health:
    """State and the counter behind it."""

    state: State
    counter: int


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state: when (unix nanoseconds), from, to, what did it, and a sentence.

    `code` is that of a probe's result, in capitals, or the word of an order, or `reload`.
    """

    at_ns: int
    before: State
    after: State
    code: str
    detail: str


def ceiling(policy: Policy) -> int:
    """The counter of a backend that passed every probe lately."""
    return policy.rise + policy.fall - 1


def unknown(policy: Policy | None) -> Health:
    """Where every backend starts, and starts again after resume, enable or a changed check."""
    return Health(State.UP, 0) if policy is None else Health(State.UNKNOWN, policy.rise - 1)


def step(health: Health, passed: bool, policy: Policy) -> Health:
    """Fold one probe result into the health; the only place the counter moves."""
    if health.state not in PROBED:
        return health
    counter = min(max(health.counter + (1 if passed else -1), 0), ceiling(policy))
    return Health(State.UP if counter >= policy.rise else State.DOWN, counter)


def carried(health: Health, before: Policy, after: Policy) -> Health:
    """The same state under another policy, its counter as far from the end as before, as far as there is room.

    So who is fully up or fully down stays so.
    """
    match health.state:
        case State.UP:
            spare = ceiling(before) - health.counter
            return Health(State.UP, max(ceiling(after) - spare, after.rise))
        case State.DOWN:
            return Health(State.DOWN, min(health.counter, after.rise - 1))
        case State.UNKNOWN:
            return unknown(after)
        case _:
            return health


def obeyed(health: Health, order: Order, policy: Policy | None) -> Health:
    """The health after `order`; the same object if that changes nothing. Raises Refused."""
    state = health.state
    if state is State.REMOVED:
        raise Refused(f"cannot {order.value} what is removed")
    if state is State.DISABLED and order in (Order.PAUSE, Order.RESUME):
        raise Refused(f"cannot {order.value} what is disabled", hint="enable it first")
    match order:
        case Order.PAUSE:
            return health if state is State.PAUSED else Health(State.PAUSED, 0)
        case Order.RESUME:
            return unknown(policy) if state is State.PAUSED else health
        case Order.ENABLE:
            return unknown(policy) if state is State.DISABLED else health
        case Order.DISABLE:
            return health if state is State.DISABLED else Health(State.DISABLED, 0)
        case Order.REMOVE:
            return Health(State.REMOVED, 0)
        case _:
            assert_never(order)
