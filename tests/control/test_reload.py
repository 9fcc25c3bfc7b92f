"""A reload and an operator's orders, seen in the health that everybody else works by."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
import trio
from trio.testing import MockClock

from maglev.control.checker import Checker
from maglev.control.operator import Operator
from maglev.core.desired import Effective, FrontendState
from maglev.core.events import (
    BackendAdded,
    BackendTransition,
    FrontendAdded,
    FrontendRemoved,
    FrontendTransition,
    ProbeStarted,
    UplinkSuspected,
    WeightSaid,
)
from maglev.core.health import Order, State
from maglev.core.model import Backend, Frontend, HealthCheck, IPAddress, ProbeResult, TcpSpec
from maglev.core.status import HealthStatus
from maglev.errors import ConfigError, NotFound, Refused
from tests.control.fakes import CHECK, VIP, VIP2, FakeProbes, Journal, backend, clock, fleet, frontend, punctual


class Site:
    """Two backends, a frontend for both and one for the second alone; all are up when the site is."""

    def __init__(self) -> None:
        self.backends = [backend(1), backend(2)]
        self.frontends = [frontend("www", VIP, {"b1": 100, "b2": 50}), frontend("mail", VIP2, {"b2": 100})]
        self.probes, self.journal = FakeProbes(), Journal()
        first = fleet(self.backends, self.frontends)
        self.checker = Checker(first, self.probes, self.journal, clock(), punctual())
        self.operator = Operator(self.checker, first, self.journal)

    @property
    def health(self) -> HealthStatus:
        return self.checker.health.value

    def state(self, name: str) -> State:
        return self.health.backends[name].health.state

    def cells(self, name: str) -> dict[str, Effective]:
        return {each: cell for pool in self.health.frontends[name].resolved.pools for each, cell in pool.items()}

    def reload(self, *, asks_anew: bool = False, history: int = 3) -> None:
        self.operator.reload(fleet(self.backends, self.frontends, history), asks_anew=asks_anew)

    def asked(self, number: int) -> int:
        return self.probes.count.get(backend(number).address, 0)


@asynccontextmanager
async def running() -> AsyncIterator[Site]:
    site = Site()
    async with trio.open_nursery() as nursery:
        await nursery.start(site.checker.run)
        await trio.sleep(60)
        assert [site.state(name) for name in ("b1", "b2")] == [State.UP, State.UP]
        yield site
        nursery.cancel_scope.cancel()


async def test_since_when_a_frontend_is_in_its_state_outlives_all_that_leaves_the_state(
    autojump_clock: MockClock,
) -> None:
    async with running() as site:
        since = site.health.frontends["www"].changed_at_ns
        assert since == site.journal.of(FrontendTransition)[0].at_ns < trio.current_time() * 1e9
        site.operator.order("b1", Order.DISABLE)
        site.operator.set_weight("www", "p0", "b2", 7, flush=False)
        site.frontends = [frontend("www", replace(VIP, port=81), {"b1": 90, "b2": 50}), site.frontends[1]]
        site.reload()
        assert site.health.frontends["www"].frontend.vip.port == 81
        assert site.health.frontends["www"].changed_at_ns == since
        await trio.sleep(1)
        site.operator.order("b2", Order.DISABLE)
        down = site.health.frontends["www"]
        assert (down.resolved.state, down.changed_at_ns) == (FrontendState.DOWN, int(trio.current_time() * 1e9))
        await trio.sleep(1)
        site.reload()
        assert site.health.frontends["www"] is down


async def test_a_new_frontend_is_in_its_state_since_the_reload(autojump_clock: MockClock) -> None:
    async with running() as site:
        site.frontends = [*site.frontends, frontend("new", replace(VIP, port=443), {"b2": 1})]
        site.reload()
        assert site.health.frontends["new"].changed_at_ns == int(trio.current_time() * 1e9)


async def test_a_reload_of_the_same_touches_nothing(autojump_clock: MockClock) -> None:
    async with running() as site:
        before, events = site.health, len(site.journal.events)
        started = [event for event in site.journal.events if isinstance(event, ProbeStarted)]
        site.reload()
        assert site.health.frontends is before.frontends
        assert all(site.health.backends[name] is status for name, status in before.backends.items())
        assert len(site.journal.events) == events
        await trio.sleep(40)
        assert len(site.journal.of(ProbeStarted)) - len(started) == 8  # every 10 s each, as before


async def test_what_is_new_is_probed_and_what_is_gone_is_not(autojump_clock: MockClock) -> None:
    async with running() as site:
        site.backends = [backend(2), backend(3)]
        site.frontends = [frontend("mail", VIP2, {"b2": 100, "b3": 100})]
        asked = site.asked(1), site.asked(2)
        site.reload()
        assert list(site.health.backends) == ["b2", "b3"]
        assert list(site.health.frontends) == ["mail"]
        assert site.state("b3") is State.UNKNOWN
        assert site.cells("mail") == {"b2": Effective(100, flush=False), "b3": Effective(0, flush=False)}
        await trio.sleep(30)
        assert site.state("b3") is State.UP
        assert (site.asked(1), site.asked(2)) == (asked[0], asked[1] + 3)

    (gone,) = [event for event in site.journal.of(BackendTransition) if event.after is State.REMOVED]
    assert (gone.backend, gone.before, gone.code) == ("b1", State.UP, "reload")


async def test_a_backend_that_comes_back_starts_at_unknown(autojump_clock: MockClock) -> None:
    async with running() as site:
        whole = site.backends, site.frontends
        site.backends, site.frontends = [backend(2)], [frontend("mail", VIP2, {"b2": 100})]
        site.reload()
        site.backends, site.frontends = whole
        site.reload()
        assert site.state("b1") is State.UNKNOWN
        assert site.health.backends["b1"].transitions == ()


async def test_what_comes_and_goes_is_told_once_with_the_state_it_has(autojump_clock: MockClock) -> None:
    async with running() as site:
        assert not site.journal.of(BackendAdded)  # a start is no reload: nobody knows anything yet
        assert not site.journal.of(FrontendAdded)
        at_ns = int(trio.current_time() * 1e9)
        site.journal.events.clear()
        site.backends = [*site.backends, backend(3), backend(4, enabled=False), backend(5, check=None)]
        site.frontends = [
            site.frontends[1],
            frontend("new", replace(VIP, port=443), {"b2": 1, "b3": 1}),
            frontend("dark", replace(VIP, port=444), {"b3": 1}),
        ]
        site.reload()
        assert site.journal.events == [
            BackendAdded("b3", backend(3).address, State.UNKNOWN, at_ns),
            BackendAdded("b4", backend(4).address, State.DISABLED, at_ns),
            BackendAdded("b5", backend(5).address, State.UP, at_ns),
            FrontendAdded("new", FrontendState.UP, at_ns),
            FrontendAdded("dark", FrontendState.UNKNOWN, at_ns),
            FrontendRemoved("www", FrontendState.UP, at_ns),
        ]
        site.journal.events.clear()
        site.reload()
        assert not site.journal.events
        await trio.sleep(60)
        assert [(told.frontend, told.before, told.after) for told in site.journal.of(FrontendTransition)] == [
            ("dark", FrontendState.UNKNOWN, FrontendState.UP)
        ]


async def test_told_one_by_one_the_events_of_a_reload_lead_from_the_old_health_to_the_new(
    autojump_clock: MockClock,
) -> None:
    """Who keeps a picture of all states by events alone has the right one, whatever a reload does."""
    async with running() as site:
        picture = states_of(site.health)
        for frontends in (
            [frontend("mail", VIP2, {"b1": 100}), frontend("new", VIP, {"b3": 1})],
            [frontend("new", VIP, {"b1": 0, "b3": 1})],
            [frontend("new", VIP, {"b1": 0, "b3": 0})],
            site.frontends,
        ):
            site.journal.events.clear()
            site.backends = [backend(1), replace(backend(2), address=IPv4Address("10.0.0.8")), backend(3)]
            site.frontends = frontends
            site.reload()
            follow(picture, site.journal)
            assert picture == states_of(site.health)
            site.journal.events.clear()
            await trio.sleep(60)
            follow(picture, site.journal)
            assert picture == states_of(site.health)
        site.journal.events.clear()
        site.frontends, site.backends = [], []
        site.reload()
        follow(picture, site.journal)
        assert picture == {}


def states_of(health: HealthStatus) -> dict[str, object]:
    return {name: status.health.state for name, status in health.backends.items()} | {
        name: status.resolved.state for name, status in health.frontends.items()
    }


def follow(picture: dict[str, object], journal: Journal) -> None:
    for event in journal.events:
        match event:
            case BackendAdded(name, _, state) | FrontendAdded(name, state):
                assert name not in picture
                picture[name] = state
            case BackendTransition(name, _, before, State.REMOVED) | FrontendRemoved(name, before):
                assert picture.pop(name) is before
            case BackendTransition(name, _, before, after) | FrontendTransition(name, before, after):
                assert picture[name] is before
                picture[name] = after
            case _:
                pass


async def test_only_the_frontends_that_a_change_touches_are_other_objects(autojump_clock: MockClock) -> None:
    async with running() as site:
        before = site.health
        site.frontends = [frontend("www", VIP, {"b1": 100, "b2": 51}), site.frontends[1]]
        site.reload()
        assert list(site.health.moved_since(before)) == ["www"]
        before = site.health
        site.backends = [replace(backend(1), address=IPv4Address("10.0.0.9")), site.backends[1]]
        site.reload()
        assert list(site.health.moved_since(before)) == ["www"]
        assert (site.state("b1"), site.state("b2")) == (State.UNKNOWN, State.UP)


async def test_a_changed_check_is_asked_soon_and_no_weight_is_lost_meanwhile(autojump_clock: MockClock) -> None:
    async with running() as site:
        weights = site.cells("www")
        other = replace(CHECK, spec=TcpSpec(81, None), timing=replace(CHECK.timing, interval_s=300))
        site.backends = [replace(each, check=other) for each in site.backends]
        asked = site.asked(1)
        site.reload()
        assert [site.state(name) for name in ("b1", "b2")] == [State.UNKNOWN, State.UNKNOWN]
        assert site.cells("www") == weights
        assert site.health.frontends["www"].resolved.state is FrontendState.UP
        await trio.sleep(1)
        assert site.asked(1) == asked + 1
        assert site.state("b1") is State.UP
        assert site.cells("www") == weights

    assert [event.after for event in site.journal.of(FrontendTransition)] == [FrontendState.UP] * 2


async def test_another_interval_keeps_the_health_and_one_failure_is_no_outage(autojump_clock: MockClock) -> None:
    async with running() as site:
        before = site.health
        slower = replace(CHECK, timing=replace(CHECK.timing, interval_s=20))
        site.backends = [replace(each, check=slower) for each in site.backends]
        site.reload()
        assert site.health.backends["b1"].health == before.backends["b1"].health
        assert not site.health.moved_since(before)
        site.probes.down.add(backend(1).address)
        await trio.sleep(1)
        assert site.state("b1") is State.UP
        site.probes.down.clear()
        await trio.sleep(100)
        asked = site.asked(1)
        await trio.sleep(200)
        assert site.asked(1) == asked + 10


async def test_a_changed_check_that_fails_takes_the_weight_at_its_first_answer(autojump_clock: MockClock) -> None:
    async with running() as site:
        site.backends = [replace(backend(1), check=replace(CHECK, spec=TcpSpec(81, None))), site.backends[1]]
        site.probes.down.add(backend(1).address)
        site.reload()
        await trio.sleep(1)
        assert site.state("b1") is State.DOWN
        assert site.cells("www")["b1"] == Effective(0, flush=True)


async def test_another_namespace_asks_everybody_anew(autojump_clock: MockClock) -> None:
    async with running() as site:
        weights, asked = site.cells("www"), (site.asked(1), site.asked(2))
        site.reload(asks_anew=True)
        assert {site.state(name) for name in ("b1", "b2")} == {State.UNKNOWN}
        assert site.cells("www") == weights
        await trio.sleep(0.99)
        assert (site.asked(1), site.asked(2)) == (asked[0] + 1, asked[1] + 1)


async def test_what_was_asked_in_the_old_namespace_does_not_count_in_the_new_one(autojump_clock: MockClock) -> None:
    """Two backends share a probe that is under way: it is let go for both, and asked again."""
    answers: list[trio.Event] = []

    async def waits(check: HealthCheck, address: IPAddress) -> ProbeResult:
        answers.append(trio.Event())
        await answers[-1].wait()
        return ProbeResult(False, "L4CON", "of the old namespace", 0.0)

    both = fleet([replace(backend(1), name=name) for name in ("a", "b")])
    checker = Checker(both, waits, Journal(), clock(), punctual())
    async with trio.open_nursery() as nursery:
        await nursery.start(checker.run)
        await trio.sleep(2)
        checker.reload(both, asks_anew=True)
        answers[0].set()
        await trio.sleep(2)
        assert checker.health.value.backends["a"].health.state is State.UNKNOWN
        assert len(answers) == 2
        nursery.cancel_scope.cancel()


async def test_a_pause_keeps_flows_and_takes_no_probes_until_the_resume(autojump_clock: MockClock) -> None:
    async with running() as site:
        assert site.operator.order("b1", Order.PAUSE).health.state is State.PAUSED
        asked = site.asked(1)
        await trio.sleep(100)
        assert site.asked(1) == asked
        assert site.cells("www")["b1"] == Effective(0, flush=False)
        site.operator.order("b1", Order.RESUME)
        assert site.state("b1") is State.UNKNOWN
        await trio.sleep(0.1)  # asked at once
        assert site.state("b1") is State.UP

    codes = [event.code for event in site.journal.of(BackendTransition) if event.backend == "b1"]
    assert codes == ["L4OK", "pause", "resume", "L4OK"]


async def test_a_pause_cancels_the_probe_under_way(autojump_clock: MockClock) -> None:
    async def silent(check: HealthCheck, address: IPAddress) -> ProbeResult:
        await trio.sleep(5)
        return ProbeResult(False, "L4TOUT", "late", 5.0)

    journal = Journal()
    checker = Checker(fleet([backend(1)]), silent, journal, clock(), punctual())
    async with trio.open_nursery() as nursery:
        await nursery.start(checker.run)
        await trio.sleep(2)
        checker.order("b1", Order.PAUSE)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()

    assert [event.after for event in journal.of(BackendTransition)] == [State.PAUSED]


async def test_disable_cuts_flows_and_refuses_a_pause(autojump_clock: MockClock) -> None:
    async with running() as site:
        site.operator.order("b1", Order.DISABLE)
        assert site.cells("www")["b1"] == Effective(0, flush=True)
        before, events = site.health, len(site.journal.events)
        site.operator.order("b1", Order.DISABLE)
        for order in (Order.PAUSE, Order.RESUME):
            with pytest.raises(Refused, match="enable it first"):
                site.operator.order("b1", order)
        assert (site.health, len(site.journal.events)) == (before, events)
        site.operator.order("b1", Order.ENABLE)
        await trio.sleep(0.1)
        assert site.state("b1") is State.UP


async def test_names_that_do_not_exist_are_told(autojump_clock: MockClock) -> None:
    site = Site()
    with pytest.raises(NotFound, match="backend called 'b9'"):
        site.operator.order("b9", Order.PAUSE)
    for names, kind in ((("x", "p0", "b1"), "frontend"), (("www", "x", "b1"), "pool"), (("www", "p0", "x"), "backend")):
        with pytest.raises(NotFound, match=f"there is no {kind}"):
            site.operator.set_weight(*names, 1, flush=False)
    with pytest.raises(ConfigError, match="a flush goes with a weight of 0"):
        site.operator.set_weight("www", "p0", "b1", 5, flush=True)
    with pytest.raises(ConfigError, match="from 0 to 100"):
        site.operator.set_weight("www", "p0", "b1", 101, flush=False)
    assert not site.journal.events
    await trio.lowlevel.checkpoint()


async def test_orders_outlive_a_reload_that_does_not_change_that_item(autojump_clock: MockClock) -> None:
    async with running() as site:
        site.operator.order("b1", Order.DISABLE)
        site.operator.order("b2", Order.PAUSE)
        site.backends = [*site.backends, backend(3)]
        site.reload()
        assert [site.state(name) for name in ("b1", "b2", "b3")] == [State.DISABLED, State.PAUSED, State.UNKNOWN]


@pytest.mark.parametrize("is_enabled_in_file", [True, False])
async def test_the_file_wins_where_it_changed(autojump_clock: MockClock, is_enabled_in_file: bool) -> None:
    async with running() as site:
        site.backends = [backend(1, enabled=not is_enabled_in_file), site.backends[1]]
        site.reload()
        site.operator.order("b1", Order.DISABLE if is_enabled_in_file else Order.ENABLE)
        site.backends = [backend(1, enabled=is_enabled_in_file), site.backends[1]]
        site.reload()
        await trio.sleep(2)
        assert site.state("b1") is (State.UP if is_enabled_in_file else State.DISABLED)


async def test_a_weight_set_by_an_operator_outlives_reloads_until_the_file_changes_it(
    autojump_clock: MockClock,
) -> None:
    async with running() as site:
        site.operator.set_weight("www", "p0", "b1", 7, flush=False)
        assert site.cells("www")["b1"] == Effective(7, flush=False)
        (said,) = site.journal.of(WeightSaid)
        assert (said.before, said.after) == (100, 7)

        before = site.health
        site.frontends = [site.frontends[0], replace(site.frontends[1], description="other")]
        site.reload()
        assert list(site.health.moved_since(before)) == ["mail"]
        assert site.cells("www")["b1"].weight == 7

        site.frontends = [frontend("www", VIP, {"b1": 100, "b2": 60}), site.frontends[1]]
        site.reload()
        assert (site.cells("www")["b1"].weight, site.cells("www")["b2"].weight) == (7, 60)

        site.frontends = [frontend("www", VIP, {"b1": 90, "b2": 60}), site.frontends[1]]
        site.reload()
        assert site.cells("www")["b1"].weight == 90

        site.frontends = [frontend("www", VIP, {"b1": 100, "b2": 60}), site.frontends[1]]
        site.reload()
        assert site.cells("www")["b1"].weight == 100  # what was overruled does not come back


async def test_zero_weight_with_a_flush_cuts_flows(autojump_clock: MockClock) -> None:
    async with running() as site:
        found = site.operator.set_weight("www", "p0", "b1", 0, flush=True)
        assert found.resolved.pools[0]["b1"] == Effective(0, flush=True)
        assert site.operator.set_weight("www", "p0", "b1", 5, flush=False).resolved.pools[0]["b1"] == Effective(
            5, False
        )


async def test_the_last_weight_taken_is_told_as_a_frontend_that_goes_down(autojump_clock: MockClock) -> None:
    async with running() as site:
        site.operator.set_weight("mail", "p0", "b2", 0, flush=False)
        told = site.journal.of(FrontendTransition)[-1]
        assert (told.frontend, told.after) == ("mail", FrontendState.DOWN)


async def test_a_shorter_history_counts_at_once(autojump_clock: MockClock) -> None:
    async with running() as site:
        for order in (Order.PAUSE, Order.RESUME):
            site.operator.order("b1", order)
        site.reload(history=1)
        assert len(site.health.backends["b1"].transitions) == 1


async def test_an_unchecked_backend_can_be_paused_and_resumed(autojump_clock: MockClock) -> None:
    checker = Checker(fleet([backend(1, check=None)]), FakeProbes(), Journal(), clock(), punctual())
    for order, state in ((Order.PAUSE, State.PAUSED), (Order.RESUME, State.UP), (Order.DISABLE, State.DISABLED)):
        checker.order("b1", order)
        assert checker.health.value.backends["b1"].health.state is state
    await trio.lowlevel.checkpoint()


async def test_a_loss_of_most_backends_at_once_is_told_as_likely_ours(autojump_clock: MockClock) -> None:
    probes, journal = FakeProbes(), Journal()
    crowd: Sequence[Backend] = [backend(number) for number in range(1, 21)]
    sites: Sequence[Frontend] = []
    checker = Checker(fleet(crowd, sites), probes, journal, clock(), punctual())
    async with trio.open_nursery() as nursery:
        await nursery.start(checker.run)
        await trio.sleep(60)
        probes.down |= {each.address for each in crowd[:10]}
        await trio.sleep(60)
        assert not journal.of(UplinkSuspected)
        probes.down |= {each.address for each in crowd[10:]}
        await trio.sleep(60)
        assert not journal.of(UplinkSuspected)  # the others are down for long: only half of all failed at once
        probes.down.clear()
        await trio.sleep(60)
        probes.down |= {each.address for each in crowd}
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    (told,) = journal.of(UplinkSuspected)
    assert (told.failed, told.probed) == (11, 20)
    assert all(status.health.state is State.DOWN for status in checker.health.value.backends.values())


async def test_what_stands_by_an_operators_word_alone_is_told(autojump_clock: MockClock) -> None:
    async with running() as site:
        assert site.operator.standing() == []
        site.operator.order("b1", Order.PAUSE)
        site.operator.order("b2", Order.DISABLE)
        site.operator.set_weight("www", "p0", "b2", 7, flush=False)
        site.operator.set_weight("mail", "p0", "b2", 7, flush=False)
        site.operator.set_weight("mail", "p0", "b2", 100, flush=False)
        assert site.operator.standing() == [
            "backend b1 paused",
            "backend b2 disabled",
            "frontend www pool p0 backend b2 weight 7",
        ]

        site.backends[1] = replace(site.backends[1], enabled=False)
        site.reload()
        site.operator.order("b1", Order.RESUME)
        assert site.operator.standing() == ["frontend www pool p0 backend b2 weight 7"]
        site.operator.order("b2", Order.ENABLE)
        assert site.operator.standing()[0] == "backend b2 enabled"
