from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from maglev.control.cell import Cell
from maglev.control.reconciler import Reconciler
from maglev.core.agenda import Agenda
from maglev.core.counters import Indexes
from maglev.core.desired import resolve
from maglev.core.events import Drift, OpApplied, Programmed
from maglev.core.health import Health, State
from maglev.core.model import Encap, Frontend
from maglev.core.outlook import Unknown, outlook
from maglev.core.plan import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    Op,
    SetConf,
    SetWeight,
)
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus, LbStatus
from maglev.core.warmup import Warmup
from maglev.errors import Refused, Unavailable
from tests.control.fakes import CONF, VIP, VIP2, FakeVpp, Journal, backend, clock, frontend

K = TypeVar("K")
B1 = IPv4Address("10.0.0.1")
BACKENDS = [backend(1), backend(2), backend(3)]
FRONTENDS = [frontend("one", VIP, {"b1": 100, "b2": 50}, {"b3": 10}), frontend("two", VIP2, {"b2": 100})]


def health(states: dict[str, State], frontends: list[Frontend] = FRONTENDS) -> HealthStatus:
    backends = {b.name: BackendStatus(b, Health(states[b.name], 0), 0, ()) for b in BACKENDS}
    return HealthStatus(backends, {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends})


NO_WARMUP = Warmup(0, 0)
UP = {"b1": State.UP, "b2": State.UP, "b3": State.UP}


class Bench:
    def __init__(
        self, vpp: FakeVpp, states: dict[str, State], warmup: Warmup = NO_WARMUP, sync_interval_s: float = 30
    ) -> None:
        self.vpp = vpp
        self.cell = Cell(health(states))
        self.journal = Journal()
        self.subject = Reconciler(CONF, sync_interval_s, warmup, self.cell, self.journal, clock())

    @property
    def lb(self) -> LbStatus:
        assert self.subject.lb.value is not None
        return self.subject.lb.value

    def told(self) -> tuple[bool, list[object]]:
        """Whether the warmup is on, and what is left to do."""
        return self.lb.is_warming_up, [each for each in outlook(self.cell.value, self.lb) if each]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.subject.serve, self.vpp)
            await trio.sleep(0.001)
            yield
            nursery.cancel_scope.cancel()


async def test_an_empty_vpp_gets_the_whole_table(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        assert bench.vpp.table.conf == CONF
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 50, "10.0.0.3": 0}
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 100}
        lb = bench.subject.lb.value
        assert lb is not None
        assert lb.observed == bench.vpp.table
        indexes = bench.subject.indexes.value
        assert indexes is not None
        assert indexes.vips.keys() == {VIP, VIP2}
    assert bench.subject.lb.value is None
    assert bench.subject.indexes.value is None


async def test_a_transition_moves_weights_with_one_write_and_no_audit(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.executed.clear()
        audits = bench.vpp.audits
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.executed == [SetWeight(VIP, IPv4Address("10.0.0.1"), 0, flush=True)]
        assert bench.vpp.audits == audits
        assert bench.journal.of(OpApplied)[-1].op == bench.vpp.executed[0]  # what the write counters count
        bench.cell.set(health({**UP, "b1": State.DOWN, "b2": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 0, "10.0.0.2": 0, "10.0.0.3": 10}


async def test_a_counter_that_moves_without_a_state_wakes_nobody(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every probe of a flap moves a counter: planning thousands of VIPs for each would make the checker late."""
    bench = Bench(FakeVpp(), UP)
    plans: list[int] = []

    def counted(agenda: Agenda) -> Iterator[None]:
        plans.append(1)
        return plan(agenda)

    plan = Agenda.plan
    monkeypatch.setattr(Agenda, "plan", counted)

    async with bench.serving():
        planned = len(plans)
        for _ in range(10):
            bench.cell.set(replace(bench.cell.value, backends=dict(bench.cell.value.backends)))
            await trio.sleep(0.001)
        assert len(plans) == planned


async def test_steady_state_sends_nothing_but_the_audit_of_the_interval(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.vpp.executed.clear()
        audits = bench.vpp.audits
        await trio.sleep(301)
        assert bench.vpp.executed == []
        assert bench.vpp.audits == audits + 10
    assert bench.journal.of(Drift) == []


async def test_drift_is_found_said_and_put_right(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        table = bench.vpp.table
        meddled = replace(table.vips[VIP2], backends={IPv4Address("10.0.0.2"): ObservedBackend(7)})
        bench.vpp.table = Observed(table.conf, {**table.vips, VIP2: meddled})
        await trio.sleep(31)
        assert bench.vpp.weights(VIP2) == {"10.0.0.2": 100}
    assert bench.journal.of(Drift) == [Drift((SetWeight(VIP2, IPv4Address("10.0.0.2"), 100, flush=False),))]


async def test_a_change_during_an_audit_is_written_and_what_was_right_before_is_not(
    autojump_clock: MockClock,
) -> None:
    class Slow(FakeVpp):
        async def audit(self, begun: Callable[[], None] = lambda: None) -> FakeVpp:
            bench.cell.set(health({**UP, "b1": State.DOWN}))
            return await super().audit(begun)

    bench = Bench(Slow(), UP)

    async with bench.serving():
        written = [op for op in bench.vpp.executed if isinstance(op, AddBackend | SetWeight)]
        assert {op.weight for op in written if op.backend == IPv4Address("10.0.0.1")} == {0}
    assert bench.journal.of(Drift) == []


async def test_indexes_that_an_audit_finds_again_are_the_very_same_but_for_its_time(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        indexes = bench.subject.indexes.value
        audits = bench.vpp.audits
        await trio.sleep(61)
        assert bench.vpp.audits == audits + 2
        again = bench.subject.indexes.value
        assert again == indexes
        assert again is not None
        assert indexes is not None
        assert again.audited_at_ns > indexes.audited_at_ns
        assert again.vips is indexes.vips
        assert again.routes is indexes.routes
        assert again.backends is indexes.backends


async def test_a_flush_is_sent_once_and_not_again_after_audits(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        bench.vpp.executed.clear()
        await trio.sleep(100)
        assert bench.vpp.executed == []


async def test_an_index_is_withdrawn_before_what_may_move_it_and_no_other_is(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    seen: list[tuple[type[Op], Indexes | None]] = []

    def watch(op: Op) -> str:
        seen.append((type(op), bench.subject.indexes.value))
        return ""

    async with bench.serving():
        before = bench.subject.indexes.value
        assert before is not None
        bench.vpp.deny = watch
        extra = frontend("three", replace(VIP, port=443), {"b1": 1})
        bench.cell.set(health(UP, [*FRONTENDS, extra]))
        await trio.sleep(0.001)
        left = Indexes(before.vips, _without(before.routes, VIP.prefix), before.backends)
        assert seen == [(AddVip, left), (AddBackend, left)]
        indexes = bench.subject.indexes.value
        assert indexes is not None
        assert extra.vip in indexes.vips
        assert indexes.vips.items() > before.vips.items()
        seen.clear()
        bench.cell.set(health(UP))
        await trio.sleep(0.001)
        assert [kind for kind, _ in seen] == [DelBackend, DelVip]
        for _, during in seen:
            assert during is not None
            assert (during.vips, during.backends) == (before.vips, _without(before.backends, B1))
        assert bench.subject.indexes.value == before


def _without(places: Mapping[K, int], name: K) -> dict[K, int]:
    return {each: index for each, index in places.items() if each != name}


async def test_what_a_write_would_move_keeps_its_index_if_vpp_refuses_it(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    extra = frontend("three", replace(VIP, port=443), {"b1": 1})

    async with bench.serving():
        before, audits = bench.subject.indexes.value, bench.vpp.audits
        bench.vpp.deny = lambda op: "no" if isinstance(op, AddVip) else ""
        bench.cell.set(health(UP, [*FRONTENDS, extra]))
        await trio.sleep(0.001)
        assert bench.vpp.audits > audits  # the refusal put it in doubt
        assert bench.subject.indexes.value == before
        audits = bench.vpp.audits
        bench.vpp.executed.clear()
        await trio.sleep(29)  # tried again, and refused as before
        assert bench.vpp.executed
        assert bench.vpp.audits == audits
        assert bench.subject.indexes.value == before


async def test_a_weight_moves_no_index(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)

    async with bench.serving():
        before = bench.subject.indexes.value
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(0.001)
        assert bench.vpp.executed[-1] == SetWeight(VIP, B1, 0, flush=True)
        assert bench.subject.indexes.value is before


async def test_vips_that_are_not_configured_are_removed_with_their_backends(autojump_clock: MockClock) -> None:
    stray = ObservedVip(Encap.GRE4, False, 1024, {IPv4Address("10.9.9.9"): ObservedBackend(3)})
    bench = Bench(FakeVpp(Observed(CONF, {replace(VIP, port=8080): stray})), UP)

    async with bench.serving():
        assert bench.vpp.table.vips.keys() == {VIP, VIP2}


async def test_warmup_writes_nothing_early_then_what_is_known_then_everything(autojump_clock: MockClock) -> None:
    stray = ObservedVip(Encap.GRE4, False, 1024, {})
    vpp = FakeVpp(Observed(CONF, {replace(VIP, port=8080): stray}))
    bench = Bench(vpp, {**UP, "b3": State.UNKNOWN}, Warmup(5, 30))

    async with bench.serving():
        await trio.sleep(4.9)
        assert (vpp.audits, vpp.executed) == (0, [])
        await trio.sleep(0.2)
        assert vpp.weights(VIP2) == {"10.0.0.2": 100}  # all its backends are known
        assert VIP not in vpp.table.vips  # b3 is not
        assert replace(VIP, port=8080) in vpp.table.vips  # nothing is deleted yet
        await trio.sleep(25)
        assert vpp.table.vips.keys() == {VIP, VIP2}
        assert vpp.weights(VIP)["10.0.0.3"] == 0


async def test_whether_the_warmup_is_on_is_told_and_told_anew_at_its_end(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), {**UP, "b3": State.UNKNOWN}, Warmup(5, 30), sync_interval_s=1e6)

    async with bench.serving():
        await trio.sleep(29.9)
        assert bench.told() == (True, [Unknown(1)])
        await trio.sleep(0.2)
        assert bench.told() == (False, [])


async def test_other_parameters_are_wished_for_from_the_reload_on(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    other = replace(CONF, flow_timeout_s=7)

    async with bench.serving():
        assert bench.lb.wish == CONF
        bench.subject.adopt(other, 30)
        assert (bench.lb.wish, bench.lb.observed.conf) == (other, CONF)
        bench.subject.adopt(None, 30)
        assert bench.lb.wish is None
        bench.subject.adopt(other, 30)
        bench.subject.sync()
        await trio.sleep(0.1)
        assert (bench.lb.wish, bench.lb.observed.conf, bench.told()) == (other, other, (False, []))


async def test_a_restart_of_ours_writes_nothing_into_a_table_that_is_right(autojump_clock: MockClock) -> None:
    vpp = FakeVpp()
    async with Bench(vpp, UP).serving():
        pass
    vpp.executed.clear()

    second = Bench(vpp, UP, Warmup(5, 30))
    async with second.serving():
        await trio.sleep(60)

    assert vpp.executed == []


async def test_a_lost_session_ends_serving_and_forgets_the_table(autojump_clock: MockClock) -> None:
    bench = Bench(FakeVpp(), UP)
    bench.vpp.is_lost = True

    with pytest.raises(Unavailable):
        await bench.subject.serve(bench.vpp)
    assert bench.subject.lb.value is None


async def test_a_vpp_that_stands_still_is_given_up(autojump_clock: MockClock) -> None:
    class Stuck(FakeVpp):
        async def audit(self, begun: Callable[[], None] = lambda: None) -> FakeVpp:
            await trio.sleep_forever()
            raise AssertionError

    bench = Bench(Stuck(), UP)
    with pytest.raises(Unavailable, match="within 60 s"):
        await bench.subject.serve(bench.vpp)


async def test_a_batch_stops_when_the_health_moves_on(autojump_clock: MockClock) -> None:
    many = [backend(n, check=None) for n in range(1, 200)]
    names = {b.name: 100 for b in many}
    frontends = [frontend(f"f{n}", replace(VIP, port=n), names) for n in range(1, 6)]

    def status(down: str) -> HealthStatus:
        states = {b.name: State.DOWN if b.name == down else State.UP for b in many}
        return HealthStatus(
            {b.name: BackendStatus(b, Health(states[b.name], 0), 0, ()) for b in many},
            {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends},
        )

    bench = Bench(FakeVpp(), UP)
    bench.cell.set(status("none"))

    def meddle(op: Op) -> str:
        if len(bench.vpp.executed) == 300:
            bench.cell.set(status("b1"))
        return ""

    bench.vpp.deny = meddle
    async with bench.serving():
        pass

    first_five = [op for op in bench.vpp.executed if isinstance(op, AddVip | SetConf)]
    assert len(first_five) == 6
    for f in frontends:
        assert bench.vpp.weights(f.vip)["10.0.0.1"] == 0
    # Three VIPs whole: the batch under way was finished. Then at once who sends to the dead, and only then the rest.
    losing = [SetWeight(f.vip, IPv4Address("10.0.0.1"), 0, flush=True) for f in frontends[:3]]
    assert bench.vpp.executed[601:604] == losing
    assert {op.weight for op in bench.vpp.executed[604:] if isinstance(op, AddBackend)} == {0, 100}


async def test_on_a_stop_the_batch_under_way_is_finished_and_nothing_is_written_after(
    autojump_clock: MockClock,
) -> None:
    class Slow(FakeVpp):
        async def execute(self, ops: Sequence[Op]) -> list[Refused | None]:
            under_way.set()
            await trio.sleep(2)
            return await super().execute(ops)

    under_way = trio.Event()
    bench = Bench(Slow(), UP)

    async with bench.serving():
        await under_way.wait()
        began = trio.current_time()
        await bench.subject.finish()
        assert 0 < trio.current_time() - began <= 2
        assert bench.vpp.weights(VIP) == {"10.0.0.1": 100, "10.0.0.2": 50, "10.0.0.3": 0}
        bench.vpp.executed.clear()
        bench.cell.set(health({**UP, "b1": State.DOWN}))
        await trio.sleep(100)
        assert bench.vpp.executed == []


async def test_what_was_acknowledged_before_a_session_was_lost_is_told(autojump_clock: MockClock) -> None:
    many = [backend(n, check=None) for n in range(1, 200)]
    frontends = [frontend(f"f{n}", replace(VIP, port=n), {b.name: 100 for b in many}) for n in range(1, 6)]
    states = {b.name: State.UP for b in many}

    class Losing(FakeVpp):
        async def execute(self, ops: Sequence[Op]) -> list[Refused | None]:
            self.is_lost = bool(self.executed)
            return await super().execute(ops)

    bench = Bench(Losing(), UP)
    bench.cell.set(
        HealthStatus(
            {b.name: BackendStatus(b, Health(State.UP, 0), 0, ()) for b in many},
            {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends},
        )
    )

    with pytest.raises(Unavailable):
        await bench.subject.serve(bench.vpp)
    assert len(bench.journal.of(OpApplied)) == len(bench.vpp.executed) == 512
    assert [event.ops for event in bench.journal.of(Programmed)] == [tuple(bench.vpp.executed)]
