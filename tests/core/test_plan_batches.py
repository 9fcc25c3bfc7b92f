from dataclasses import replace
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Desired
from maglev.core.plan import Observed, SetWeight, Step, Turn, advance, first_batch, plan
from tests.core.cases import KEY, A
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


@given(st.lists(st.integers(1, 5), max_size=9), st.integers(1, 12))
def test_a_batch_ends_with_the_step_that_fills_it(sizes: list[int], size: int) -> None:
    op = SetWeight(KEY, A, 1, flush=False)
    steps = [Step(Turn.CHANGING, replace(KEY, port=number), (op,) * count) for number, count in enumerate(sizes)]
    count = first_batch(steps, size)

    assert sum(sizes[:count]) >= size or count == len(sizes)
    assert sum(sizes[: count - 1]) < size
