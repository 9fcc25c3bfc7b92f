"""How late a 1 ms ticker of the trio loop is, which stands for probes and answers, while something large is worked on.

`idle` is the machine's own share. The bound is 20 ms.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import collecting, fleet, reconciling, vpps
from maglev.config.parse import parse
from maglev.core.model import Backend, Frontend
from tests.real_vpp import Sockets

TICK_S = 0.001

Late = list[float]
Task = Callable[[], Awaitable[object]]


async def late_during(task: Task) -> Late:
    """How late each tick was."""
    late: Late = []

    async def tick() -> None:
        due = trio.current_time()
        while True:
            due = max(due + TICK_S, trio.current_time())
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        await trio.sleep(0.05)
        late.clear()
        await task()
        nursery.cancel_scope.cancel()
    return late


def report(benchmark: BenchmarkFixture, *, kind: str, late: Late, idle: Late) -> None:
    benchmark.extra_info |= {
        "ticks": len(late),
        "p99_ms": round(sorted(late)[len(late) * 99 // 100] * 1e3, 1),
        "max_ms": round(max(late) * 1e3, 1),
        "idle_max_ms": round(max(idle) * 1e3, 1),
        "while": kind,
    }


async def _idle() -> Late:
    return await late_during(partial(trio.sleep, 2))


def document(frontends: dict[str, Frontend], backends: dict[str, Backend]) -> str:
    """A configuration of that site."""
    lines = ["maglev:", "  vpp:", "    lb: {ipv4-src-address: 192.0.2.254, ipv6-src-address: 2001:db8::fe}"]
    lines += ["  healthchecks:", "    tcp: {type: tcp, port: 80, interval: 10s}", "  backends:"]
    lines += [f"    {b.name}: {{address: {b.address}, healthcheck: tcp}}" for b in backends.values()]
    lines.append("  frontends:")
    for f in frontends.values():
        lines += [f"    {f.name}:", f"      address: {f.vip.prefix.network_address}", "      protocol: tcp"]
        lines += ["      port: 80", "      pools:", "        - name: primary", "          backends:"]
        lines += [f"            {name}: {{weight: {weight}}}" for name, weight in f.pools[0].weights.items()]
    return "\n".join(lines)


def test_parsing_a_configuration(benchmark: BenchmarkFixture) -> None:
    text = document(fleet.frontends(), fleet.backends())
    assert len(parse(text).frontends) == fleet.VIPS

    async def measured() -> tuple[Late, Late]:
        return await _idle(), await late_during(partial(trio.to_thread.run_sync, parse, text))

    with collecting.as_maglevd():
        idle, late = benchmark.pedantic(trio.run, args=(measured,), rounds=1)
    report(benchmark, kind="parse in a thread", late=late, idle=idle)


@pytest.mark.parametrize("kind", ["connect", "execute", "audit", "second audit", "reconcile"])
def test_work_with_vpp(benchmark: BenchmarkFixture, kind: str) -> None:
    with collecting.as_maglevd():
        idle, late = benchmark.pedantic(trio.run, args=(_with_vpp, kind), rounds=1)
    report(benchmark, kind=kind, late=late, idle=idle)


async def _connect(vpp: Sockets) -> None:
    async with vpps.session(vpp):
        pass


async def _with_vpp(kind: str) -> tuple[Late, Late]:
    ops = fleet.building()
    idle = await _idle()
    with vpps.vpp() as vpp:
        if kind == "connect":
            return idle, await late_during(partial(_connect, vpp))
        async with vpps.session(vpp) as session:
            if kind == "reconcile":  # read, plan, write, read again
                return idle, await late_during(partial(reconciling.reconciled, session, reconciling.all_up()))
            if kind == "execute":
                return idle, await late_during(partial(session.execute, ops))
            await session.execute(ops)
            if kind == "second audit":
                await session.audit()
            return idle, await late_during(session.audit)
