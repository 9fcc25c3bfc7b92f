"""Scrapes of the real maglevd with 10,000 VIPs of four backends each: wall time, CPU, and how late its loop is.

Each page is of a table that has changed as said. Beside it in the same run: prometheus_client writing as many series,
and the floor, as many bytes sent when they are ready. `MAGLEV_BENCH_QUICK=1`: a tenth of the VIPs.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.scraping import Ready, Scrape, Site, lag_of, scrapes, series, site
from benchmarks.test_probes import quantile
from tests.metrics.reading import parse_text, write_text

QUICK = os.environ.get("MAGLEV_BENCH_QUICK", "") not in ("", "0")
VIPS, BACKENDS = (1_000, 100) if QUICK else (10_000, 1_000)
COUNT = 30
WATCHED_S = 10.0
FORMS = [(encoding, kind) for kind in ("text", "openmetrics") for encoding in ("identity", "gzip")]
PAGES = "Changed | form | MB | median | p99 | CPU to make it | floor | times it | prometheus_client | times faster"
LATE = "Meanwhile | lag p50 | p99 | p99.9 | CPU of a core"

Table = dict[str, list[str]]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    rows: Table = {PAGES: [], LATE: []}
    yield rows
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        for heading, found in rows.items():
            rule = "|".join("---" for _ in heading.split("|"))
            print("", *(f"| {line} |" for line in (heading, rule, *found)), sep="\n")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(VIPS, BACKENDS, tmp_path_factory.mktemp("scrapes")) as running:
        running.until_it_is_complete()
        yield running


class Families(Collector):
    """What was read of a page."""

    def __init__(self, page: str) -> None:
        self._metrics = list(parse_text(page))

    def collect(self) -> Iterable[Metric]:
        return self._metrics


@pytest.fixture(scope="module")
def peer_s(large: Site) -> float:
    """Seconds in which prometheus_client writes the same series, when it has them all as its own objects."""
    page = large.page()
    assert series(page) >= 15 * VIPS
    registry = CollectorRegistry()
    registry.register(Families(page))
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert series(write_text(registry).decode()) == series(page)
        times.append(time.perf_counter() - began)
    return sorted(times)[1]


@pytest.mark.benchmark(group="scrapes")
@pytest.mark.parametrize(("encoding", "kind"), FORMS)
@pytest.mark.parametrize("changed", ["nothing", "sample", "sample and health"])
def test_a_scrape(
    benchmark: BenchmarkFixture, large: Site, peer_s: float, table: Table, changed: str, encoding: str, kind: str
) -> None:
    large.sample_every("1s")
    every_s = 0.1 if changed == "nothing" else 1.1
    with large.flapping(0.4) if changed == "sample and health" else nullcontext():
        scrapes(large.port, 1, 0, encoding, kind)
        used = made_in_s(large.page())
        found = benchmark.pedantic(lambda: scrapes(large.port, COUNT, every_s, encoding, kind), rounds=1)
        cpu_s = (made_in_s(large.page()) - used) / (COUNT + 1)  # the page that told `used` is not in it
    with closing(Ready(bytes(found[-1].size))) as ready:
        floor = scrapes(ready.port, COUNT, 0.1, encoding, kind)
    median, p99 = at(found, 0.5), at(found, 0.99)
    benchmark.extra_info |= {
        "median_ms": round(median * 1e3, 1),
        "p99_ms": round(p99 * 1e3, 1),
        "cpu_ms": round(cpu_s * 1e3, 1),
        "floor_ms": round(at(floor, 0.5) * 1e3, 1),
        "bytes": found[-1].size,
    }
    cells = [
        changed,
        f"{kind}, {encoding}",
        f"{found[-1].size / 1e6:.1f}",
        *(f"{s * 1e3:.0f} ms" for s in (median, p99)),
    ]
    cells += [f"{cpu_s * 1e3:.0f} ms", f"{at(floor, 0.5) * 1e3:.1f} ms", f"{median / at(floor, 0.5):.1f}"]
    cells += [f"{peer_s * 1e3:,.0f} ms", f"{peer_s / median:.0f}"]
    table[PAGES].append(" | ".join(cells))


@pytest.mark.benchmark(group="lag")
@pytest.mark.parametrize(
    ("what", "encoding", "kind"), [("nobody", "", ""), *(("five scrapes a second", *form) for form in FORMS)]
)
def test_the_loop_meanwhile(
    benchmark: BenchmarkFixture, large: Site, table: Table, what: str, encoding: str, kind: str
) -> None:
    large.sample_every("5s")  # the default
    before, began, used = lag_of(large.page()), time.perf_counter(), large.cpu_s()

    def watched() -> None:
        with large.flapping(0.4):
            if not encoding:
                time.sleep(WATCHED_S)
                return
            scrapes(large.port, round(5 * WATCHED_S), 0.2, encoding, kind)

    benchmark.pedantic(watched, rounds=1)
    busy = (large.cpu_s() - used) / (time.perf_counter() - began)
    after = lag_of(large.page())
    late = Counter({bound: count - before[bound] for bound, count in after.items()})
    shares = [quantile(late, share) for share in (0.5, 0.99, 0.999)]
    names = "lag_p50_ms", "lag_p99_ms", "lag_p999_ms"
    benchmark.extra_info |= {name: round(s * 1e3, 1) for name, s in zip(names, shares, strict=True)}
    cells = [f"{what}: {kind}, {encoding}" if kind else what, *(f"{s * 1e3:.1f} ms" for s in shares), f"{busy:.0%}"]
    table[LATE].append(" | ".join(cells))


def made_in_s(page: str) -> float:
    """CPU seconds of all pages before this one, by maglevd's own account: without the sending."""
    return float(re.findall(r"^maglev_scrape_cpu_seconds_total (\S+)$", page, re.MULTILINE)[0])


def at(found: Sequence[Scrape], share: float) -> float:
    """That quantile of the wall times."""
    times = sorted(each.wall_s for each in found)
    return times[min(int(len(times) * share), len(times) - 1)]
