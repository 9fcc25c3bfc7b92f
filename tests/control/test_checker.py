from dataclasses import replace
from ipaddress import IPv4Address

import trio
from trio.testing import MockClock

from maglev.control.checker import Checker, Fleet
from maglev.core.desired import FrontendState
from maglev.core.events import (
    ActivePoolChanged,
    BackendTransition,
    FrontendTransition,
    Level,
    ProbeDone,
    ProbesInconclusive,
)
from maglev.core.health import Health, State
from maglev.core.model import Backend, Frontend, HealthCheck, IPAddress, ProbeResult
from maglev.core.pacing import FIRST_PROBE_WITHIN_S
from tests.control.fakes import (
    CANNOT_ASK,
    CHECK,
    FAIL,
    PASS,
    VIP,
    FakeProbes,
    Journal,
    backend,
    clock,
    fleet,
    frontend,
    punctual,
)


def checker(probes: FakeProbes, journal: Journal, backends: list[Backend], frontends: list[Frontend]) -> Checker:
    return Checker(fleet(backends, frontends), probes, journal, clock(), punctual())


async def test_one_pass_brings_an_unknown_backend_and_its_frontend_up(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    subject = checker(probes, journal, [backend(1)], [frontend("www", VIP, {"b1": 100})])
    before = subject.health.value
    assert before.backends["b1"].health.state is State.UNKNOWN
    assert before.frontends["www"].resolved.state is FrontendState.UNKNOWN
    assert before.frontends["www"].changed_at_ns == before.backends["b1"].changed_at_ns

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(1)  # first probes are spread over one fast interval
        nursery.cancel_scope.cancel()

    after = subject.health.value
    assert after.backends["b1"].health.state is State.UP
    assert after.frontends["www"].resolved.state is FrontendState.UP
    assert [type(e) for e in journal.events if isinstance(e, BackendTransition | FrontendTransition)] == [
        BackendTransition,
        FrontendTransition,
    ]


async def test_a_dead_backend_goes_down_after_fall_failures_and_comes_back_after_rise(
    autojump_clock: MockClock,
) -> None:
    probes, journal = FakeProbes(), Journal()
    subject = checker(probes, journal, [backend(1)], [frontend("www", VIP, {"b1": 100})])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(60)
        assert subject.health.value.backends["b1"].health.counter == 4
        probes.down.add(backend(1).address)
        await trio.sleep(60)
        down = subject.health.value.backends["b1"]
        assert (down.health.state, down.health.counter) == (State.DOWN, 0)
        assert (down.transitions[0].code, down.transitions[0].after) == ("L4CON", State.DOWN)
        probes.down.clear()
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    words = [(e.before, e.after) for e in journal.events if isinstance(e, BackendTransition)]
    assert words == [(State.UNKNOWN, State.UP), (State.UP, State.DOWN), (State.DOWN, State.UP)]
    assert [t.after for t in subject.health.value.backends["b1"].transitions] == [State.UP, State.DOWN, State.UP]


async def test_intervals_follow_the_health(autojump_clock: MockClock) -> None:
    probes = FakeProbes()
    subject = checker(probes, Journal(), [backend(1)], [])
    address = backend(1).address

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(20)  # up and settled: every 10 s
        settled = probes.count[address]
        await trio.sleep(100)
        assert probes.count[address] - settled == 10
        probes.down.add(address)
        await trio.sleep(30)  # down and settled: every 5 s
        settled = probes.count[address]
        await trio.sleep(100)
        assert probes.count[address] - settled == 20
        nursery.cancel_scope.cancel()


async def test_intervals_are_jittered(autojump_clock: MockClock) -> None:
    probes = FakeProbes()
    early = replace(clock(), chance=lambda: 0.0)
    subject = Checker(fleet([backend(1)]), probes, Journal(), early, punctual())

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(20)
        settled = probes.count[backend(1).address]
        await trio.sleep(90)
        assert probes.count[backend(1).address] - settled == 10  # 9 s each and not 10
        nursery.cancel_scope.cancel()


async def test_disabled_backends_are_not_probed_and_unchecked_ones_are_up(autojump_clock: MockClock) -> None:
    probes = FakeProbes()
    backends = [backend(1, enabled=False), backend(2, check=None)]
    subject = checker(probes, Journal(), backends, [frontend("www", VIP, {"b1": 100, "b2": 100})])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()

    assert probes.count == {}
    health = subject.health.value
    assert [health.backends[n].health.state for n in ("b1", "b2")] == [State.DISABLED, State.UP]
    assert health.frontends["www"].resolved.state is FrontendState.UP


async def test_a_frontend_that_stays_up_is_no_event(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    subject = checker(probes, journal, [backend(1), backend(2)], [frontend("www", VIP, {"b1": 100, "b2": 100})])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(60)
        probes.down.add(backend(1).address)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    assert [event.after for event in journal.of(FrontendTransition)] == [FrontendState.UP]


async def test_a_failover_is_told_with_the_pools_and_is_a_warning(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    subject = checker(probes, journal, [backend(1), backend(2)], [frontend("www", VIP, {"b1": 1}, {"b2": 1})])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(60)
        settled = len(journal.of(ActivePoolChanged))
        for number in (1, 2):
            probes.down.add(backend(number).address)
            await trio.sleep(60)
        probes.down.clear()
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    changes = [(e.before, e.after, e.level) for e in journal.of(ActivePoolChanged)[settled:]]
    assert changes[:2] == [("p0", "p1", Level.WARNING), ("p1", None, Level.WARNING)]
    assert changes[-1][1:] == ("p0", Level.INFO)


async def test_a_start_on_another_pool_than_the_first_is_a_warning(autojump_clock: MockClock) -> None:
    """The fallback has no check, so it takes the traffic from the first moment: that is no change of anything."""
    probes, journal = FakeProbes(), Journal()
    probes.down |= {backend(1).address, backend(2).address}
    backends = [backend(1), backend(2), backend(3, check=None)]
    subject = checker(probes, journal, backends, [frontend("www", VIP, {"b1": 1, "b2": 1}, {"b3": 1})])
    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    (told,) = journal.of(ActivePoolChanged)
    assert (told.before, told.after, told.level) == (None, "p1", Level.WARNING)


async def test_history_is_bounded(autojump_clock: MockClock) -> None:
    probes = FakeProbes()
    subject = checker(probes, Journal(), [backend(1)], [])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        for _ in range(4):
            await trio.sleep(60)
            probes.down ^= {backend(1).address}
        nursery.cancel_scope.cancel()

    assert len(subject.health.value.backends["b1"].transitions) == 3


async def test_what_this_machine_lacks_moves_no_health(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    subject = checker(probes, journal, [backend(1)], [frontend("www", VIP, {"b1": 100})])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(60)
        settled = subject.health.value
        probes.cannot_ask = True
        await trio.sleep(110)  # probes come every 10 s, and then every second
        assert subject.health.value is settled
        assert settled.backends["b1"].health == Health(State.UP, 4)

        probes.cannot_ask = False
        probes.down.add(backend(1).address)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    *_, change = journal.of(BackendTransition)
    assert change.after is State.DOWN
    results = [event.result for event in journal.events[: journal.events.index(change)] if isinstance(event, ProbeDone)]
    assert results.count(CANNOT_ASK) >= 100
    assert results.count(FAIL) == CHECK.policy.fall


async def test_a_backend_that_we_cannot_ask_stays_unknown(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    probes.cannot_ask = True
    subject = checker(probes, journal, [backend(1)], [frontend("www", VIP, {"b1": 100})])
    before = subject.health.value

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()

    assert subject.health.value is before
    assert before.backends["b1"].health.state is State.UNKNOWN
    assert 99 <= len(journal.of(ProbeDone)) <= 101  # one a fast interval, no busy loop


async def test_what_this_machine_lacks_is_told_once_for_all_backends(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    probes.cannot_ask = True
    subject = checker(probes, journal, [backend(number) for number in range(200)], [])

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(100)
        (told,) = journal.of(ProbesInconclusive)
        assert (told.type, told.code, told.detail) == ("tcp", "SOCKERR", CANNOT_ASK.detail)
        assert told.level is Level.WARNING
        probes.cannot_ask = False
        await trio.sleep(100)
        probes.cannot_ask = True
        await trio.sleep(100)
        nursery.cancel_scope.cancel()

    assert len(journal.of(ProbesInconclusive)) == 2


AT_ONCE = 100


class Crowd:
    """Probes that take a while; remembers when each began and how many were under way at most."""

    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s
        self._under_way = 0
        self.most = 0
        self.began_at_s: list[float] = []
        self.asked: set[IPAddress] = set()

    async def __call__(self, check: HealthCheck, address: IPAddress) -> ProbeResult:
        self.began_at_s.append(trio.current_time())
        self.asked.add(address)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await trio.sleep(self._takes_s)
        self._under_way -= 1
        return PASS


def many(count: int, interval_s: float) -> dict[str, Backend]:
    rare = replace(CHECK, timing=replace(CHECK.timing, interval_s=interval_s, fast_interval_s=interval_s))
    return {f"b{n}": Backend(f"b{n}", IPv4Address("10.0.0.0") + n, rare, enabled=True) for n in range(count)}


async def test_all_backends_are_asked_soon_after_a_start_however_long_their_interval(
    autojump_clock: MockClock,
) -> None:
    probes = Crowd(takes_s=0.01)
    subject = Checker(Fleet(many(1000, interval_s=300), {}, 3), probes, Journal(), clock(), punctual())

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(FIRST_PROBE_WITHIN_S)
        nursery.cancel_scope.cancel()

    assert len(probes.began_at_s) == 1000
    for tenth in range(10):
        begin_s, end_s = (FIRST_PROBE_WITHIN_S * n / 10 for n in (tenth, tenth + 1))
        assert 50 <= sum(begin_s <= at < end_s for at in probes.began_at_s) <= 200  # no burst, no gap


async def test_no_more_probes_are_under_way_than_the_bound_and_the_others_get_their_turn(
    autojump_clock: MockClock,
) -> None:
    probes = Crowd(takes_s=5)  # longer than the window of first probes
    subject = Checker(
        Fleet(many(2 * AT_ONCE, interval_s=300), {}, 3), probes, Journal(), clock(), punctual(), at_once=AT_ONCE
    )

    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()

    assert probes.most == AT_ONCE
    assert len(probes.asked) == 2 * AT_ONCE


async def test_a_status_tells_which_frontends_moved_since_an_older_one(autojump_clock: MockClock) -> None:
    """For whoever looks again after any number of changes: the work is per frontend, not per table."""
    probes = FakeProbes()
    sites = [frontend(f"f{n}", replace(VIP, port=n), {f"b{n}": 100, f"b{n + 1}": 100}) for n in range(1, 4)]
    subject = checker(probes, Journal(), [backend(n) for n in range(1, 5)], sites)
    async with trio.open_nursery() as nursery:
        await nursery.start(subject.run)
        await trio.sleep(60)
        before = subject.health.value
        probes.down.add(backend(2).address)
        await trio.sleep(60)
        midway = subject.health.value
        probes.down.add(backend(4).address)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    after = subject.health.value
    assert list(midway.moved_since(before)) == ["f1", "f2"]
    assert list(after.moved_since(midway)) == ["f3"]
    assert after.moved_since(before) == after.frontends
    assert not after.moved_since(after)
