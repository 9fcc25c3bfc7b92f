"""A large table from nothing: by the session, by the reconciler, and the floor: the same messages packed beforehand.

Each starts on a VPP of its own. The reconciler reads the table first, and works out what to do.
"""

import time

import trio
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import collecting, fleet, reconciling, vpps
from maglev.vpp.session import Session

ROUNDS = 3


def test_a_table_from_nothing(benchmark: BenchmarkFixture) -> None:
    ops = len(fleet.building())
    with collecting.as_maglevd():
        best = benchmark.pedantic(_each_way, rounds=1)
    benchmark.extra_info |= {f"{word}_s": round(took, 2) for word, took in best.items()}
    benchmark.extra_info |= {
        "ops": ops,
        "floor_us_per_op": round(best["floor"] / ops * 1e6, 1),
        "session_times_the_floor": round(best["session"] / best["floor"], 2),
        "reconciler_times_the_floor": round(best["reconciler"] / best["floor"], 2),
        "against": vpps.KIND,
    }


def _each_way() -> dict[str, float]:
    """The least seconds each took, by turns."""
    best = {"floor": float("inf"), "session": float("inf"), "reconciler": float("inf")}
    for _ in range(ROUNDS):
        for word, measure in (("floor", _floor), ("session", _session), ("reconciler", _reconciler)):
            best[word] = min(best[word], trio.run(measure))
    return best


async def _floor() -> float:
    with vpps.vpp() as vpp:
        async with vpps.session(vpp) as session:
            took = vpps.Blast(vpp, session, fleet.building()).run()
            await _check(session)
            return took


async def _session() -> float:
    ops = fleet.building()
    with vpps.vpp() as vpp:
        async with vpps.session(vpp) as session:
            began = time.perf_counter()
            answers = await session.execute(ops)
            took = time.perf_counter() - began
            assert not any(answers)
            await _check(session)
            return took


async def _reconciler() -> float:
    with vpps.vpp() as vpp:
        async with vpps.session(vpp) as session:
            took = await reconciling.reconciled(session, reconciling.all_up())
        async with vpps.session(vpp) as session:
            await _check(session)
    return took


async def _check(session: Session) -> None:
    """The table is what was asked for."""
    observed = (await session.audit()).observed
    wished = fleet.wish().vips
    assert observed.vips.keys() == wished.keys()
    assert all(
        {address: backend.weight for address, backend in observed.vips[key].backends.items()}
        == {address: backend.weight for address, backend in wish.backends.items()}
        for key, wish in wished.items()
    )
