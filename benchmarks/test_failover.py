"""A backend that ten of 10,000 VIPs use goes down, and comes back: from the probe's result to VPP's last answer.

Checker, reconciler, session and transport are the daemon's own; only the result is made up, and handed to the checker
where a probe would.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
import trio.testing
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import collecting, fleet, vpps
from maglev.control.checker import Checker, Fleet
from maglev.control.lag import Lag
from maglev.control.ports import Clock
from maglev.control.reconciler import Reconciler
from maglev.core.desired import desired_vip
from maglev.core.events import Event, VppMessage
from maglev.core.model import ProbeResult
from maglev.core.plan import SetWeight
from maglev.core.status import LbStatus
from maglev.core.warmup import Warmup
from maglev.vpp.session import Session, connect

TIMES = int(os.environ.get("MAGLEV_BENCH_FAILURES", "200"))
PASS, FAIL = ProbeResult(True, "L4OK", "connected", 0.001), ProbeResult(False, "L4CON", "refused", 0.001)


@dataclass
class Answers:
    """Counts VPP's answers to changes of a weight, and knows when the awaited one came."""

    awaited: int = 0
    at: float = 0.0
    done: trio.Event = field(default_factory=trio.Event)

    def __call__(self, event: Event) -> None:
        if isinstance(event, VppMessage) and event.direction == "recv" and event.message == "lb_as_set_weight_reply":
            self.awaited -= 1
            if self.awaited == 0:
                self.at = time.perf_counter()
                self.done.set()

    async def timed(self, count: int, act: Callable[[], object]) -> float:
        """Seconds from `act` to the answer number `count`."""
        self.awaited, self.done = count, trio.Event()
        began = time.perf_counter()
        act()
        await self.done.wait()
        assert self.awaited == 0
        return self.at - began


@pytest.mark.benchmark(group="failover")
def test_from_the_result_to_the_last_answer(benchmark: BenchmarkFixture) -> None:
    with collecting.as_maglevd():
        downs, ups = benchmark.pedantic(trio.run, args=(_measured,), rounds=1)
    for word, times in (("down", downs), ("up", ups)):
        times.sort()
        for share in (50, 90, 99):
            benchmark.extra_info[f"{word}_p{share}_ms"] = round(times[len(times) * share // 100] * 1e3, 2)
        benchmark.extra_info[f"{word}_max_ms"] = round(times[-1] * 1e3, 2)
    benchmark.extra_info |= {"vips": fleet.VIPS, "against": vpps.KIND}


async def _measured() -> tuple[list[float], list[float]]:
    answers = Answers()
    clock = Clock(time.time_ns, random.random)
    checker = Checker(Fleet(fleet.backends(), fleet.frontends(), 5), _no_probe, answers, clock, _punctual())
    _judge_all(checker)
    reconciler = Reconciler(fleet.CONF, 1e6, Warmup(0, 0), checker.health, answers, clock)
    with vpps.vpp() as vpp:
        async with (
            connect(vpp.api, vpp.stats, answers, clock_ns=time.time_ns, deadline_s=30) as session,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(reconciler.serve, session)
            await _programmed(reconciler)
            downs, ups = await _all_timed(checker, answers, session)
            nursery.cancel_scope.cancel()
    return downs, ups


def test_without_the_reconciler(benchmark: BenchmarkFixture) -> None:
    """The same work if it is done per frontend: judging, which frontends moved, their weights, VPP's answers."""
    with collecting.as_maglevd():
        times = sorted(benchmark.pedantic(trio.run, args=(_direct,), rounds=1))
    for share in (50, 99):
        benchmark.extra_info[f"p{share}_ms"] = round(times[len(times) * share // 100] * 1e3, 2)
    benchmark.extra_info |= {"vips": fleet.VIPS, "against": vpps.KIND}


async def _direct() -> list[float]:
    whole = Fleet(fleet.backends(), fleet.frontends(), 5)
    checker = Checker(whole, _no_probe, vpps.nobody, Clock(time.time_ns, random.random), _punctual())
    _judge_all(checker)
    servers = {name: status.backend for name, status in checker.health.value.backends.items()}
    times: list[float] = []
    with vpps.vpp() as vpp:
        async with vpps.session(vpp) as session:
            assert not any(await session.execute(fleet.building()))
            for name in random.Random(1).sample(list(servers), 200):
                for result in (FAIL, PASS):
                    before = checker.health.value
                    began = time.perf_counter()
                    checker._judge((name,), fleet.CHECK, result)
                    ops = []
                    for status in checker.health.value.moved_since(before).values():
                        wish = desired_vip(status.frontend, status.resolved, servers)
                        cell = wish.backends[servers[name].address]
                        ops.append(SetWeight(status.frontend.vip, servers[name].address, cell.weight, cell.flush))
                    answers = await session.execute(ops)
                    times.append(time.perf_counter() - began)
                    assert answers == [None] * fleet.SHARE
                    await trio.testing.wait_all_tasks_blocked(0.002)
    return times


async def _all_timed(checker: Checker, answers: Answers, session: Session) -> tuple[list[float], list[float]]:
    downs: list[float] = []
    ups: list[float] = []
    chance = random.Random(1)
    for turn, name in enumerate(chance.sample(list(checker.health.value.backends), TIMES)):
        backend = checker.health.value.backends[name].backend
        for times, result in ((downs, FAIL), (ups, PASS)):
            judge = partial(checker._judge, (backend.name,), fleet.CHECK, result)
            times.append(await answers.timed(fleet.SHARE, judge))
            await trio.testing.wait_all_tasks_blocked(0.005)
            if turn == 0:
                table = (await session.audit()).observed.vips.values()
                dead = [vip.backends[backend.address].weight for vip in table if backend.address in vip.backends]
                assert dead == [0 if result is FAIL else 100] * fleet.SHARE
    return downs, ups


async def _programmed(reconciler: Reconciler) -> None:
    """The whole table is there and was read for its indexes: VPP has nothing to do."""
    status: LbStatus | None = None
    while status is None or sum(len(vip.backends) for vip in status.observed.vips.values()) < fleet.VIPS * fleet.EACH:
        status = await reconciler.lb.changed(status)
    while reconciler.indexes.value is None:
        await reconciler.indexes.changed(None)
    await trio.testing.wait_all_tasks_blocked(0.1)


def _judge_all(checker: Checker) -> None:
    for status in list(checker.health.value.backends.values()):
        checker._judge((status.backend.name,), fleet.CHECK, PASS)


def _punctual() -> Lag:
    return Lag(vpps.nobody, lambda _: None)  # not run, so never late


async def _no_probe(*_: object) -> ProbeResult:
    raise AssertionError("the benchmark makes the results")
