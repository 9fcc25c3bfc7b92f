from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.health import State
from maglev.core.model import Frontend, Pool
from maglev.core.warmup import Warmup
from tests.core.fleets import frontend_of, frontends, states

States = Mapping[str, State]
times = st.floats(0, 100) | st.integers(0, 100).map(float)
warmups = st.tuples(times, times).map(lambda pair: Warmup(min(pair), max(pair)))
fleets = st.lists(frontends(), max_size=4)


@given(warmups, times, fleets, states)
def test_a_frontend_is_released_by_time_or_by_knowledge(
    warmup: Warmup, elapsed_s: float, fleet: list[Frontend], now: States
) -> None:
    released = warmup.released(elapsed_s, fleet, now)
    for frontend in fleet:
        is_known = all(now[name] is not State.UNKNOWN for pool in frontend.pools for name in pool.weights)
        may_be_written = elapsed_s >= warmup.max_delay_s or (elapsed_s >= warmup.min_delay_s and is_known)
        assert (frontend in released) == may_be_written


@given(warmups, times, times, fleets, states)
def test_what_is_released_stays_released(
    warmup: Warmup, elapsed_s: float, later_s: float, fleet: list[Frontend], now: States
) -> None:
    before = warmup.released(elapsed_s, fleet, now)
    after = warmup.released(elapsed_s + later_s, fleet, now)

    assert all(frontend in after for frontend in before)
    assert not warmup.is_over(elapsed_s) or warmup.is_over(elapsed_s + later_s)


@given(warmups, times, st.floats(0, 1, exclude_max=True), fleets, states)
def test_nothing_changes_by_itself_before_the_next_look(
    warmup: Warmup, elapsed_s: float, share: float, fleet: list[Frontend], now: States
) -> None:
    look_s = warmup.next_look_s(elapsed_s)
    later_s = elapsed_s + share * (100.0 if look_s is None else look_s)
    if look_s is not None and later_s >= elapsed_s + look_s:
        return  # rounded up to the very moment

    assert warmup.released(later_s, fleet, now) == warmup.released(elapsed_s, fleet, now)
    assert warmup.is_over(later_s) == warmup.is_over(elapsed_s)


@given(warmups, times)
def test_looking_when_told_ends_the_warmup_in_a_few_looks(warmup: Warmup, elapsed_s: float) -> None:
    looks = 0
    while (look_s := warmup.next_look_s(elapsed_s)) is not None:
        assert look_s > 0
        elapsed_s += look_s
        looks += 1
        assert looks <= 4  # two edges, each perhaps missed once by rounding

    assert warmup.is_over(elapsed_s)


@pytest.mark.parametrize("elapsed_s", [0.0, 1e-9, 5.0])
def test_no_delays_mean_no_warmup(elapsed_s: float) -> None:
    warmup = Warmup(0, 0)
    fleet = [frontend_of([Pool("p", {"b0": 1})])]

    assert warmup.is_over(elapsed_s)
    assert warmup.released(elapsed_s, fleet, {"b0": State.UNKNOWN}) == tuple(fleet)
    assert warmup.next_look_s(elapsed_s) is None


def test_a_known_frontend_waits_for_the_least_delay_and_an_unknown_one_for_the_most() -> None:
    known, unknown = frontend_of([Pool("p", {"b0": 1})]), frontend_of([Pool("p", {"b1": 1})], number=2)
    now = {"b0": State.DOWN, "b1": State.UNKNOWN}
    warmup = Warmup(5, 30)

    assert warmup.released(4.9, [known, unknown], now) == ()
    assert warmup.released(5, [known, unknown], now) == (known,)
    assert warmup.released(29.9, [known, unknown], now) == (known,)
    assert warmup.released(30, [known, unknown], now) == (known, unknown)
