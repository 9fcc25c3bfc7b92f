from functools import partial
from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from maglev.alarms import _FEW, BURST, GRAIN_S, Alarm, Alarms


class Rung:
    def __init__(self) -> None:
        self.at_s: list[tuple[object, float]] = []

    def note(self, what: object) -> None:
        self.at_s.append((what, trio.current_time()))


async def test_alarms_ring_in_time_and_never_early(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(), Rung()
    times_s = [5.0, 0.5, 0.5, 3.0, 0.0001, 0.4995]
    for time_s in times_s:
        alarms.set(time_s, partial(rung.note, time_s))
    async with trio.open_nursery() as nursery:
        await nursery.start(alarms.run)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()

    assert [what for what, _ in rung.at_s] == sorted(times_s)
    for due_s, at_s in rung.at_s:
        assert isinstance(due_s, float)
        assert due_s <= at_s <= due_s + GRAIN_S


async def test_one_that_is_set_while_all_sleep_rings_before_them(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(), Rung()
    async with trio.open_nursery() as nursery:
        await nursery.start(alarms.run)
        await trio.sleep(1)
        alarms.set(100, lambda: rung.note("late"))
        await trio.sleep(1)
        alarms.set(3, lambda: rung.note("early"))
        await trio.sleep(2)
        assert rung.at_s == [("early", 3.0)]
        nursery.cancel_scope.cancel()


async def test_what_is_past_rings_soon(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(), Rung()
    async with trio.open_nursery() as nursery:
        await nursery.start(alarms.run)
        await trio.sleep(10)
        alarms.set(1, lambda: rung.note("past"))
        await trio.sleep(GRAIN_S)
        assert [what for what, _ in rung.at_s] == ["past"]
        nursery.cancel_scope.cancel()


async def test_one_that_is_put_off_does_not_ring_and_one_that_is_moved_rings_once(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(), Rung()
    alarms.put_off(alarms.set(1, lambda: rung.note("put off")))
    alarms.move(alarms.set(2, lambda: rung.note("sooner")), 1)
    alarms.move(alarms.set(2, lambda: rung.note("later")), 3)
    async with trio.open_nursery() as nursery:
        await nursery.start(alarms.run)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()

    assert [what for what, _ in rung.at_s] == ["sooner", "later"]


async def test_one_that_rang_is_neither_put_off_nor_moved(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(), Rung()
    alarm = alarms.set(1, lambda: rung.note("once"))
    async with trio.open_nursery() as nursery:
        await nursery.start(alarms.run)
        await trio.sleep(2)
        alarms.put_off(alarm)
        assert alarms.move(alarm, 3) is alarm
        await trio.sleep(5)
        nursery.cancel_scope.cancel()

    assert len(rung.at_s) == 1


async def test_a_crowd_of_alarms_lets_others_have_their_turn(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(), Rung()
    for n in range(10 * BURST):
        alarms.set(1.0, partial(rung.note, n))
    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(alarms.run)
        await trio.sleep(1)
        while len(rung.at_s) < 10 * BURST:
            seen.append(len(rung.at_s))
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert max(after - before for before, after in pairwise(seen)) <= 2 * BURST  # it may have two turns between ours


@pytest.mark.parametrize("live", [0, 10])
def test_those_put_off_do_not_pile_up_until_their_time(live: int) -> None:
    alarms = Alarms()
    kept = [alarms.set(float(n), lambda: None) for n in range(live)]
    for n in range(10 * _FEW):
        alarms.put_off(alarms.set(86400.0 + n, lambda: None))

    assert len(alarms._heap) <= 2 * live + _FEW
    assert {each for _, _, each in alarms._heap if each.ring is not None} == set(kept)


@given(
    st.lists(st.tuples(st.sampled_from(["set", "off", "move"]), st.integers(0, 20), st.integers(0, 30)), max_size=60)
)
def test_what_rings_is_what_a_plain_list_says(steps: list[tuple[str, int, int]]) -> None:
    alarms = Alarms()
    model: dict[int, int] = {}
    made: dict[int, Alarm] = {}
    rung: list[int] = []
    for verb, which, when_s in steps:
        if verb == "set" and which not in made:
            made[which] = alarms.set(when_s, partial(rung.append, which))
            model[which] = when_s
        elif verb == "off" and which in made:
            alarms.put_off(made[which])
            model.pop(which, None)
        elif verb == "move" and which in model:
            made[which] = alarms.move(made[which], when_s)
            model[which] = when_s
    for now_s in range(31):
        rung.clear()
        while alarms._ring_until(now_s):
            pass
        assert sorted(rung) == sorted(which for which, when_s in model.items() if when_s == now_s)
