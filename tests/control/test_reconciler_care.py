"""How the reconciler treats a VPP that dies, is slow to read or would lose flows; and what a sync on request does."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from maglev.control.cell import Cell
from maglev.control.reconciler import Reconciler
from maglev.core.agenda import Agenda
from maglev.core.audits import AuditReason
from maglev.core.events import Audited, ConfChange, Drift, HeldBack, Level
from maglev.core.health import State
from maglev.core.plan import AddVip, Observed, ObservedBackend, Op, SetConf, SetWeight
from maglev.core.shadow import Shadow
from maglev.core.status import HealthStatus
from maglev.errors import Refused, Unavailable
from tests.control.fakes import CONF, VIP, VIP2, FakeVpp, Journal, SlowVpp, clock, frontend
from tests.control.test_reconciler import FRONTENDS, NO_WARMUP, UP, Bench, health

A, C = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.3")


class Mortal(FakeVpp):
    """Dies of the first batch that it is sent."""

    async def execute(self, ops: Sequence[Op]) -> list[Refused | None]:
        await super().execute(ops)
        raise Unavailable("VPP closed the API connection")


async def one_life(bench: Bench, vpp: FakeVpp, lasts_s: float = 1000) -> float:
    """Serve a VPP that was just started; returns when it was first written, in seconds after that."""
    bench.vpp = vpp
    began = trio.current_time()
    wrote_at = began
    with trio.move_on_after(lasts_s), pytest.raises(Unavailable):
        await bench.subject.serve(vpp)
    assert vpp.executed
    wrote_at = trio.current_time() if isinstance(vpp, Mortal) else began
    return wrote_at - began


async def test_a_vpp_that_dies_whenever_it_is_written_is_left_alone_for_longer_and_longer(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(FakeVpp(), UP)
    waits_s = [await one_life(bench, Mortal()) for _ in range(5)]

    assert waits_s == [0, 0, 0, pytest.approx(30), pytest.approx(60)]
    assert bench.journal.of(HeldBack) == [HeldBack(3, 30), HeldBack(4, 60)]


async def test_a_vpp_held_back_from_is_still_read_and_shown_and_written_when_the_pause_is_over(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(FakeVpp(), UP)
    for _ in range(3):
        await one_life(bench, Mortal())
    bench.vpp = FakeVpp()

    async with bench.serving():
        lb = bench.subject.lb.value
        assert lb is not None
        assert (lb.held_back_s, bench.vpp.audits, bench.vpp.executed) == (30, 1, [])
        await trio.sleep(31)
        assert bench.vpp.table.vips.keys() == {VIP, VIP2}
        lb = bench.subject.lb.value
        assert lb is not None
        assert lb.held_back_s == 0
        await trio.sleep(20)
    await one_life(bench, Mortal())
    assert len(bench.journal.of(HeldBack)) == 1  # it had outlived what was written


async def test_other_bucket_counts_are_written_with_a_warning_when_flows_can_be_lost(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    async with bench.serving():
        pass
    assert [(event.level, event.before) for event in bench.journal.of(ConfChange)] == [(Level.INFO, None)]

    other = replace(CONF, sticky_buckets_per_core=65536)
    for found, level in ((other, Level.WARNING), (replace(CONF, flow_timeout_s=7), Level.INFO)):
        bench.journal.events.clear()
        bench.vpp.table = Observed(found, bench.vpp.table.vips)
        async with bench.serving():
            assert bench.vpp.table.conf == CONF
        assert bench.journal.of(ConfChange) == [ConfChange(found, CONF, has_vips=True)]
        assert bench.journal.of(ConfChange)[0].level is level


async def test_parameters_that_are_right_are_not_written(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(Observed(CONF, {})), UP)

    async with bench.serving():
        assert not any(isinstance(op, SetConf) for op in bench.vpp.executed)


async def test_the_interval_is_stretched_so_that_audits_take_a_thousandth_of_the_time(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(FakeVpp(cost_s=0.1), UP)

    async with bench.serving():
        audits = bench.vpp.audits
        await trio.sleep(1001)
        assert bench.vpp.audits - audits == 10  # not 33
        lb = bench.subject.lb.value
        assert lb is not None
        assert lb.audit_cost_s == 0.1
        assert lb.audit_interval_s == pytest.approx(100)
    told = [(event.reason, event.level) for event in bench.journal.of(Audited)]
    assert told[:3] == [
        (AuditReason.START, Level.INFO),  # later than configured
        (AuditReason.INDEXES, Level.DEBUG),
        (AuditReason.DRIFT, Level.DEBUG),
    ]


async def test_a_stream_of_refusals_does_not_buy_a_stream_of_audits(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(cost_s=0.1), UP)

    async with bench.serving():
        audits = bench.vpp.audits
        bench.vpp.deny = lambda op: f"no, at {trio.current_time():.3f}" if isinstance(op, SetWeight) else ""
        for number in range(1000):
            bench.cell.set(health({**UP, "b1": State.DOWN if number % 2 else State.UP}))
            await trio.sleep(0.1)
        assert bench.vpp.audits - audits <= 3 + 100 * 0.02 / 0.1 + 1


async def test_a_failover_does_not_wait_for_an_audit(autojump_clock: MockClock) -> None:
    vpp = SlowVpp(cost_s=0)
    bench = Bench(vpp, UP)

    async with bench.serving():
        vpp.cost_s = 10
        bench.subject.sync()
        await trio.sleep(1)
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert vpp.weights(VIP)["10.0.0.1"] == 0
        vpp.cost_s = 0
        vpp.executed.clear()
        await trio.sleep(20)
        assert vpp.executed == []
        assert vpp.weights(VIP) == {"10.0.0.1": 0, "10.0.0.2": 50, "10.0.0.3": 0}
    assert bench.journal.of(Drift) == []


async def test_a_sync_reads_the_table_now_and_tries_what_was_refused(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.deny = lambda op: "no" if isinstance(op, SetWeight) else ""
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(12)
        bench.vpp.deny = lambda op: ""
        table = bench.vpp.table
        meddled = replace(table.vips[VIP2], backends={A: ObservedBackend(7)})
        bench.vpp.table = Observed(table.conf, {**table.vips, VIP2: meddled})
        bench.subject.sync()
        await trio.sleep(0.001)
        assert bench.vpp.weights(VIP)["10.0.0.1"] == 0
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 100}
        audits = bench.vpp.audits
        await trio.sleep(10)
        assert bench.vpp.audits == audits  # asked once, read once
    assert [event.reason for event in bench.journal.of(Audited)].count(AuditReason.ASKED) == 1
    assert len(bench.journal.of(Drift)) == 1


async def test_a_sync_that_has_to_wait_for_the_next_audit_is_not_waited_for_busily(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(FakeVpp(cost_s=0.1), UP)
    plans: list[int] = []
    plan = Agenda.plan

    def counted(agenda: Agenda) -> Iterator[None]:
        plans.append(1)
        assert len(plans) < 1000, "it spins"  # the clock would stand still meanwhile
        return plan(agenda)

    monkeypatch.setattr(Agenda, "plan", counted)

    async with bench.serving():
        audits, planned = bench.vpp.audits, len(plans)
        for _ in range(4):  # more than may be read in a row
            bench.subject.sync()
            await trio.sleep(0.001)
        assert bench.vpp.audits - audits < 4
        assert len(plans) - planned <= 8
        await trio.sleep(10)
        assert [event.reason for event in bench.journal.of(Audited)].count(AuditReason.ASKED) == 2


async def test_a_vip_whose_recreation_is_refused_keeps_its_backends(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    sticky = replace(FRONTENDS[0], src_ip_sticky=True)

    async with bench.serving():
        weights = bench.vpp.weights(VIP)
        bench.vpp.deny = lambda op: "no" if type(op).__name__ == "DelVip" else ""
        bench.cell.set(health(UP, [sticky, FRONTENDS[1]]))
        await trio.sleep(0.001)
        for second in range(60):
            assert bench.vpp.weights(VIP) == weights, second
            await trio.sleep(1)
        bench.cell.set(health({**UP, "b1": State.DOWN}, [sticky, FRONTENDS[1]]))
        await trio.sleep(0.001)
        assert bench.vpp.weights(VIP) == {**weights, "10.0.0.1": 0}
        bench.vpp.deny = lambda op: ""
        await trio.sleep(100)
        assert bench.vpp.table.vips[VIP].src_ip_sticky is True


async def test_no_weight_is_taken_before_the_one_that_replaces_it_was_acknowledged(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), {**UP, "b1": State.DOWN, "b2": State.DOWN})

    async with bench.serving():
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 0, "10.0.0.2": 0, "10.0.0.3": 10}
        bench.vpp.executed.clear()
        raises = SetWeight(VIP, A, 100, flush=False)
        bench.vpp.deny = lambda op: "no" if op == raises else ""
        bench.cell.set(health({**UP, "b2": State.DOWN}))  # b1 is back: its pool is preferred
        await trio.sleep(1)
        assert bench.vpp.weights(VIP)["10.0.0.3"] == 10
        assert SetWeight(VIP, C, 0, flush=False) not in bench.vpp.executed
        bench.vpp.deny = lambda op: ""
        await trio.sleep(10)
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 0, "10.0.0.3": 0}


async def test_two_hundred_transitions_at_once_write_each_vip_once(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.executed.clear()
        for number in range(200):
            bench.cell.set(health({**UP, "b1": State.DOWN, "b2": State.UP if number % 2 else State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.executed == [SetWeight(VIP, A, 0, flush=True)]


async def test_a_reload_during_a_write_is_followed_and_removed_vips_go(autojump_clock: MockClock) -> None:
    crowd = [frontend(f"f{port}", replace(VIP, port=port), {"b1": 1}) for port in range(1, 601)]
    bench = Bench(FakeVpp(), UP)
    bench.cell.set(health(UP, crowd))

    def reload(op: Op) -> str:
        if len(bench.vpp.executed) == 400:
            bench.cell.set(health(UP))
        return ""

    bench.vpp.deny = reload
    async with bench.serving():
        assert bench.vpp.table.vips.keys() == {VIP, VIP2}
        assert sum(isinstance(op, AddVip) for op in bench.vpp.executed) == 256 + 1  # one batch and VIP2
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 50, "10.0.0.3": 0}


async def test_a_vip_that_vpp_keeps_refusing_takes_nobodys_indexes_away(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(cost_s=0.05), UP)

    async with bench.serving():
        await trio.sleep(100)
        bench.vpp.deny = lambda op: "no" if isinstance(op, AddVip) else ""
        bench.cell.set(health(UP, [*FRONTENDS, frontend("three", replace(VIP, port=443), {"b1": 1})]))
        await trio.sleep(1)
        for second in range(1000):
            assert bench.subject.indexes.value is not None, second
            await trio.sleep(1)


async def test_restarts_of_a_vpp_that_is_written_all_the_time_are_no_deaths(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    for _ in range(5):
        bench.vpp = FakeVpp()
        async with bench.serving():
            for second in range(100):
                bench.cell.set(health({**UP, "b1": State.DOWN if second % 2 else State.UP}))
                await trio.sleep(1)

    assert bench.journal.of(HeldBack) == []


async def test_a_hold_back_with_nothing_to_write_ends_in_the_status_too(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP, sync_interval_s=1000)
    for _ in range(3):
        await one_life(bench, Mortal())
    full = FakeVpp()
    async with Bench(full, UP).serving():
        pass
    bench.vpp = full
    bench.vpp.executed.clear()

    async with bench.serving():
        await trio.sleep(31)
        lb = bench.subject.lb.value
        assert lb is not None
        assert (lb.held_back_s, bench.vpp.executed) == (0, [])


async def test_transitions_without_end_do_not_keep_it_from_writing(autojump_clock: MockClock) -> None:
    class Restless(Cell[HealthStatus]):
        """Moves on between any two looks at it."""

        @property
        def value(self) -> HealthStatus:
            return health({**UP, "b1": State.DOWN})

        @value.setter
        def value(self, _: HealthStatus) -> None:
            pass

    vpp, told = FakeVpp(), Journal()
    subject = Reconciler(CONF, 30, NO_WARMUP, Restless(health(UP)), told, clock())
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subject.serve, vpp)
            for _ in range(1000):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    assert vpp.table.vips.keys() == {VIP, VIP2}


async def test_a_flush_that_waits_for_an_answer_is_not_sent_when_its_backend_is_back_by_then(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(FakeVpp(), {**UP, "b2": State.DOWN})

    async with bench.serving():
        bench.vpp.executed.clear()

        def b1_comes_back(op: Op) -> str:
            if op == SetWeight(VIP, C, 10, flush=False):  # the fallback takes over, and b1's flows are to be cut next
                bench.cell.set(health({**UP, "b2": State.DOWN}))
            return ""

        bench.vpp.deny = b1_comes_back
        bench.cell.set(health({**UP, "b1": State.DOWN, "b2": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 0, "10.0.0.3": 0}
        assert SetWeight(VIP, A, 0, flush=True) not in bench.vpp.executed


async def lose_later(vpp: FakeVpp, when: str) -> None:
    await trio.sleep(1)
    vpp.is_lost = when == "at an audit"


@pytest.mark.parametrize("when", ["at an audit", "at a write", "cancelled"])
async def test_what_a_lost_session_knew_is_gone_without_a_garbage_collection(
    when: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full ones are rare, and a table of 10,000 VIPs is a third of a million objects."""
    made: list[weakref.ref[Shadow]] = []
    create = Shadow.__init__

    def noted(self: Shadow, *args: Any) -> None:
        made.append(weakref.ref(self))
        create(self, *args)

    monkeypatch.setattr(Shadow, "__init__", noted)
    bench = Bench(Mortal() if when == "at a write" else FakeVpp(), UP)
    gc.collect()
    gc.disable()
    try:
        with trio.move_on_after(35), suppress(Unavailable, BaseExceptionGroup):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lose_later, bench.vpp, when)
                await bench.subject.serve(bench.vpp)
        assert made
        assert {ref() for ref in made} == {None}
    finally:
        gc.enable()
