from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.heartbeat import INTERVALS, STILL, Heartbeat


def after(beats: list[int]) -> Heartbeat:
    return reduce(Heartbeat.seen, beats[1:], Heartbeat(beats[0]))


@given(st.integers(1, 50), st.integers(0, 49), st.integers(2, 10))
def test_a_steady_heart_never_stops_however_slow(interval: int, offset: int, beats: int) -> None:
    looks = [(offset + look) // interval for look in range(beats * interval)]

    assert not any(after(looks[:n]).has_stopped for n in range(1, len(looks)))


@given(st.integers(1, 50), st.integers(0, 49))
def test_a_heart_that_stops_is_told_after_a_few_of_its_own_intervals(interval: int, offset: int) -> None:
    alive = [(offset + look) // interval for look in range(3 * interval)]
    patience = max(STILL, INTERVALS * interval)

    assert after([*alive, *[alive[-1]] * patience]).has_stopped
    assert not after([*alive, *[alive[-1]] * patience, alive[-1] + 1]).has_stopped


def test_there_is_no_verdict_before_its_interval_was_seen() -> None:
    assert not after([7] * 1000).has_stopped
    assert not after([7, *[8] * 1000]).has_stopped
    assert after([7, 8, *[9] * 1000]).has_stopped
