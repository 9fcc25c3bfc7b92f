"""Plans as the reconciler gets them: steps, made prefix by prefix, and sent to a VPP that may refuse."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from maglev.core.desired import Desired
from maglev.core.model import IPNetwork, VipKey
from maglev.core.observed import Observed, Op
from maglev.core.plan import NOTHING_HELD, Held, Step, conf_step, in_order, steps_on
from tests.core.simulator import RefusedByVpp, Vpp


def steps_of(desired: Desired, observed: Observed, held: Held = NOTHING_HELD) -> list[Step]:
    keys_on: dict[IPNetwork, set[VipKey]] = defaultdict(set)
    for key in (*desired.vips, *observed.vips):
        keys_on[key.prefix].add(key)
    steps = list(conf_step(desired, observed, held))
    for keys in keys_on.values():
        steps += steps_on(keys, desired.vips, observed.vips, may_delete=True, held=held)
    return in_order(steps)


def send(vpp: Vpp, steps: Iterable[Step], denies: Callable[[Op], bool]) -> list[Op]:
    """As the reconciler sends one batch: all that waits for nothing, then what waited for that. Returns the refused."""
    steps = list(steps)
    refused = _send(vpp, [op for step in steps for op in step.ops], denies)
    ready = [op for step in steps if not set(refused) & set(step.ops) for op in step.then]
    return refused + _send(vpp, ready, denies)


def _send(vpp: Vpp, ops: Iterable[Op], denies: Callable[[Op], bool]) -> list[Op]:
    return [op for op in ops if denies(op) or not _is_done(vpp, op)]


def _is_done(vpp: Vpp, op: Op) -> bool:
    try:
        vpp.execute(op)
    except RefusedByVpp:
        return False
    return True
