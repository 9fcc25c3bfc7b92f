from hypothesis import given
from hypothesis import strategies as st

from maglev.core.health import PROBED, Health, State, ceiling, step, unknown
from maglev.core.model import Policy

policies = st.builds(Policy, rise=st.integers(1, 6), fall=st.integers(1, 6))
results = st.lists(st.booleans(), max_size=60)


def after(health: Health, passes: list[bool], policy: Policy) -> Health:
    for passed in passes:
        health = step(health, passed, policy)
    return health


@given(policies, results)
def test_health_is_a_walk_along_a_row_of_places(policy: Policy, passes: list[bool]) -> None:
    # The model: `rise` places that are down, then `fall` places that are up; we start at the last one that is down.
    row = [State.DOWN] * policy.rise + [State.UP] * policy.fall
    place = policy.rise - 1
    health = unknown(policy)
    for passed in passes:
        place = min(place + 1, len(row) - 1) if passed else max(place - 1, 0)
        health = step(health, passed, policy)

        assert health == Health(row[place], place)


@given(policies, results)
def test_the_counter_stays_within_its_bounds(policy: Policy, passes: list[bool]) -> None:
    health = after(unknown(policy), passes, policy)

    assert 0 <= health.counter <= ceiling(policy) == policy.rise + policy.fall - 1


@given(policies)
def test_one_pass_brings_an_unknown_backend_up(policy: Policy) -> None:
    assert step(unknown(policy), True, policy).state is State.UP


@given(policies)
def test_any_failure_brings_an_unknown_backend_down_at_once(policy: Policy) -> None:
    assert step(unknown(policy), False, policy).state is State.DOWN


@given(policies, results)
def test_rise_passes_bring_any_backend_up(policy: Policy, passes: list[bool]) -> None:
    assert after(unknown(policy), [*passes, *[True] * policy.rise], policy).state is State.UP


@given(policies, results)
def test_fall_failures_bring_any_backend_down(policy: Policy, passes: list[bool]) -> None:
    assert after(unknown(policy), [*passes, *[False] * policy.fall], policy).state is State.DOWN


@given(policies)
def test_a_backend_that_is_fully_up_stays_up_until_fall_failures(policy: Policy) -> None:
    best = Health(State.UP, ceiling(policy))

    assert after(best, [False] * (policy.fall - 1), policy).state is State.UP
    assert after(best, [False] * policy.fall, policy).state is State.DOWN


@given(policies)
def test_a_backend_that_is_fully_down_stays_down_until_rise_passes(policy: Policy) -> None:
    worst = Health(State.DOWN, 0)

    assert after(worst, [True] * (policy.rise - 1), policy).state is State.DOWN
    assert after(worst, [True] * policy.rise, policy).state is State.UP


@given(policies, results)
def test_no_result_leads_back_to_unknown(policy: Policy, passes: list[bool]) -> None:
    assert not passes or after(unknown(policy), passes, policy).state in {State.UP, State.DOWN}


@given(policies, results, st.sampled_from(sorted(set(State) - PROBED, key=lambda state: state.value)))
def test_a_late_result_does_not_move_a_backend_that_takes_no_probes(
    policy: Policy, passes: list[bool], state: State
) -> None:
    assert after(Health(state, 0), passes, policy) == Health(state, 0)


def test_the_numbers_and_words_of_the_states_are_fixed() -> None:
    assert [(state.value, state.word) for state in State] == [
        (0, "unknown"),
        (1, "up"),
        (2, "down"),
        (3, "paused"),
        (4, "disabled"),
        (5, "removed"),
    ]
