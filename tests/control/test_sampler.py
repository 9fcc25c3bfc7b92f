from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from maglev.control.cell import Cell
from maglev.control.sampler import Sampler
from maglev.core.counters import Indexes, Sample, VipCounters
from maglev.core.events import SampleFailed
from maglev.errors import ProtocolError, Unavailable
from tests.control.fakes import VIP, Journal, clock

FIRST, SECOND = Indexes({VIP: 1}, {}, {}), Indexes({VIP: 2}, {}, {})


class FakeStats:
    def __init__(self) -> None:
        self.used: list[Indexes] = []
        self.fault: Exception | None = None

    def sample(self, indexes: Indexes, now_ns: int) -> Sample:
        if self.fault is not None:
            raise self.fault
        self.used.append(indexes)
        vips = {key: VipCounters(index, len(self.used), 0, 0, 0, None) for key, index in indexes.vips.items()}
        return Sample(now_ns, 1, vips)


class Bench:
    def __init__(self, indexes: Indexes | None) -> None:
        self.stats = FakeStats()
        self.cell: Cell[Indexes | None] = Cell(indexes)
        self.journal = Journal()
        self.subject = Sampler(5, self.cell, self.journal, clock())

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.subject.serve, self.stats)
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
        assert new.vips[VIP].since_ns == old.taken_at_ns


async def test_a_raced_read_is_told_and_tried_again_but_not_for_ever(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.stats.fault = Unavailable("raced")

    with pytest.raises(Unavailable):
        await bench.subject.serve(bench.stats)
    assert len(bench.journal.of(SampleFailed)) == 3


async def test_only_failures_in_a_row_end_the_session(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)

    async with bench.serving():
        for _ in range(5):
            bench.stats.fault = Unavailable("raced")
            await trio.sleep(10)
            bench.stats.fault = None
            await trio.sleep(10)
        assert bench.subject.sample.value is not None
    assert len(bench.journal.of(SampleFailed)) == 10


async def test_a_corrupt_segment_ends_the_session_at_once(autojump_clock: MockClock) -> None:
    bench = Bench(FIRST)
    bench.stats.fault = ProtocolError("corrupt")

    with pytest.raises(ProtocolError):
        await bench.subject.serve(bench.stats)
