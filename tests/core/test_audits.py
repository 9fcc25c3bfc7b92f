import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.audits import AT_ONCE, DRIFT_SHARE, LONGEST_DOUBT_S, MUST_SHARE, AuditPace


def test_the_first_audit_is_due_at_once() -> None:
    pace = AuditPace(30)

    assert pace.due_s(must=True) == pace.due_s(must=False) == 0


def test_audits_for_drift_come_on_the_sync_interval_or_later_if_they_cost_too_much() -> None:
    pace = AuditPace(30)
    pace.done(100, 0.010)
    assert pace.interval_s == 30
    assert pace.due_s(must=False) == 130
    pace.done(130, 0.059)
    assert pace.interval_s == 30  # once is no cost
    pace.done(160, 0.060)
    assert pace.interval_s == pytest.approx(59)
    assert pace.due_s(must=False) == pytest.approx(219)
    pace.done(219, 0.001)
    assert pace.interval_s == 30


def test_what_must_be_known_is_read_at_once_a_few_times_and_then_at_its_share_of_the_time() -> None:
    pace, now_s, starts_s = AuditPace(30), 1000.0, list[float]()
    for _ in range(6):
        now_s = max(now_s, pace.due_s(must=True)) + 0.1
        pace.done(now_s, 0.1)
        starts_s.append(round(now_s))

    assert starts_s == [1000, 1000, 1000, 1005, 1010, 1015]


def test_credit_comes_back_with_time() -> None:
    pace = AuditPace(30)
    for _ in range(3):
        pace.done(0, 0.1)
    pace.done(1000, 0.1)

    assert pace.due_s(must=True) == 1000


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0.001, 0.5))
def test_audits_that_are_asked_for_all_the_time_keep_to_their_share(waits_s: list[float], cost_s: float) -> None:
    pace, now_s = AuditPace(1), 0.0
    for wait_s in waits_s:
        now_s = max(now_s + wait_s, pace.due_s(must=True)) + cost_s
        pace.done(now_s, cost_s)

    assert len(waits_s) * cost_s <= now_s * MUST_SHARE + (AT_ONCE + 1) * cost_s


def test_nobody_is_in_doubt_for_long_however_slow_audits_are() -> None:
    pace = AuditPace(30)
    for _ in range(9):
        pace.done(1000, 12)

    assert pace.due_s(must=True) == 1000 + LONGEST_DOUBT_S


@given(st.floats(0.1, 100), st.floats(0, 10))
def test_drift_is_never_looked_for_more_often_than_its_share_allows(sync_s: float, cost_s: float) -> None:
    pace = AuditPace(sync_s)
    pace.done(0, cost_s)

    assert cost_s <= pace.due_s(must=False) * DRIFT_SHARE * 1.000001
    assert pace.due_s(must=False) >= sync_s
