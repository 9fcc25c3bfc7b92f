"""Orders from outside, and the audit record of each; see core.events for the rest and for the rules."""

import enum
from dataclasses import dataclass
from typing import ClassVar

from maglev.core.health import Order
from maglev.core.level import Level

SET_WEIGHT = "SetFrontendPoolBackendWeight"
RELOAD = "ReloadConfig"
SYNC = "SyncVPPLBState"


def action_of(order: Order) -> str:
    """The RPC that gives it."""
    return f"{order.value.capitalize()}Backend"


ACTIONS = (*(action_of(each) for each in Order if each is not Order.REMOVE), SET_WEIGHT, RELOAD, SYNC)
"""The RPCs that give orders: each call is on record, and counted. To remove something is for the file alone."""


class Outcome(enum.Enum):
    """What became of an order."""

    OK = "ok"
    REFUSED = "refused"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Ordered:
    """The audit record of an order: every one is in exactly one, whatever became of it and of whoever gave it.

    `who` is what was proved of him, `origin` where he called from, `says` his own word for himself. `action` is one of
    ACTIONS, `what` the thing; `before` and `after` say how that was and is, None where there is nothing to say.
    `result` is `ok`, or the status and sentence that was answered. `times` is more than 1 for denied ones alone.
    """

    name: ClassVar[str] = "audit"
    who: str
    origin: str
    says: str
    action: str
    what: str
    before: str | None
    after: str | None
    outcome: Outcome
    result: str
    times: int = 1

    @property
    def level(self) -> Level:
        """Whoever tries what he may not is for a human."""
        return Level.WARNING if self.outcome is Outcome.DENIED else Level.INFO
