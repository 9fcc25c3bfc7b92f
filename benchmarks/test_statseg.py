"""One sample of a busy router: by our reader, by VPP's own Python reader, and the floor below both.

The floor loads one word of every cache line that the sample needs, once, in the simplest loop of C (floor.c). Answers
are compared before anything is timed, and all are timed in turn, as the machine may be shared.
"""

import ctypes
import subprocess
import sysconfig
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from vpp_papi.vpp_stats import StatsVector, VPPStats

from maglev._statseg import Counter, Segment
from maglev.emulator.segment import CombinedCounter, SegmentWriter, SimpleCounter
from tests.papi import papi

VIPS = 10_000
THREADS = 17  # the main thread and sixteen workers
ENTRIES = 10_000  # of the directory, besides the counters
NEEDED = 20_000  # load-balance indexes: of VIP prefixes and of backends
LB = ("packet from existing sessions", "first session packet", "untracked packet", "no server configured")
ROUTES = ("/net/route/to", "/net/route/via")
M = 1_000_000
LINE = 64
PER_LINE = LINE // 16  # routes: packets and bytes


@dataclass(frozen=True)
class Floor:
    """What loads one word of each of so many lines."""

    lines: int
    touch: Callable[[], int]


class Router:
    """A segment with that many routes, and what a sample needs of the first `span`, in order or in none."""

    def __init__(self, routes: int, span: int, *, in_order: bool) -> None:
        words = THREADS * (2 * 2 * routes + 4 * VIPS)
        self.writer = SegmentWriter(words * 8 + (16 << 20))
        random = Random(routes)
        for i in range(ENTRIES):
            self.writer.set_scalar(f"/nodes/node-{i}/calls", i)
        self.counters: list[SimpleCounter | CombinedCounter] = [self.writer.simple(name, THREADS) for name in LB]
        self.counters += [self.writer.combined(name, THREADS) for name in ROUTES]
        for counter in self.counters:
            self._fill(counter, VIPS + 1 if isinstance(counter, SimpleCounter) else routes, random)
        self.vips = array("Q", range(1, VIPS + 1))
        # Each on a line of its own, so that a table of any length has the same number of lines to touch.
        random = Random(span)
        lines = random.sample(range(span // PER_LINE), NEEDED)
        needed = [PER_LINE * line + random.randrange(PER_LINE) for line in lines]
        self.needed = array("Q", sorted(needed) if in_order else needed)
        self.outs = [array("Q", bytes(8 * VIPS)) for _ in LB] + [array("Q", bytes(16 * NEEDED)) for _ in ROUTES]
        indexes = [self.vips] * len(LB) + [self.needed] * len(ROUTES)
        names = map(Counter, (*LB, *ROUTES))
        self.requests = list(zip(names, indexes, self.outs, strict=True))

    def _fill(self, counter: SimpleCounter | CombinedCounter, length: int, random: Random) -> None:
        counter.validate(length - 1)
        count = length * counter.words_each
        figures = array("Q", array("I", random.randbytes(4 * count)))
        for vector in counter._vectors:
            self.writer.words[vector.at // 8 : vector.at // 8 + count] = figures
            figures = figures[1:] + figures[:1]  # another one for each thread

    def lines(self) -> "array[int]":
        """Offsets of the cache lines that one sample needs, in the order of the threads, each once."""
        offsets = array("Q")
        for (_, indexes, _), counter in zip(self.requests, self.counters, strict=True):
            for vector in counter._vectors:
                places = (vector.at + vector.width * index for index in indexes)
                offsets.extend(dict.fromkeys(place // LINE * LINE for place in places))
        return offsets

    def close(self) -> None:
        self.writer.close()


@pytest.fixture(
    scope="module",
    params=[(M, True), (M // 10, True), (M, False)],
    ids=["1M routes", "100k routes", "1M routes, no order"],
)
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    """In order, as the sampler asks; and without, to show what that is good for."""
    routes, in_order = request.param
    with closing(Router(routes, routes, in_order=in_order)) as router:
        yield router


@pytest.fixture(scope="module")
def floor(router: Router, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """The floor: one call touches every line."""
    library = tmp_path_factory.mktemp("floor") / "floor.so"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    source = str(Path(__file__).with_name("floor.c"))
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", str(library), source], check=True)
    call = ctypes.CDLL(str(library)).touch
    call.restype, call.argtypes = ctypes.c_uint64, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    offsets = router.lines()
    held = ctypes.c_char.from_buffer(router.writer._map)
    start, count = ctypes.addressof(held), len(offsets)
    at, _ = offsets.buffer_info()
    yield Floor(count, lambda: call(start, at, count))
    del held


def by_papi(reader: VPPStats, router: Router) -> list[list[int]]:
    """As quick as that reader gets: LB counters whole, routes only where they are needed.

    Its own way to a combined counter makes a tuple of each of the millions of entries, and takes ten times as long.
    """
    answer = []
    for name in LB:
        threads = reader[name]
        answer.append([sum(thread[i] for thread in threads) for i in router.vips])
    for name in ROUTES:
        with reader.lock:
            pointers = StatsVector(reader, reader.directory[name].value, "P")
            threads = [StatsVector(reader, pointer, "QQ") for (pointer,) in pointers]
        sums = []
        for i in router.needed:
            packets, octets = zip(*(thread[i] for thread in threads), strict=True)
            sums += [sum(packets), sum(octets)]
        answer.append(sums)
    return answer


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """The least seconds that each call took."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            before = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - before)
    return best


def test_one_sample(benchmark: BenchmarkFixture, router: Router, floor: Floor) -> None:
    with papi(router.writer.fd) as reader, closing(Segment(router.writer.fd)) as segment:
        segment.sum(router.requests)
        assert [out.tolist() for out in router.outs] == by_papi(reader, router)
        (papi_s,) = in_turn(2, lambda: by_papi(reader, router))
        ours_s, floor_s = in_turn(50, lambda: segment.sum(router.requests), floor.touch)
        benchmark.extra_info |= {
            "lines": floor.lines,
            "ours_ms": round(ours_s * 1e3, 2),
            "floor_ms": round(floor_s * 1e3, 2),
            "vpp_papi_ms": round(papi_s * 1e3),
            "times_the_floor": round(ours_s / floor_s, 2),
            "times_faster_than_vpp_papi": round(papi_s / ours_s),
        }

        benchmark(segment.sum, router.requests)


def test_the_same_places_of_a_longer_table(benchmark: BenchmarkFixture) -> None:
    """Lines and pages are the same, only the tables are ten times as long."""
    routers = [Router(routes, M // 10, in_order=True) for routes in (M // 10, M)]
    segments = [Segment(router.writer.fd) for router in routers]
    try:
        short, long = (partial(s.sum, router.requests) for s, router in zip(segments, routers, strict=True))
        short_s, long_s = in_turn(50, short, long)
        benchmark.extra_info |= {
            "short_ms": round(short_s * 1e3, 2),
            "long_ms": round(long_s * 1e3, 2),
            "times_the_short_one": round(long_s / short_s, 2),
        }

        benchmark(long)
    finally:
        for segment, router in zip(segments, routers, strict=True):
            segment.close()
            router.close()


def test_first_look_at_the_names(benchmark: BenchmarkFixture, router: Router) -> None:
    """Open, find six names behind 10,000 others, close; the map and its first page faults are in it."""

    def look() -> int:
        with closing(Segment(router.writer.fd)) as segment:
            return max(segment.length(Counter(name)) for name in (*LB, *ROUTES))

    assert benchmark(look) == router.counters[-1]._vectors[0].length


def test_a_change_of_the_epoch(benchmark: BenchmarkFixture, router: Router) -> None:
    """What finding six names again costs when memory has moved: a read of nothing, right after; and without that."""
    nothing = array("Q")
    requests = [(Counter(name), nothing, nothing) for name in (*LB, *ROUTES)]

    def moved() -> int:
        with router.writer.moving():
            pass
        return segment.sum(requests)

    with closing(Segment(router.writer.fd)) as segment:
        still_s, moved_s = in_turn(200, lambda: segment.sum(requests), moved)
        benchmark.extra_info |= {"still_us": round(still_s * 1e6, 1), "moved_us": round(moved_s * 1e6, 1)}

        assert benchmark(moved) == router.writer.epoch
