from hypothesis import given
from hypothesis import strategies as st

from maglev.core.model import Timing
from maglev.core.pacing import TELL_AGAIN_AFTER_S
from maglev.core.uplink import AT_LEAST, Uplink

TIMING = Timing(10, 1, 5, timeout_s=2)
WINDOW_S = 10 * 1.1 + 2


def test_more_than_half_within_one_interval_is_told_once_with_how_many() -> None:
    uplink = Uplink()
    told = [uplink.failed(f"b{n}", TIMING, now_s=n, probed=10) for n in range(8)]

    assert told == [None] * 5 + [6, None, None]


def test_half_is_not_more_than_half() -> None:
    uplink = Uplink()
    assert [uplink.failed(f"b{n}", TIMING, 0, probed=10) for n in range(5)] == [None] * 5


def test_failures_of_more_than_one_interval_ago_do_not_count() -> None:
    uplink = Uplink()
    assert all(uplink.failed(f"b{n}", TIMING, 0, probed=10) is None for n in range(5))
    assert all(uplink.failed(f"b{n}", TIMING, WINDOW_S + 1, probed=10) is None for n in range(5, 10))


def test_a_backend_that_stays_down_does_not_count_again() -> None:
    uplink = Uplink()
    for n in range(3):
        uplink.failed(f"b{n}", TIMING, 0, probed=10)
    for _ in range(20):
        assert all(uplink.failed(f"b{n}", TIMING, WINDOW_S + 1, probed=10) is None for n in range(3))
    assert [uplink.failed(f"b{n}", TIMING, WINDOW_S + 1, probed=10) for n in range(3, 7)] == [None] * 4


def test_it_is_told_again_after_half_of_them_came_back() -> None:
    uplink = Uplink()
    names = [f"b{n}" for n in range(10)]

    def lose(now_s: float) -> list[int]:
        return [count for name in names if (count := uplink.failed(name, TIMING, now_s, 10)) is not None]

    def find(count: int) -> None:
        for name in names[:count]:
            uplink.passed(name, 10)

    assert lose(0) == [6]
    find(4)
    assert lose(100) == []  # six failed all the time
    find(10)
    assert lose(200) == [6]
    find(10)
    assert lose(201) == []  # it was said a moment ago


def test_one_backend_of_two_is_nobodys_uplink() -> None:
    uplink = Uplink()
    assert [uplink.failed(f"b{n}", TIMING, 0, probed=2) for n in range(2)] == [None, None]


def test_who_is_not_probed_any_more_is_forgotten() -> None:
    uplink = Uplink()
    for n in range(5):
        uplink.failed(f"b{n}", TIMING, 0, probed=10)
    uplink.forget([f"b{n}" for n in range(5)], 5)
    assert [uplink.failed(f"c{n}", TIMING, 0, probed=5) for n in range(2)] == [None, None]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.floats(0, 30)), max_size=60))
def test_it_is_told_as_a_plain_count_says(results: list[tuple[int, bool, float]]) -> None:
    """The model: every failing backend with the time since when, counted anew each time."""
    uplink = Uplink()
    since: dict[str, float] = {}
    is_told, now_s, silent_until_s = False, 0.0, 0.0
    for number, passed, step_s in results:
        name = f"b{number}"
        now_s += step_s
        if passed:
            since.pop(name, None)
            uplink.passed(name, 10)
            is_told = is_told and len(since) > 5
            continue
        is_new = name not in since
        since.setdefault(name, now_s)
        fresh = sum(now_s <= at_s + WINDOW_S for at_s in since.values())
        is_due = is_new and not is_told and now_s >= silent_until_s
        expected = fresh if is_due and fresh > 5 and fresh >= AT_LEAST else None
        if expected is not None:
            is_told, silent_until_s = True, now_s + TELL_AGAIN_AFTER_S

        assert uplink.failed(name, TIMING, now_s, 10) == expected
