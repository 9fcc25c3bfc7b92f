import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.health import Health, State, ceiling, step, unknown
from maglev.core.model import Policy, Timing
from maglev.core.pacing import JITTER, jittered_s, probe_interval_s

TIMING = Timing(interval_s=10, fast_interval_s=1, down_interval_s=5, timeout_s=3)
policies = st.builds(Policy, rise=st.integers(1, 6), fall=st.integers(1, 6))


@given(policies, st.lists(st.booleans(), max_size=40))
def test_the_interval_depends_on_how_sure_we_are(policy: Policy, passes: list[bool]) -> None:
    health = unknown(policy)
    for passed in passes:
        health = step(health, passed, policy)
    is_sure = passes and health.counter in (0, ceiling(policy))
    expected = {State.UP: 10, State.DOWN: 5}[health.state] if is_sure else 1

    assert probe_interval_s(health, policy, TIMING) == expected


@pytest.mark.parametrize("policy", [Policy(1, 1), Policy(1, 3), Policy(3, 1), Policy(2, 3)])
def test_an_unknown_backend_is_probed_fast_though_its_counter_is_at_an_end(policy: Policy) -> None:
    assert probe_interval_s(unknown(policy), policy, TIMING) == 1


def test_between_the_ends_a_backend_is_probed_fast() -> None:
    policy = Policy(rise=2, fall=3)
    intervals = [
        probe_interval_s(Health(State.UP if counter >= 2 else State.DOWN, counter), policy, TIMING)
        for counter in range(5)
    ]

    assert intervals == [5, 1, 1, 1, 10]


@given(st.floats(0.01, 1e6), st.floats(0, 1, exclude_max=True))
def test_jitter_moves_an_interval_by_a_tenth_at_most(interval_s: float, chance: float) -> None:
    jittered = jittered_s(interval_s, chance)

    assert interval_s * (1 - JITTER) <= jittered <= interval_s * (1 + JITTER)
    assert JITTER == 0.1


def test_jitter_goes_both_ways_alike() -> None:
    assert jittered_s(10, 0) == pytest.approx(9)
    assert jittered_s(10, 0.5) == 10
    assert jittered_s(10, 0.75) == pytest.approx(10.5)
