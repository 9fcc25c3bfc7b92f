"""Operations that VPP refused, and when each may be tried again; must not know how they are sent.

The rules:
- Refused once, an operation may be tried again at once: by then the table was read anew, and the refusal may have come
  of what we did not know.
- Refused again, it is held for about RETRY_S, and twice as long after each further refusal, up to LONGEST_RETRY_S.
  What must not be done without a held operation is the plan's to know (rule 5 of core.plan).
- Those held for as long come free at the same moments, multiples of that time, so that many are tried together.
- Acknowledged, it is forgotten; so is one that is no longer wanted, FORGET_S after it came free.
- The same answer to the same operation, by a table that we have read since, is no news: nothing is in doubt.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from maglev.core.model import VipKey
from maglev.core.observed import Op, SetConf

RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
FORGET_S = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What VPP answered last, how many times in a row, and when to try again (seconds of the caller's clock)."""

    reason: str
    count: int
    next_try_s: float


Refusals = Mapping[Op, Refusal]


def refused(before: Refusal | None, reason: str, now_s: float) -> Refusal:
    """The refusal to remember, given what was remembered of the same operation."""
    if before is None:
        return Refusal(reason, 1, now_s)
    hold_s = min(RETRY_S * 2.0 ** min(before.count - 1, 16), LONGEST_RETRY_S)
    return Refusal(reason, before.count + 1, math.ceil(now_s / hold_s + 0.5) * hold_s)


def is_news(before: Refusal | None, reason: str) -> bool:
    """Whether this answer is another one than before."""
    return before is None or before.reason != reason


def held(refusals: Refusals, now_s: float) -> frozenset[Op]:
    """What is not to be tried now."""
    return frozenset(op for op, known in refusals.items() if now_s < known.next_try_s)


def next_try_s(refusals: Refusals, now_s: float) -> float | None:
    """When the next held operation comes free; None when none is held."""
    return min((known.next_try_s for known in refusals.values() if now_s < known.next_try_s), default=None)


def forget_s(known: Refusal) -> float:
    """When a refusal that nobody wants to repeat is to be forgotten."""
    return known.next_try_s + FORGET_S


def reasons(refusals: Refusals) -> tuple[str, dict[VipKey, str]]:
    """Why the global parameters are not set (empty if they are), and why each VIP is not as it should be."""
    conf, vips = "", dict[VipKey, str]()
    for op, known in refusals.items():
        if isinstance(op, SetConf):
            conf = known.reason
        else:
            vips.setdefault(op.vip, known.reason)  # what follows from the first is no news
    return conf, vips
