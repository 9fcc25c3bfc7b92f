"""One sample of a busy router by our reader and by VPP's own Python reader, on the same segment, answers compared."""

import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from random import Random
from typing import TypeVar

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from vpp_papi.vpp_stats import VPPStats

from maglev._statseg import Segment
from maglev.emulator.segment import SegmentWriter
from tests.papi import papi

VIPS = 10_000
THREADS = 5  # the main thread and four workers
LB = ("packet from existing sessions", "first session packet", "untracked packet", "no server configured")
ROUTES = ("/net/route/to", "/net/route/via")
FIB = 20_000  # entries of the two route counters

Answer = TypeVar("Answer")


class Wanted:
    """What a sample needs: the four LB counters of every VIP, both route counters at scattered indexes."""

    def __init__(self) -> None:
        self.vips = array("Q", range(1, VIPS + 1))
        self.routes = array("Q", Random(1).sample(range(FIB), VIPS))
        self.lb = [array("Q", bytes(8 * VIPS)) for _ in LB]
        self.volumes = [array("Q", bytes(16 * VIPS)) for _ in ROUTES]
        self.requests = [(name, self.vips, out) for name, out in zip(LB, self.lb, strict=True)]
        self.requests += [(name, self.routes, out) for name, out in zip(ROUTES, self.volumes, strict=True)]


@pytest.fixture(scope="module")
def writer() -> Iterator[SegmentWriter]:
    random = Random(2)
    with closing(SegmentWriter(32 << 20)) as writer:
        for name in LB:
            simple = writer.simple(name, THREADS)
            simple.validate(VIPS)
            for thread in range(THREADS):
                for index in range(1, VIPS + 1):
                    simple.add(thread, index, random.getrandbits(40))
        for name in ROUTES:
            combined = writer.combined(name, THREADS)
            combined.validate(FIB - 1)
            for thread in range(THREADS):
                for index in range(FIB):
                    combined.add(thread, index, random.getrandbits(40), random.getrandbits(50))
        for i in range(3000):  # a plain VPP has as many entries
            writer.set_scalar(f"/nodes/node-{i}/calls", i)
        yield writer


def by_papi(reader: VPPStats, wanted: Wanted) -> list[list[int]]:
    """Each counter read once and then only indexed: its own column sums would convert the vectors for every VIP."""
    answer = []
    for name in LB:
        threads = reader[name]
        answer.append([sum(thread[i] for thread in threads) for i in wanted.vips])
    for name in ROUTES:
        threads = reader[name]
        answer.append([sum(thread[i][part] for thread in threads) for i in wanted.routes for part in (0, 1)])
    return answer


def fastest(call: Callable[[], Answer], rounds: int) -> tuple[float, Answer]:
    best, answer = float("inf"), None
    for _ in range(rounds):
        before = time.perf_counter()
        answer = call()
        best = min(best, time.perf_counter() - before)
    assert answer is not None
    return best, answer


def test_one_sample(benchmark: BenchmarkFixture, writer: SegmentWriter) -> None:
    wanted = Wanted()
    with papi(writer.fd) as reader, closing(Segment(writer.fd)) as segment:
        papi_s, theirs = fastest(lambda: by_papi(reader, wanted), 3)
        ours_s, _ = fastest(lambda: segment.sum_at(wanted.requests), 50)
        assert [out.tolist() for out in wanted.lb + wanted.volumes] == theirs
        benchmark.extra_info |= {"vpp_papi_ms": round(papi_s * 1e3, 1), "times_faster": round(papi_s / ours_s)}

        benchmark(segment.sum_at, wanted.requests)


def test_first_look_at_the_names(benchmark: BenchmarkFixture, writer: SegmentWriter) -> None:
    """Open, resolve six names among 3,000 entries, close: what a change of the epoch costs, and the map on top."""
    nothing = array("Q")
    requests = [(name, nothing, nothing) for name in (*LB, *ROUTES)]

    def look() -> int:
        with closing(Segment(writer.fd)) as segment:
            return segment.sum_at(requests)

    assert benchmark(look) == writer.epoch
