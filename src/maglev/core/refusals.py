"""Operations that VPP refused: when each may be tried again and what waits behind it; must not know how they are sent.

The rules:
- Refused once, an operation may be tried again at once: by then the table was read anew, and the refusal may have come
  of what we did not know.
- Refused again, it is held: a weight for WEIGHT_RETRY_S, as it decides where packets go, anything else for the sync
  interval. Nothing else of its VIP or prefix is.
- Except what cannot work without it: whatever is to be done to a VIP that could not be made; the deletion of a VIP
  behind that of its backend; and who comes on a prefix behind who has to leave it first.
- Acknowledged, it is forgotten; so is a refusal of more than a sync interval ago that no plan wants to repeat.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from maglev.core.model import IPNetwork, VipKey
from maglev.core.observed import AddVip, DelBackend, DelVip, Op, SetConf, SetWeight

WEIGHT_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What VPP answered last, how many times in a row, and when (seconds of the caller's clock)."""

    reason: str
    count: int
    at_s: float


Refusals = Mapping[Op, Refusal]


def refused(before: Refusals, op: Op, reason: str, now_s: float) -> Refusal:
    """The refusal of `op` to remember, given those before."""
    known = before.get(op)
    return Refusal(reason, known.count + 1 if known else 1, now_s)


def next_try_s(op: Op, refusal: Refusal, sync_interval_s: float) -> float:
    """From when on `op` may be tried again."""
    if refusal.count < 2:
        return refusal.at_s
    return refusal.at_s + (min(WEIGHT_RETRY_S, sync_interval_s) if isinstance(op, SetWeight) else sync_interval_s)


def remembered(before: Refusals, planned: Iterable[Op], now_s: float, sync_interval_s: float) -> dict[Op, Refusal]:
    """Those of `before` that `planned` wants to repeat or that are young."""
    wanted = frozenset(planned)
    return {op: known for op, known in before.items() if op in wanted or now_s < known.at_s + sync_interval_s}


def due(planned: Sequence[Op], refusals: Refusals, now_s: float, sync_interval_s: float) -> list[Op]:
    """`planned` without what is held, and without what waits behind that."""
    if not refusals:
        return list(planned)
    ops: list[Op] = []
    unmade: set[VipKey] = set()  # VIPs that are not to be made
    stuck: set[VipKey] = set()  # VIPs with a backend that does not leave
    occupied: set[IPNetwork] = set()  # prefixes with a VIP that does not leave
    for op in planned:
        is_held = (known := refusals.get(op)) is not None and now_s < next_try_s(op, known, sync_interval_s)
        match op:
            case SetConf():
                pass
            case AddVip(vip):
                is_held |= vip.prefix in occupied
                unmade |= {vip} if is_held else set()
            case DelVip(vip):
                is_held |= vip in stuck
                occupied |= {vip.prefix} if is_held else set()
            case DelBackend(vip):
                stuck |= {vip} if is_held else set()
            case _:
                is_held |= op.vip in unmade
        if not is_held:
            ops.append(op)
    return ops


def reasons(refusals: Refusals, planned: Iterable[Op]) -> tuple[str, dict[VipKey, str]]:
    """Why the global parameters are not set (empty if they are), and why each VIP is not as it should be."""
    conf, vips = "", dict[VipKey, str]()
    for op in planned:
        if (known := refusals.get(op)) is None:
            continue
        if isinstance(op, SetConf):
            conf = known.reason
        else:
            vips.setdefault(op.vip, known.reason)  # what follows from the first is no news
    return conf, vips
