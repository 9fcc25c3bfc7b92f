from maglev.core.holdback import LONGEST_PAUSE_S, Holdback


def pauses(*ends: tuple[float, float]) -> list[float]:
    holdback, found = Holdback(), list[float]()
    for since_first_s, since_last_s in ends:
        holdback = holdback.session_ended(since_first_s, since_last_s)
        found.append(holdback.pause_s)
    return found


def test_from_the_third_death_after_a_write_on_the_pauses_grow() -> None:
    assert pauses((1, 1), (20, 9.9), (0, 0), (2, 2), (59, 3)) == [0, 0, 30, 60, 120]
    assert pauses(*[(1, 1)] * 5000)[-1] == LONGEST_PAUSE_S


def test_a_session_that_outlives_its_last_write_ends_the_row() -> None:
    assert pauses((1, 1), (1, 1), (12, 10), (1, 1), (1, 1), (1, 1)) == [0, 0, 0, 0, 0, 30]


def test_so_does_one_that_outlived_its_first_for_long_however_often_it_wrote_since() -> None:
    assert pauses((1, 1), (1, 1), (60, 1), (86400, 4), (1, 1)) == [0, 0, 0, 0, 0]
