from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from maglev.control.cell import Cell
from maglev.control.sampler import MAX_FAILURES, RETRY_S, Sampler
from maglev.core.counters import Figures, Indexes
from maglev.core.events import SampleFailed
from maglev.core.model import TCP, VipKey
from maglev.errors import ProtocolError, Unavailable
from tests.control.fakes import VIP, Journal, clock

FIRST, SECOND = Indexes({VIP: 1}, {}, {}, 7), Indexes({VIP: 2}, {}, {}, 8)


class FakeStats:
    def __init__(self) -> None:
        self.used: list[Indexes] = []
        self.fault: Exception | None = None
        self.boottime_ns = 1

    def read(self, indexes: Indexes, now_ns: int) -> Figures:
        if self.fault is not None:
            raise self.fault
        self.used.append(indexes)
        column, nothing = array("Q", [len(self.used)] * len(indexes.vips)), array("Q")
        return Figures(now_ns, self.boottime_ns, indexes, (column,) * 4, (nothing,) * 2, (nothing,) * 4)


class Bench:
    def __init__(self, indexes: Indexes | None) -> None:
        self.stats = FakeStats()
        self.cell: Cell[Indexes | None] = Cell(indexes)
        self.journal = Journal()
        self.subject = Sampler(5, self.cell, self.journal, clock())

    @asynccontextmanager
    async def serving(self, *, is_awaited: bool = True) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.subject.serve, self.stats)
            if is_awaited:
                await trio.sleep(0.001)
            yield
            nursery.cancel_scope.cancel()


async def test_samples_on_the_interval_and_forgets_at_the_end(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)

    async with bench.serving():
        assert bench.subject.sample.value is not None
        await trio.sleep(25)
        assert len(bench.stats.used) == 6
    assert bench.subject.sample.value is None


async def test_nothing_is_sampled_while_the_indexes_are_in_doubt(autojump_clock: MockClock) -> None:
    bench = Bench(None)

    async with bench.serving():
        await trio.sleep(20)
        assert bench.stats.used == []
        bench.cell.set(FIRST)
        await trio.sleep(0.001)
        bench.cell.set(None)
        await trio.sleep(20)
        assert bench.stats.used == [FIRST]
        bench.cell.set(SECOND)
        await trio.sleep(0.001)
        assert bench.stats.used == [FIRST, SECOND]  # at once, not at the next interval


async def test_old_numbers_are_taken_back_when_the_indexes_stay_in_doubt(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)

    async with bench.serving():
        bench.cell.set(None)
        await trio.sleep(1)
        assert bench.subject.sample.value is not None  # a moment's doubt is no news
        bench.subject.adopt(86_400)
        await trio.sleep(10)
        assert bench.subject.sample.value is None
        bench.cell.set(SECOND)
        await trio.sleep(0.001)
        assert bench.subject.sample.value is not None


async def test_a_vip_at_a_new_index_begins_a_new_life(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)

    async with bench.serving():
        await trio.sleep(10)
        old = bench.subject.sample.value
        bench.cell.set(SECOND)
        await trio.sleep(0.001)
        new = bench.subject.sample.value
        assert old is not None
        assert new is not None
        assert old.vips[VIP].since_ns == 0  # when VPP started
        assert new.vips[VIP].since_ns == 7


async def test_a_life_goes_on_over_a_lost_session(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.stats.boottime_ns = 5

    async with bench.serving():
        await trio.sleep(11)
        bench.stats.used = []  # the figures fall
        await trio.sleep(5)
        fallen = bench.subject.sample.value
    async with bench.serving():
        again = bench.subject.sample.value
        assert fallen is not None
        assert again is not None
        assert again.taken_at_ns > fallen.taken_at_ns
        assert again.vips[VIP].since_ns == fallen.vips[VIP].since_ns == 10_000_000_000


async def test_an_audit_that_found_the_same_is_no_reason_to_hurry(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    again = Indexes({VIP: 1}, {}, {}, 9)

    async with bench.serving():
        bench.cell.set(again)
        await trio.sleep(1)
        assert bench.stats.used == [FIRST]
        await trio.sleep(5)
        assert bench.stats.used[1] is again


async def test_others_have_their_turns_while_a_large_sample_is_made(autojump_clock: MockClock) -> None:
    many = Indexes({VipKey(VIP.prefix, TCP, port): port for port in range(10_000)}, {}, {})
    bench = Bench(many)
    turns = 0

    async with bench.serving(is_awaited=False):
        while bench.subject.sample.value is None:
            turns += 1
            await trio.lowlevel.checkpoint()
        assert len(bench.subject.sample.value.vips) == 10_000
    assert turns > 20


async def test_what_moved_while_a_sample_is_made_is_not_told(autojump_clock: MockClock) -> None:
    bench = Bench(Indexes({VipKey(VIP.prefix, TCP, port): port for port in range(10_000)}, {}, {}))

    async with bench.serving(is_awaited=False):
        while not bench.stats.used:
            await trio.lowlevel.checkpoint()
        bench.cell.set(FIRST)
        while bench.subject.sample.value is None:
            await trio.lowlevel.checkpoint()
        assert bench.subject.sample.value.vips.keys() == {VIP}


async def test_a_raced_read_is_told_and_tried_again_but_not_for_ever(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.stats.fault = Unavailable("raced")

    with pytest.raises(Unavailable):
        await bench.subject.serve(bench.stats)
    assert len(bench.journal.of(SampleFailed)) == MAX_FAILURES


async def test_only_failures_in_a_row_end_the_session(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)

    async with bench.serving():
        for _ in range(5):
            bench.stats.fault = Unavailable("raced")
            await trio.sleep(MAX_FAILURES - 2)
            bench.stats.fault = None
            await trio.sleep(10)
        assert bench.subject.sample.value is not None
    assert len(bench.journal.of(SampleFailed)) > MAX_FAILURES


async def test_no_number_stands_while_the_segment_cannot_be_read(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.subject.adopt(86_400)

    async with bench.serving():
        seen = bench.subject.sample.value
        bench.stats.fault = Unavailable("raced")
        await trio.sleep(86_400)
        assert bench.subject.sample.value is seen  # it was a race, perhaps
        await trio.sleep(RETRY_S)
        assert bench.subject.sample.value is None
        bench.stats.fault = None
        await trio.sleep(RETRY_S)
        assert bench.subject.sample.value is not None


async def test_another_interval_counts_at_once(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.subject.adopt(86_400)

    async with bench.serving():
        await trio.sleep(60)
        assert len(bench.stats.used) == 1
        bench.subject.adopt(5)
        await trio.sleep(0.001)
        assert len(bench.stats.used) == 2
        await trio.sleep(5)
        assert len(bench.stats.used) == 3
        bench.subject.adopt(86_400)
        await trio.sleep(60)
        assert len(bench.stats.used) == 3


async def test_a_corrupt_segment_ends_the_session_at_once(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.stats.fault = ProtocolError("corrupt")

    with pytest.raises(ProtocolError):
        await bench.subject.serve(bench.stats)
