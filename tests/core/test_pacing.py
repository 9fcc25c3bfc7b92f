from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.health import Health, State, ceiling, step, unknown
from maglev.core.model import Policy, Timing
from maglev.core.pacing import (
    FIRST_PROBE_WITHIN_S,
    INCONCLUSIVE_AT_LEAST_S,
    JITTER,
    REMIND_AFTER_S,
    TELL_AGAIN_AFTER_S,
    Complaints,
    first_probe_delay_s,
    jittered_s,
    probe_interval_s,
)

TIMING = Timing(interval_s=10, fast_interval_s=1, down_interval_s=5, timeout_s=3)
policies = st.builds(Policy, rise=st.integers(1, 6), fall=st.integers(1, 6))


@given(policies, st.lists(st.booleans(), max_size=40))
def test_the_interval_depends_on_how_sure_we_are(policy: Policy, passes: list[bool]) -> None:
    health = unknown(policy)
    for passed in passes:
        health = step(health, passed, policy)
    is_sure = passes and health.counter in (0, ceiling(policy))
    expected = {State.UP: 10, State.DOWN: 5}[health.state] if is_sure else 1

    assert probe_interval_s(health, True, policy, TIMING) == expected


@pytest.mark.parametrize("policy", [Policy(1, 1), Policy(1, 3), Policy(3, 1), Policy(2, 3)])
def test_an_unknown_backend_is_probed_fast_though_its_counter_is_at_an_end(policy: Policy) -> None:
    assert probe_interval_s(unknown(policy), False, policy, TIMING) == 1


def test_between_the_ends_a_backend_is_probed_fast() -> None:
    policy = Policy(rise=2, fall=3)
    intervals = [
        probe_interval_s(Health(State.UP if counter >= 2 else State.DOWN, counter), True, policy, TIMING)
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


@pytest.mark.parametrize("health", [Health(State.DOWN, 0), Health(State.UP, 4), Health(State.UNKNOWN, 1)])
def test_after_an_inconclusive_probe_the_next_comes_fast_whatever_the_health(health: Health) -> None:
    assert probe_interval_s(health, None, Policy(2, 3), replace(TIMING, fast_interval_s=1.5)) == 1.5


def test_inconclusive_probes_never_come_in_a_storm() -> None:
    hasty = replace(TIMING, fast_interval_s=0.01)

    assert probe_interval_s(Health(State.UP, 4), None, Policy(2, 3), hasty) == INCONCLUSIVE_AT_LEAST_S == 1


@given(st.floats(0, 1, exclude_max=True), st.floats(0.01, 1e6))
def test_the_first_probe_comes_within_its_bound_and_the_fast_interval(share: float, fast_interval_s: float) -> None:
    assert 0 <= first_probe_delay_s(share, fast_interval_s) <= min(FIRST_PROBE_WITHIN_S, fast_interval_s)
    assert FIRST_PROBE_WITHIN_S == 2


def test_first_probes_are_spread_over_all_of_their_window() -> None:
    assert [first_probe_delay_s(share, 300) for share in (0, 0.25, 0.5, 0.75)] == [0, 0.5, 1, 1.5]
    assert first_probe_delay_s(0.5, 1) == 0.5


def test_what_thousands_of_backends_lack_is_told_once() -> None:
    complaints = Complaints()
    told = [complaints.is_news(f"b{n % 5000}", "no descriptor", n / 100) for n in range(20000)]

    assert told == [True] + [False] * 19999


def test_each_reason_is_told() -> None:
    complaints = Complaints()

    assert complaints.is_news("b1", "no descriptor", 0)
    assert complaints.is_news("b2", "no source address", 0)
    assert not complaints.is_news("b3", "no source address", 0)


def test_a_reason_is_told_again_only_after_it_went_away_from_every_backend() -> None:
    complaints = Complaints()
    for name in ("b1", "b2"):
        complaints.is_news(name, "no descriptor", 0)
    complaints.is_news("b1", None, 100)

    assert not complaints.is_news("b1", "no descriptor", 200)  # b2 has it still
    assert complaints.count("no descriptor") == 2
    for name in ("b1", "b2"):
        complaints.is_news(name, None, 300)
    assert complaints.is_news("b1", "no descriptor", 400)
    assert complaints.count("no descriptor") == 1


def test_a_reason_that_gave_way_to_another_one_went_away() -> None:
    complaints = Complaints()
    complaints.is_news("b1", "no descriptor", 0)
    complaints.is_news("b1", "no memory", 1000)

    assert complaints.is_news("b1", "no descriptor", 2000)


def test_a_reason_that_comes_and_goes_is_told_once_a_while() -> None:
    complaints = Complaints()
    told = [complaints.is_news("b1", "no descriptor" if n % 2 == 0 else None, n) for n in range(121)]

    assert [n for n, is_told in enumerate(told) if is_told] == [
        0,
        TELL_AGAIN_AFTER_S,
        2 * TELL_AGAIN_AFTER_S,
    ]


def test_of_a_reason_that_lasts_one_is_reminded_now_and_then() -> None:
    complaints = Complaints()
    told = [n for n in range(0, 1500, 10) if complaints.is_news(f"b{n % 3}", "no descriptor", n)]

    assert told == [0, REMIND_AFTER_S, 2 * REMIND_AFTER_S]


def test_a_reason_that_comes_back_early_and_stays_is_told_when_a_while_has_passed() -> None:
    complaints = Complaints()
    story = [(0, "no descriptor"), (10, None), *((at, "no descriptor") for at in range(30, 200, 10))]

    assert [at for at, reason in story if complaints.is_news("b1", reason, at)] == [0, TELL_AGAIN_AFTER_S]


def test_a_reason_that_went_away_untold_is_not_told() -> None:
    complaints = Complaints()
    story = [(0, "no descriptor"), (10, None), (20, "no descriptor"), (30, "no memory"), (70, "no memory")]

    assert [at for at, reason in story if complaints.is_news("b1", reason, at)] == [0, 30]
