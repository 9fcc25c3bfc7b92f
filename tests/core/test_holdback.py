from maglev.core.holdback import LONGEST_PAUSE_S, Holdback


def pauses(*since_write_s: float | None) -> list[float]:
    holdback, found = Holdback(), list[float]()
    for since_s in since_write_s:
        holdback = holdback.session_ended(since_s)
        found.append(holdback.pause_s)
    return found


def test_from_the_third_death_after_a_write_on_the_pauses_grow() -> None:
    assert pauses(1, 9.9, 0, 2, 3) == [0, 0, 30, 60, 120]
    assert pauses(*[1] * 5000)[-1] == LONGEST_PAUSE_S


def test_a_session_that_outlives_its_last_write_ends_the_row() -> None:
    assert pauses(1, 1, 10, 1, 1, 1) == [0, 0, 0, 0, 0, 30]


def test_a_session_that_wrote_nothing_says_nothing() -> None:
    assert pauses(1, 1, 1, None, None) == [0, 0, 30, 30, 30]
