from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import trio
from trio.testing import MockClock

from maglev.control.ports import Audit
from maglev.core.events import Drift, OpRefused
from maglev.core.health import State
from maglev.core.model import VipKey
from maglev.core.outlook import Outstanding, Wait, outlook
from maglev.core.plan import AddBackend, AddVip, Observed, ObservedBackend, Op, SetConf, SetWeight
from tests.control.fakes import CONF, VIP, VIP2, FakeVpp, SlowVpp, frontend
from tests.control.test_reconciler import FRONTENDS, UP, Bench, health

A, B, C = (IPv4Address(f"10.0.0.{number}") for number in (1, 2, 3))


def refusals(bench: Bench) -> tuple[str, dict[VipKey, str]]:
    lb = bench.subject.lb.value
    assert lb is not None
    return lb.conf_refused, dict(lb.refused)


def left(bench: Bench) -> list[tuple[Op, Wait | None]]:
    return [(one.op, one.wait) for one in outlook(bench.cell.value, bench.lb) if isinstance(one, Outstanding)]


def deny_until(at_s: float, op: Op) -> Callable[[Op], str]:
    return lambda asked: "VPP says no" if asked == op and trio.current_time() < at_s else ""


def meddle(bench: Bench, vip: VipKey, backends: dict[IPv4Address, int]) -> None:
    table = bench.vpp.table
    changed = replace(table.vips[vip], backends={a: ObservedBackend(weight) for a, weight in backends.items()})
    bench.vpp.table = Observed(table.conf, {**table.vips, vip: changed})


async def test_a_refused_vip_does_not_hold_up_the_others_and_is_tried_again(autojump_clock: MockClock) -> None:
    def deny(op: Op) -> str:
        return "VPP says no" if isinstance(op, AddVip) and op.vip == VIP and trio.current_time() < 75 else ""

    bench = Bench(FakeVpp(deny=deny), UP)

    async with bench.serving():
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 100}
        assert "VPP says no" in refusals(bench)[1][VIP]
        audits = bench.vpp.audits
        await trio.sleep(74)
        tries = [op for op in bench.vpp.executed if isinstance(op, AddVip) and op.vip == VIP]
        assert len(tries) == 6  # at once, on the table read anew, then at 5, 10, 20 and 40 s
        assert bench.vpp.audits == audits + 2  # those of the sync interval: a refusal that is known costs none
        await trio.sleep(7)
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 50, "10.0.0.3": 0}
        assert refusals(bench) == ("", {})
    assert len(bench.journal.of(OpRefused)) == 1  # one line per reason, not per try, nor for the backends behind


async def test_after_a_refusal_the_table_is_read_again_and_the_same_tried_only_once_more(
    autojump_clock: MockClock,
) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        audits = bench.vpp.audits
        bench.vpp.executed.clear()
        bench.vpp.deny = lambda op: "VPP says no"
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.audits == audits + 1
        assert bench.vpp.executed == [SetWeight(VIP, A, 0, flush=True)] * 2


async def test_a_vip_in_doubt_is_told_until_it_was_read_again(autojump_clock: MockClock) -> None:
    vpp = SlowVpp(cost_s=0)
    bench = Bench(vpp, UP)

    async with bench.serving():
        vpp.cost_s, vpp.deny = 10, lambda op: "VPP says no"
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.lb.doubtful == {VIP}
        vpp.deny = lambda op: ""
        await trio.sleep(11)
        assert bench.lb.doubtful == frozenset()
        assert vpp.weights(VIP)["10.0.0.1"] == 0


async def test_a_refusal_that_came_of_a_meddled_table_costs_no_wait(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        meddle(bench, VIP, {B: 50, C: 0})  # b1 was deleted by hand
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 0, "10.0.0.2": 50, "10.0.0.3": 0}
        assert refusals(bench) == ("", {})
        assert bench.journal.of(Drift) == [Drift((AddBackend(VIP, A, 0),))]


async def test_a_dead_backend_loses_its_weight_at_once_beside_a_refused_one(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.deny = deny_until(1000, SetWeight(VIP, A, 0, flush=True))
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        bench.cell.set(health({**UP, "b1": State.DOWN, "b2": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 0, "10.0.0.3": 10}


async def test_the_plan_says_refused_of_what_is_held_alone_until_it_is_taken(autojump_clock: MockClock) -> None:
    lower = SetWeight(VIP, A, 0, flush=True)
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.deny = deny_until(4, lower)
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(1)
        held = bench.lb.held
        assert held == {lower}
        assert left(bench) == [(lower, Wait.REFUSED)]
        bench.cell.set(health({**UP, "b1": State.DOWN, "b3": State.DOWN}))
        await trio.sleep(1)
        assert bench.lb.held is held  # publishing costs no copy
        assert left(bench) == [(lower, Wait.REFUSED)]
        await trio.sleep(4)
        assert (bench.lb.held, left(bench)) == (frozenset(), [])


async def test_a_refused_weight_is_tried_again_before_the_next_sync(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.deny = deny_until(4, SetWeight(VIP, A, 0, flush=True))
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(4.9)
        assert bench.vpp.weights(VIP)["10.0.0.1"] == 100
        await trio.sleep(0.2)
        assert bench.vpp.weights(VIP)["10.0.0.1"] == 0


async def test_a_flush_that_was_done_beside_a_refusal_is_not_done_again(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.executed.clear()
        bench.vpp.deny = deny_until(1000, SetWeight(VIP2, B, 0, flush=True))
        bench.cell.set(health({**UP, "b2": State.DOWN}))
        await trio.sleep(100)
        flush = SetWeight(VIP, B, 0, flush=True)
        assert bench.vpp.executed.count(flush) == 1


async def test_refused_global_parameters_are_told_and_hold_up_no_vip(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(deny=deny_until(20, SetConf(CONF))), UP)

    async with bench.serving():
        assert bench.vpp.table.vips.keys() == {VIP, VIP2}
        assert "VPP says no" in refusals(bench)[0]
        assert refusals(bench)[1] == {}
        await trio.sleep(31)
        assert refusals(bench) == ("", {})
    assert [event.op for event in bench.journal.of(OpRefused)] == [SetConf(CONF)]


async def test_each_refused_vip_of_a_prefix_is_told(autojump_clock: MockClock) -> None:
    sibling = replace(VIP, port=443)
    bench = Bench(FakeVpp(deny=lambda op: "VPP says no" if isinstance(op, AddVip) and op.vip.port else ""), UP)
    bench.cell.set(health(UP, [*FRONTENDS, frontend("three", sibling, {"b1": 1})]))

    async with bench.serving():
        assert refusals(bench)[1].keys() == {VIP, sibling, VIP2}
    assert [event.op.vip for event in bench.journal.of(OpRefused) if isinstance(event.op, AddVip)] == [
        VIP,
        sibling,
        VIP2,
    ]
    assert len(bench.journal.of(OpRefused)) == 3


async def test_a_refusal_that_was_put_right_by_hand_is_forgotten(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.deny = deny_until(1000, SetWeight(VIP, A, 0, flush=True))
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(1)
        assert refusals(bench)[1].keys() == {VIP}
        meddle(bench, VIP, {A: 0, B: 50, C: 0})
        bench.vpp.deny = lambda op: ""
        await trio.sleep(30)
        assert refusals(bench) == ("", {})


async def test_drift_is_told_while_another_vip_is_refused(autojump_clock: MockClock) -> None:
    refused = SetWeight(VIP, A, 0, flush=True)
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.deny = deny_until(1000, refused)
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(1)
        meddle(bench, VIP2, {B: 7})
        await trio.sleep(31)
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 100}
    assert bench.journal.of(Drift) == [Drift((SetWeight(VIP2, B, 100, flush=False),))]


async def test_drift_is_told_while_the_listing_cannot_be_read(autojump_clock: MockClock) -> None:
    class Unreadable(FakeVpp):
        async def audit(self, begun: Callable[[], None] = lambda: None) -> FakeVpp:
            audit: Audit = await super().audit(begun)
            return FakeVpp(audit.observed, indexes=None)

    bench = Bench(Unreadable(), UP)

    async with bench.serving():
        meddle(bench, VIP2, {B: 7})
        await trio.sleep(31)
    assert bench.journal.of(Drift) == [Drift((SetWeight(VIP2, B, 100, flush=False),))]


async def test_a_refusal_in_one_batch_does_not_hold_up_the_next_and_one_audit_serves_all(
    autojump_clock: MockClock,
) -> None:
    seen: list[int] = []

    class Watched(FakeVpp):
        async def audit(self, begun: Callable[[], None] = lambda: None) -> FakeVpp:
            seen.append(len(self.executed))
            return await super().audit(begun)

    crowd = [frontend(f"f{port}", replace(VIP, port=port), {"b1": 1}) for port in range(1, 601)]
    bench = Bench(Watched(deny=deny_until(1000, AddBackend(replace(VIP, port=1), A, 1))), UP)
    bench.cell.set(health(UP, crowd))

    async with bench.serving():
        assert seen == [0, 1201]  # the second tells the indexes too; the refused one is then tried once more


async def test_a_refusal_counts_anew_after_a_success(autojump_clock: MockClock) -> None:
    lower, back = SetWeight(VIP, A, 0, flush=True), SetWeight(VIP, A, 100, flush=False)
    answers = iter(["no", "", "no", ""])
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.executed.clear()
        bench.vpp.deny = lambda op: next(answers) if op == lower else ""
        for states in ({**UP, "b1": State.DOWN}, UP, {**UP, "b1": State.DOWN}):
            bench.cell.set(health(states))
            await trio.sleep(0.001)
        assert bench.vpp.executed == [lower, lower, back, lower, lower]


async def test_a_refusal_of_long_ago_that_nothing_wants_is_no_reason_to_wait(autojump_clock: MockClock) -> None:
    lower = SetWeight(VIP, A, 0, flush=True)
    answers = iter(["no", "no", "no", ""])
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.executed.clear()
        bench.vpp.deny = lambda op: next(answers) if op == lower else ""
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        bench.cell.set(health(UP))
        await trio.sleep(100)
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.executed == [lower] * 4
