"""The measure of our own lateness; a stall is made by moving the clock while nobody has a turn, as a SIGSTOP does."""

import trio
from trio.testing import MockClock

from maglev.control.lag import BEAT_S, TELL_AGAIN_AFTER_S, TOLD_FROM_S, Lag
from maglev.core.events import Event, LoopStalled


class Listening:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lates_s: list[float] = []
        self.lag = Lag(self.events.append, self.lates_s.append)

    @property
    def told(self) -> list[LoopStalled]:
        return [event for event in self.events if isinstance(event, LoopStalled)]


async def test_who_is_in_time_is_not_late(autojump_clock: MockClock) -> None:
    ear = Listening()
    async with trio.open_nursery() as nursery:
        await nursery.start(ear.lag.run)
        began_s = trio.current_time()
        await trio.sleep(10)
        assert not ear.lag.stalled_since(began_s, 0.001)
        nursery.cancel_scope.cancel()

    assert len(ear.lates_s) == 10 / BEAT_S - 1 or len(ear.lates_s) == 10 / BEAT_S
    assert max(ear.lates_s) == 0
    assert not ear.told


async def test_a_stall_is_seen_before_its_beat_had_a_turn_and_after(autojump_clock: MockClock) -> None:
    ear = Listening()
    async with trio.open_nursery() as nursery:
        await nursery.start(ear.lag.run)
        began_s = trio.current_time()
        autojump_clock.jump(1.0)
        assert ear.lag.stalled_since(began_s, 0.25)  # nobody had a turn in between
        await trio.sleep(1)
        assert ear.lag.stalled_since(began_s, 0.25)
        assert not ear.lag.stalled_since(began_s, 2.1)
        assert not ear.lag.stalled_since(trio.current_time(), 0.25)  # what begins now did not overlap it
        nursery.cancel_scope.cancel()

    assert round(max(ear.lates_s), 3) == 1.0 - BEAT_S


async def test_a_stall_counts_from_the_tolerance_on_and_never_below_half_of_it(autojump_clock: MockClock) -> None:
    for late_s in (0.003, 0.01, 0.1, 0.3, 1.0, 20.0):
        ear = Listening()
        async with trio.open_nursery() as nursery:
            await nursery.start(ear.lag.run)
            began_s = trio.current_time()
            autojump_clock.jump(BEAT_S + late_s)
            await trio.sleep(1)
            assert ear.lag.stalled_since(began_s, 0.9 * late_s)
            assert not ear.lag.stalled_since(began_s, 2.1 * late_s)
            nursery.cancel_scope.cancel()


async def test_a_short_stall_does_not_hide_a_long_one_before_it(autojump_clock: MockClock) -> None:
    ear = Listening()
    async with trio.open_nursery() as nursery:
        await nursery.start(ear.lag.run)
        began_s = trio.current_time()
        for stall_s in (2.0, 0.1):
            autojump_clock.jump(stall_s)
            await trio.sleep(1)
        assert ear.lag.stalled_since(began_s, 1.0)
        nursery.cancel_scope.cancel()


async def test_stalls_are_told_at_once_and_then_once_a_minute_with_the_worst(autojump_clock: MockClock) -> None:
    ear = Listening()
    async with trio.open_nursery() as nursery:
        await nursery.start(ear.lag.run)
        for stall_s in (1.0, 3.0, 2.0, TOLD_FROM_S / 2):
            autojump_clock.jump(BEAT_S + stall_s)
            await trio.sleep(1)
        assert [(event.times, round(event.worst_s)) for event in ear.told] == [(1, 1)]
        await trio.sleep(TELL_AGAIN_AFTER_S)
        nursery.cancel_scope.cancel()

    assert [(event.times, round(event.worst_s)) for event in ear.told] == [(1, 1), (2, 3)]


async def test_nobody_is_late_where_nobody_measures(autojump_clock: MockClock) -> None:
    ear = Listening()
    autojump_clock.jump(100)
    assert not ear.lag.stalled_since(0, 0.25)
    await trio.lowlevel.checkpoint()
