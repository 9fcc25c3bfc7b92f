"""How long `maglevc show frontends` takes from its start to its last output, beside what it cannot do without.

The floor is Python that imports gRPC and the messages; the peer is the same question asked by a few lines of Python.
Rounds take turns, so that a noisy machine is noisy for all three.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.rpc import statuses
from tests.rpc.served import served

MAGLEVC = (sys.executable, "-m", "maglev.cli.main", "show", "frontends")
FLOOR = (sys.executable, "-c", "import grpc; from maglev.rpc._pb import maglev_pb2")
BARE = (sys.executable, "-c", "")
ROUNDS = 15


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served(statuses.FULL) as address:
        yield address


def run(command: tuple[str, ...], server: str) -> str:
    return subprocess.run(
        command, env={**os.environ, "MAGLEV_SERVER": server}, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_one_shot(server: str, benchmark: BenchmarkFixture) -> None:
    assert "192.0.2.10" in run(MAGLEVC, server)
    times: dict[tuple[str, ...], list[float]] = {MAGLEVC: [], FLOOR: [], BARE: []}
    for _ in range(ROUNDS):
        for command, taken in times.items():
            began = time.perf_counter()
            run(command, server)
            taken.append(time.perf_counter() - began)
    benchmark.extra_info.update(
        {
            "maglevc_ms": round(1e3 * median(times[MAGLEVC])),
            "floor_ms": round(1e3 * median(times[FLOOR])),
            "python_ms": round(1e3 * median(times[BARE])),
            "of_floor": round(median(times[MAGLEVC]) / median(times[FLOOR]), 2),
        }
    )
    benchmark.pedantic(run, args=(MAGLEVC, server), rounds=ROUNDS)
