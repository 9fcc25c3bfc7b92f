"""When questions are asked, for whom, and what becomes of those that overlap a stall of our own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import trio
from trio.testing import MockClock

from maglev.control.lag import Lag
from maglev.control.watching import MAX_REPEATS, OVERDUE_S, Watches
from maglev.core.events import ProbeDone, ProbeStarted
from maglev.core.model import Backend, HealthCheck, IPAddress, ProbeResult
from maglev.core.pacing import INCONCLUSIVE_AT_LEAST_S
from tests.control.fakes import CHECK, FAIL, PASS, Journal, backend, clock

Answer = Callable[[IPAddress], Awaitable[ProbeResult]]


@dataclass
class Judging:
    """Notes what it is told, and has the next probe come 10 s after the last."""

    told: list[tuple[tuple[str, ...], ProbeResult]] = field(default_factory=list)
    is_told: trio.Event = field(default_factory=trio.Event)

    def __call__(self, names: Collection[str], check: HealthCheck, result: ProbeResult) -> float:
        self.told.append((tuple(names), result))
        self.is_told.set()
        return INCONCLUSIVE_AT_LEAST_S if result.passed is None else 10.0


class Bench:
    def __init__(self, answer: Answer, at_once: int = 10) -> None:
        self.asked: list[float] = []
        self.journal, self.judging = Journal(), Judging()
        self.lag = Lag(self.journal, lambda _: None)

        async def probe(check: HealthCheck, address: IPAddress) -> ProbeResult:
            self.asked.append(trio.current_time())
            return await answer(address)

        self.watches = Watches(probe, self.judging, self.journal, clock(), self.lag, at_once)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.lag.run)
            await nursery.start(self.watches.run)
            yield
            nursery.cancel_scope.cancel()


async def passes(_: IPAddress) -> ProbeResult:
    await trio.sleep(0.01)
    return PASS


def twins(*names: str) -> list[Backend]:
    return [replace(backend(1), name=name) for name in names]


async def test_backends_that_share_address_and_check_share_one_probe(autojump_clock: MockClock) -> None:
    bench = Bench(passes)
    async with bench.running():
        for each in twins("a", "b", "c"):
            bench.watches.join(each, CHECK, at_once=True)
        await trio.sleep(95)

    assert len(bench.asked) == 10
    assert {names for names, _ in bench.judging.told} == {("a", "b", "c")}
    assert [event.backend for event in bench.journal.of(ProbeDone)[:3]] == ["a", "b", "c"]


async def test_another_address_or_another_check_is_another_question(autojump_clock: MockClock) -> None:
    bench = Bench(passes)
    async with bench.running():
        bench.watches.join(backend(1), CHECK, at_once=True)
        bench.watches.join(backend(2), CHECK, at_once=True)
        bench.watches.join(backend(1), replace(CHECK, name="other"), at_once=True)
        await trio.sleep(1)

    assert len(bench.asked) == 3


async def test_who_joins_later_is_asked_for_at_once_and_whoever_shares_it_too(autojump_clock: MockClock) -> None:
    bench = Bench(passes)
    first, second = twins("a", "b")
    async with bench.running():
        bench.watches.join(first, CHECK, at_once=True)
        await trio.sleep(5)
        bench.watches.join(second, CHECK, at_once=True)
        await trio.sleep(1)

    assert [names for names, _ in bench.judging.told] == [("a",), ("a", "b")]


async def test_what_is_under_way_counts_for_who_joins_meanwhile(autojump_clock: MockClock) -> None:
    bench = Bench(passes)
    first, second = twins("a", "b")
    async with bench.running():
        bench.watches.join(first, CHECK, at_once=True)
        await trio.sleep(0.005)
        bench.watches.join(second, CHECK, at_once=True)
        await trio.sleep(1)

    assert [names for names, _ in bench.judging.told] == [("a", "b")]


async def test_the_others_are_asked_for_when_one_leaves(autojump_clock: MockClock) -> None:
    bench = Bench(passes)
    first, second = twins("a", "b")
    async with bench.running():
        for each in (first, second):
            bench.watches.join(each, CHECK, at_once=True)
        await trio.sleep(5)
        bench.watches.leave(first, CHECK)
        await trio.sleep(10)

    assert [names for names, _ in bench.judging.told] == [("a", "b"), ("b",)]


async def test_a_probe_is_cancelled_when_nobody_waits_for_it(autojump_clock: MockClock) -> None:
    ended: list[str] = []

    async def silent(_: IPAddress) -> ProbeResult:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("cancelled")

    bench = Bench(silent, at_once=1)
    async with bench.running():
        for number in (1, 2):
            bench.watches.join(backend(number), CHECK, at_once=True)
            await trio.sleep(1)
        bench.watches.leave(backend(1), CHECK)
        await trio.sleep(1)
        assert ended == ["cancelled"]
        assert len(bench.asked) == 2  # its turn went to the other
        bench.watches.leave(backend(2), CHECK)
        await trio.sleep(100)
        assert len(bench.asked) == 2

    assert bench.judging.told == []


async def test_the_queue_is_first_come_first_served(autojump_clock: MockClock) -> None:
    order: list[IPAddress] = []

    async def slow(address: IPAddress) -> ProbeResult:
        order.append(address)
        await trio.sleep(1)
        return PASS

    bench = Bench(slow, at_once=1)
    numbers = [4, 2, 5, 3, 1]
    async with bench.running():
        for number in numbers:
            bench.watches.join(backend(number), CHECK, at_once=True)
            await trio.sleep(0.01)
        await trio.sleep(6)

    assert order[:5] == [IPv4Address(f"10.0.0.{number}") for number in numbers]
    lates_s = [event.late_s for event in bench.journal.of(ProbeStarted)[:5]]
    assert [round(late_s, 2) for late_s in lates_s] == [0.0, 0.99, 1.98, 2.97, 3.96]


async def test_a_timeout_longer_than_the_interval_makes_nobody_late(autojump_clock: MockClock) -> None:
    async def slow(_: IPAddress) -> ProbeResult:
        await trio.sleep(15)
        return FAIL

    bench = Bench(slow)
    async with bench.running():
        bench.watches.join(backend(1), CHECK, at_once=True)
        await trio.sleep(100)

    assert len(bench.asked) == 7
    assert {event.late_s for event in bench.journal.of(ProbeStarted)} == {0.0}


async def test_a_failure_that_overlapped_a_stall_counts_for_nobody_and_is_repeated(
    autojump_clock: MockClock,
) -> None:
    stalls = iter([True, False])

    async def fails(_: IPAddress) -> ProbeResult:
        await trio.sleep(0.01)
        if next(stalls, False):
            autojump_clock.jump(10)  # as SIGSTOP does: the time is gone, and nobody had a turn
            return FAIL
        return PASS

    bench = Bench(fails)
    async with bench.running():
        bench.watches.join(backend(1), CHECK, at_once=True)
        await trio.sleep(11)

    (judged, *_) = bench.judging.told
    assert judged == (("b1",), PASS)
    first, second = bench.journal.of(ProbeDone)[:2]
    assert (first.result.passed, first.result.code) == (None, "L4CON")
    assert first.result.detail == "maglevd stood still meanwhile; refused"
    assert second.result == PASS
    assert round(bench.asked[1] - bench.asked[0], 3) == 10.01


async def test_who_is_stalled_again_and_again_sees_a_dead_backend_all_the_same(autojump_clock: MockClock) -> None:
    async def stalls(_: IPAddress) -> ProbeResult:
        await trio.sleep(0.01)
        autojump_clock.jump(10)
        return FAIL

    bench = Bench(stalls)
    async with bench.running():
        bench.watches.join(backend(1), CHECK, at_once=True)
        await bench.judging.is_told.wait()

    assert bench.judging.told == [(("b1",), FAIL)]
    assert [event.result.passed for event in bench.journal.of(ProbeDone)] == [None] * MAX_REPEATS + [False]


async def test_an_answer_counts_however_late_we_are(autojump_clock: MockClock) -> None:
    async def stalls(_: IPAddress) -> ProbeResult:
        await trio.sleep(0.01)
        autojump_clock.jump(10)
        return PASS

    bench = Bench(stalls)
    async with bench.running():
        bench.watches.join(backend(1), CHECK, at_once=True)
        await bench.judging.is_told.wait()

    assert bench.judging.told == [(("b1",), PASS)]
    assert bench.journal.of(ProbeDone)[0].result == PASS


async def test_a_stall_before_a_probe_or_a_short_one_is_no_excuse(autojump_clock: MockClock) -> None:
    short_s = 0.05 + CHECK.timing.timeout_s / 16  # with a timeout of 1 s a quarter counts, and half of that may

    async def fails(_: IPAddress) -> ProbeResult:
        await trio.sleep(0.01)
        autojump_clock.jump(short_s)
        return FAIL

    bench = Bench(fails)
    async with bench.running():
        autojump_clock.jump(10)
        bench.watches.join(backend(1), CHECK, at_once=True)
        await trio.sleep(1)

    assert bench.judging.told == [(("b1",), FAIL)]


async def test_progress_is_a_probe_that_ended_or_that_none_ought_to_have(autojump_clock: MockClock) -> None:
    is_stuck = False

    async def answers(address: IPAddress) -> ProbeResult:
        if is_stuck:
            await trio.sleep_forever()
        return await passes(address)

    bench = Bench(answers)
    async with bench.running():
        assert bench.watches.has_progress()
        assert bench.watches.has_progress(), "nobody is probed"
        bench.watches.join(backend(1), CHECK, at_once=True)
        await trio.sleep(1)
        assert bench.watches.has_progress(), "one ended"
        assert bench.watches.has_progress(), "the next one is not due"
        (first_s,) = bench.asked

        is_stuck = True
        await trio.sleep_until(first_s + 10)
        overdue_s = bench.asked[-1] + CHECK.timing.timeout_s + OVERDUE_S
        await trio.sleep_until(overdue_s - 0.1)
        assert bench.watches.has_progress(), "it may come to its end yet"
        await trio.sleep_until(overdue_s + 0.1)
        assert not bench.watches.has_progress()
        bench.watches.join(backend(2), CHECK, at_once=True)
        await trio.sleep(1)
        assert not bench.watches.has_progress()

        is_stuck = False
        bench.watches.join(backend(3), CHECK, at_once=True)
        await trio.sleep(1)
        assert bench.watches.has_progress(), "those that end count, whatever becomes of others"

        bench.watches.leave(backend(1), CHECK)
        bench.watches.leave(backend(2), CHECK)
        await trio.sleep(1)
        assert bench.watches.has_progress(), "what was given up is not waited for"


async def test_a_probe_that_waits_for_its_turn_is_not_overdue(autojump_clock: MockClock) -> None:
    slow = replace(CHECK, timing=replace(CHECK.timing, timeout_s=100.0))

    async def is_silent(_: IPAddress) -> ProbeResult:
        await trio.sleep(99)
        return FAIL

    bench = Bench(is_silent, at_once=1)
    async with bench.running():
        for number in (1, 2):
            bench.watches.join(backend(number), slow, at_once=True)
        bench.watches.has_progress()
        await trio.sleep(98)
        assert bench.watches.has_progress()


async def test_a_question_that_is_not_put_though_it_is_due_is_overdue(autojump_clock: MockClock) -> None:
    bench = Bench(passes)
    async with bench.running():
        bench.watches.join(backend(1), CHECK, at_once=True)
        await trio.sleep(1)
        assert bench.watches.has_progress()
        for watch in bench.watches._watches.values():  # as if its alarm had been lost
            assert watch.alarm is not None
            watch.alarm.ring = lambda: None
        await trio.sleep(20)
        assert not bench.watches.has_progress()
