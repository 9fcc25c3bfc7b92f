from itertools import accumulate

from hypothesis import given

from maglev.core.desired import Desired
from maglev.core.plan import Observed, advance, plan
from tests.core.driving import steps_of
from tests.core.tables import pairs


@given(pairs)
def test_no_vip_is_left_torn_down_or_half_made_between_steps(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair

    for midway in accumulate(steps_of(desired, observed), lambda now, step: advance(now, step.ops), initial=observed):
        for key, wish in desired.vips.items():
            now = midway.vips.get(key)
            is_untouched = now == observed.vips.get(key)
            assert is_untouched or (now is not None and wish.backends.keys() <= now.backends.keys())


@given(pairs)
def test_steps_are_the_plan_in_its_order_and_none_is_empty(pair: tuple[Desired, Observed]) -> None:
    steps = steps_of(*pair)

    assert tuple(op for step in steps for op in (*step.ops, *step.then)) == plan(*pair)
    assert all(step.ops for step in steps)
