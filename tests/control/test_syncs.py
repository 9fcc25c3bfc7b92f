"""A sync that somebody waits for: what it is an answer to, and that nobody is left waiting."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from maglev.control import syncs
from maglev.control.syncs import Synced, Syncs
from maglev.core.health import State
from maglev.core.plan import Observed, ObservedBackend, Op, SetWeight
from maglev.core.warmup import Warmup
from maglev.errors import Overloaded, Refused, Unavailable
from tests.control.fakes import VIP, VIP2, FakeVpp
from tests.control.test_reconciler import UP, Bench, health
from tests.control.test_reconciler_care import Mortal, one_life

A, B = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")


class Asked:
    """Somebody who asked for a sync, and what came of it."""

    def __init__(self, nursery: trio.Nursery, ask: Callable[[], Awaitable[Synced]]) -> None:
        self.answer: Synced | Unavailable | None = None
        self.scope = trio.CancelScope()
        nursery.start_soon(self._wait, ask)

    async def _wait(self, ask: Callable[[], Awaitable[Synced]]) -> None:
        with self.scope:
            try:
                self.answer = await ask()
            except Unavailable as error:
                self.answer = error


class Gated(FakeVpp):
    """Reads its table, and takes each write, only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.reads, self.writes = trio.Event(), trio.Event()
        self.reads.set()
        self.writes.set()
        self.before_reading: Callable[[], None] = lambda: None

    async def audit(self, begun: Callable[[], None] = lambda: None) -> FakeVpp:
        reads = self.reads
        self.before_reading()
        table = await super().audit(begun)
        await reads.wait()
        return table

    async def stream(self, ops: Iterable[Op]) -> AsyncGenerator[list[tuple[Op, Refused | None]], None]:
        await self.writes.wait()
        async for answers in super().stream(ops):
            yield answers


def meddle(vpp: FakeVpp, weight: int) -> None:
    """Somebody's hand on the weight of b2 in VIP2."""
    table = vpp.table
    meddled = replace(table.vips[VIP2], backends={B: ObservedBackend(weight)})
    vpp.table = Observed(table.conf, {**table.vips, VIP2: meddled})


async def settled() -> None:
    await wait_all_tasks_blocked(0.0005)  # the cushion lets what is due now come first


async def test_a_table_that_is_right_is_read_and_that_is_the_answer(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        await trio.sleep(3)
        audits, written = bench.vpp.audits, len(bench.vpp.executed)
        assert await bench.subject.synced() == Synced(int(trio.current_time() * 1e9), 0, 0)
        assert (bench.vpp.audits, len(bench.vpp.executed)) == (audits + 1, written)


async def test_what_was_meddled_with_is_put_right_before_the_answer(autojump_clock: MockClock) -> None:
    vpp = Gated()
    bench = Bench(vpp, UP)

    async with bench.serving(), trio.open_nursery() as nursery:
        meddle(vpp, 7)
        vpp.writes = trio.Event()
        asked = Asked(nursery, bench.subject.synced)
        await settled()
        assert vpp.weights(VIP2) == {"10.0.0.2": 7}
        assert asked.answer is None
        vpp.writes.set()
        await settled()
        assert vpp.weights(VIP2) == {"10.0.0.2": 100}
        assert isinstance(asked.answer, Synced)
        assert (asked.answer.operations, asked.answer.refused_vips) == (1, 0)


async def test_a_reading_that_had_begun_before_is_no_answer(autojump_clock: MockClock) -> None:
    """What was done by hand before the request has to be seen, and that reading may have come too early."""
    vpp = Gated()
    bench = Bench(vpp, UP)

    async with bench.serving(), trio.open_nursery() as nursery:
        vpp.reads = gate = trio.Event()
        await trio.sleep(30)  # a reading for drift is under way
        meddle(vpp, 7)
        asked = Asked(nursery, bench.subject.synced)
        vpp.reads = second = trio.Event()
        gate.set()
        await settled()
        assert asked.answer is None
        second.set()
        await settled()
        assert vpp.weights(VIP2) == {"10.0.0.2": 100}
        assert isinstance(asked.answer, Synced)
        assert asked.answer.operations == 1


async def test_whoever_asks_while_a_sync_is_read_gets_another_reading(autojump_clock: MockClock) -> None:
    vpp = Gated()
    bench = Bench(vpp, UP)

    async with bench.serving(), trio.open_nursery() as nursery:
        vpp.reads = first = trio.Event()
        early = Asked(nursery, bench.subject.synced)
        await settled()
        vpp.reads = second = trio.Event()
        late = Asked(nursery, bench.subject.synced)
        await settled()
        first.set()
        await settled()
        assert isinstance(early.answer, Synced)
        assert late.answer is None
        second.set()
        await settled()
        assert isinstance(late.answer, Synced)


async def test_two_who_ask_at_once_share_one_reading(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving(), trio.open_nursery() as nursery:
        audits = bench.vpp.audits
        asked = [Asked(nursery, bench.subject.synced) for _ in range(2)]
        await settled()
        assert asked[0].answer == asked[1].answer
        assert isinstance(asked[0].answer, Synced)
        assert bench.vpp.audits == audits + 1


async def test_what_vpp_still_refuses_is_counted_and_what_it_takes_now_is_not(autojump_clock: MockClock) -> None:
    refused = {SetWeight(VIP, A, 0, flush=True), SetWeight(VIP2, B, 0, flush=True)}
    bench = Bench(FakeVpp(deny=lambda op: "VPP says no" if op in refused else ""), UP)

    async with bench.serving():
        bench.cell.set(health({**UP, "b1": State.DOWN, "b2": State.DOWN}))
        await trio.sleep(6)  # the next try is seconds away
        refused.discard(SetWeight(VIP2, B, 0, flush=True))
        synced = await bench.subject.synced()
        assert (synced.operations, synced.refused_vips) == (1, 1)
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 0}
        refused.clear()
        synced = await bench.subject.synced()
        assert (synced.operations, synced.refused_vips) == (1, 0)


async def test_a_table_meddled_with_between_reading_and_writing_is_read_once_more(autojump_clock: MockClock) -> None:
    """VPP refuses the weight of a backend that somebody has deleted meanwhile: that is no end."""
    vpp = Gated()
    bench = Bench(vpp, UP)

    async with bench.serving(), trio.open_nursery() as nursery:
        meddle(vpp, 7)
        vpp.writes = trio.Event()
        asked = Asked(nursery, bench.subject.synced)
        await settled()
        vpp.table = Observed(vpp.table.conf, {**vpp.table.vips, VIP2: replace(vpp.table.vips[VIP2], backends={})})
        vpp.reads = trio.Event()
        vpp.writes.set()
        await settled()
        assert asked.answer is None
        vpp.reads.set()
        await settled()
        assert vpp.weights(VIP2) == {"10.0.0.2": 100}
        assert isinstance(asked.answer, Synced)
        assert (asked.answer.operations, asked.answer.refused_vips) == (1, 0)


async def test_without_a_session_there_is_nothing_to_wait_for(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    with pytest.raises(Unavailable, match="no VPP is connected; is it running"):
        await bench.subject.synced()
    async with bench.serving():
        await bench.subject.synced()
    with pytest.raises(Unavailable, match="no VPP is connected"):
        await bench.subject.synced()


async def test_a_session_that_is_lost_is_told_to_all_who_wait(autojump_clock: MockClock) -> None:
    vpp = Gated()
    bench = Bench(vpp, UP)

    async with trio.open_nursery() as nursery:
        async with bench.serving():
            vpp.reads = trio.Event()
            asked = [Asked(nursery, bench.subject.synced)]
            await settled()
            asked.append(Asked(nursery, bench.subject.synced))
            await settled()
        await settled()
        assert [str(each.answer) for each in asked] == [
            "VPP was lost meanwhile; maglevd syncs by itself once it is back"
        ] * 2


async def test_a_sync_in_the_warmup_waits_for_its_end(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP, Warmup(5, 30))

    async with bench.serving():
        synced = await bench.subject.synced()
        assert trio.current_time() == pytest.approx(5, abs=0.01)
        assert synced.operations == len(bench.vpp.executed)
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 100}


async def test_a_sync_waits_while_nothing_is_written_as_vpp_keeps_dying_of_it(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    for _ in range(3):
        await one_life(bench, Mortal())
    bench.vpp = FakeVpp()

    async with bench.serving():
        began = trio.current_time()
        synced = await bench.subject.synced()
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        assert synced.operations == len(bench.vpp.executed) > 0


async def test_who_stops_waiting_leaves_nothing_behind_and_the_sync_is_done(autojump_clock: MockClock) -> None:
    vpp = Gated()
    bench = Bench(vpp, UP)

    async with bench.serving(), trio.open_nursery() as nursery:
        meddle(vpp, 7)
        vpp.reads = trio.Event()
        gone, stays = Asked(nursery, bench.subject.synced), Asked(nursery, bench.subject.synced)
        await settled()
        gone.scope.cancel()
        await settled()
        assert len(bench.subject._syncs._waiting) == 1
        vpp.reads.set()
        await settled()
        assert vpp.weights(VIP2) == {"10.0.0.2": 100}
        assert gone.answer is None
        assert isinstance(stays.answer, Synced)
        assert bench.subject._syncs._waiting == []


async def test_those_who_wait_are_bounded(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncs, "WAITING", 3)
    subject = Syncs()

    async with trio.open_nursery() as nursery:
        asked = [Asked(nursery, subject.wait) for _ in range(3)]
        await settled()
        with pytest.raises(Overloaded, match="3 wait for a sync already"):
            await subject.wait()
        asked[0].scope.cancel()
        await settled()
        asked[0] = Asked(nursery, subject.wait)
        await settled()
        assert [each.answer for each in asked] == [None] * 3
        subject.session_ended()
    assert all(isinstance(each.answer, Unavailable) for each in asked)
