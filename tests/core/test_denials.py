"""Denied orders: the first is told, the others are counted, and nobody fills the memory with them."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.denials import MAX_KEPT, Denials
from maglev.core.orders import ACTIONS, Ordered, Outcome

DENIED = Ordered("bob", "192.0.2.8:5", "", "PauseBackend", "backend b1", None, None, Outcome.DENIED, "no")


def test_another_port_or_thing_is_the_same_and_another_host_name_or_action_is_not() -> None:
    denials = Denials()
    assert denials.take(DENIED)
    assert not denials.take(replace(DENIED, origin="192.0.2.8:6"))
    assert not denials.take(replace(DENIED, what="backend b2", says="me"))
    for other in (replace(DENIED, origin="192.0.2.9:5"), replace(DENIED, who="x"), replace(DENIED, action="SyncVPP")):
        assert denials.take(other)

    assert denials.turn() == [replace(DENIED, what="backend b2", says="me", times=2)]


def test_who_is_quiet_for_a_window_is_forgotten() -> None:
    denials = Denials()
    denials.take(DENIED)
    assert denials
    assert denials.turn() == []
    assert not denials
    assert denials.take(DENIED)


def test_after_the_end_the_next_one_is_a_first_one() -> None:
    denials = Denials()
    denials.take(DENIED)
    denials.take(DENIED)
    assert [record.times for record in denials.end()] == [1]
    assert not denials
    assert denials.take(DENIED)


def test_a_crowd_is_counted_together_once_many_are_known() -> None:
    denials, crowd = Denials(), 3 * MAX_KEPT
    told = sum(denials.take(replace(DENIED, who=f"host{number}")) for number in range(crowd))
    counted = denials.turn()

    assert told == MAX_KEPT + 1  # the first of the crowd stands for it
    assert [record.times for record in counted] == [crowd - told]


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(ACTIONS)), max_size=30),
        max_size=5,
    )
)
def test_each_is_in_exactly_one_record(windows: list[list[tuple[str, str]]]) -> None:
    denials, told = Denials(), 0
    for window in windows:
        told += sum(denials.take(replace(DENIED, who=who, action=action)) for who, action in window)
        told += sum(record.times for record in denials.turn())

    assert told + sum(record.times for record in denials.end()) == sum(map(len, windows))
