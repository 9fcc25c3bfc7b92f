"""10,000 backends probed by the real maglevd: what it costs, how late it is, what becomes of it when it is too much.

Beside it, on the same servers and in the same run: HAProxy, and the bare system calls of as many probes. Only ratios
and orders of magnitude count on a shared machine. `MAGLEV_BENCH_QUICK=1`: in a minute, with fewer backends at the same
rate.
"""

import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.probing import (
    HAPROXY,
    LATENESS,
    Load,
    Maglevd,
    Page,
    Servers,
    Window,
    bare_cpu_s,
    compiled,
    echo_socket_fault,
    haproxy,
    maglevd,
    memory_bytes,
    window,
)
from tests.processes import until

QUICK = os.environ.get("MAGLEV_BENCH_QUICK", "") not in ("", "0")
BACKENDS, FEW = (2_000 if QUICK else 10_000), 10
INTERVAL_S = BACKENDS / 5_000  # 5,000 probes a second
WINDOW_S = 3.0 if QUICK else 8.0
BARE = 5_000 if QUICK else 20_000  # bare probes
CALIBRATION_S = 2.0
IN_FLIGHT = 4_096  # probes under way at once, at most
COMFORT, COMFORT_WITHIN = 0.6, 0.06  # of a core
OVERLOAD = 2.0  # times what it can do

COST = (
    "Cost | probes/s | a CPU-second | us each | HAProxy us | ratio | bare us | ratio | KiB a backend | first verdicts"
)
LATE = "Lateness | wanted | offered/s | done/s | of a core | late at p99 | failed | went down"


@dataclass(frozen=True)
class Cost:
    """Of 10,000 backends at 2 s."""

    watched: Window
    first_verdicts_s: float
    bytes_each: float
    bare_us: float
    haproxy: Window | None

    @property
    def us(self) -> float:
        return 1e6 / self.watched.per_cpu_s


@dataclass(frozen=True)
class Lateness:
    """How probes are at some load; the scrapes at both ends are in the lateness and in nothing else."""

    load: Load
    watched: Window
    p99_s: float
    failed: int
    downs: int


class Subject:
    """One type of probe, with what was found out about it."""

    def __init__(self, kind: str, servers: Servers, folder: Path) -> None:
        self.kind = kind
        self._servers = servers
        self._folder = folder

    @cached_property
    def cost(self) -> Cost:
        few_bytes = self._few_bytes()
        load = Load(self.kind, BACKENDS, INTERVAL_S)
        before = self._servers.seen(self.kind)
        with maglevd(load, self._servers, self._folder) as running:
            first_s = running.first_verdicts_s()
            watched = window(self._servers, self.kind, running.pid, WINDOW_S)
            many_bytes = memory_bytes(running.pid)
            page = self._checked_page(running, before)
            assert page.failed == 0, f"{page.failed} probes failed"
            assert running.downs() == 0
        bare = bare_cpu_s(compiled("bare_probes", self._folder), self._servers, load, BARE)
        peer = self._haproxy(load) if HAPROXY and self.kind != "icmp" else None
        each = (many_bytes - few_bytes) / (BACKENDS - FEW)
        return Cost(watched, first_s, each, bare / BARE * 1e6, peer)

    @cached_property
    def comfortable(self) -> Lateness:
        """At 60 % of a core: a probe costs more where fewer are ready at once, so the rate is corrected once."""
        rate, found = COMFORT / self.cost.us * 1e6, None
        for within in (COMFORT_WITHIN, None):
            found = self._lateness(self._load(rate), within)
            if isinstance(found, Lateness):
                break
            rate *= COMFORT / found
        assert isinstance(found, Lateness)
        return found

    @cached_property
    def overloaded(self) -> Lateness:
        found = self._lateness(self._load(OVERLOAD / self.cost.us * 1e6), None)
        assert isinstance(found, Lateness)
        return found

    def _load(self, rate: float) -> Load:
        """That many probes a second, spread evenly: longer intervals than usual would start in bursts."""
        backends = min(BACKENDS, round(rate * INTERVAL_S))
        return Load(self.kind, backends, backends / rate)

    def _few_bytes(self) -> int:
        """Memory with few backends; each is probed once, so that the counts on both sides must be equal."""
        before = self._servers.seen(self.kind)
        with maglevd(Load(self.kind, FEW, 1.0, is_repeated=False), self._servers, self._folder) as running:
            running.first_verdicts_s()
            until(lambda: self._servers.seen(self.kind) - before >= FEW, lambda: "probes to arrive")
            assert running.page().probes == FEW
            assert self._servers.seen(self.kind) - before == FEW
            return memory_bytes(running.pid)

    def _checked_page(self, running: Maglevd, before: int) -> Page:
        """All backends are up, and both sides have counted the same probes, but for those under way."""
        least = self._servers.seen(self.kind) - before - IN_FLIGHT
        page = running.page()
        most = self._servers.seen(self.kind) - before + IN_FLIGHT
        assert page.states == {"up": running.load.backends}
        assert least <= page.probes <= most, f"{page.probes} probes by /metrics, {least} to {most} by the servers"
        return page

    def _lateness(self, load: Load, within: float | None) -> Lateness | float:
        """Or the load of a core, where it is not within `within` of what is wanted."""
        before = self._servers.seen(self.kind)
        with maglevd(load, self._servers, self._folder) as running:
            running.first_verdicts_s()
            if within is not None:
                busy = window(self._servers, self.kind, running.pid, CALIBRATION_S).load
                if abs(busy - COMFORT) > within:
                    return busy
            first = self._checked_page(running, before)
            watched = window(self._servers, self.kind, running.pid, WINDOW_S)
            last = self._checked_page(running, before)
            late = Counter({bound: count - first.late[bound] for bound, count in last.late.items()})
            return Lateness(load, watched, quantile(late, 0.99), last.failed, running.downs())

    def _haproxy(self, load: Load) -> Window:
        before = self._servers.seen(self.kind)
        with haproxy(load, self._servers, self._folder) as running:
            until(lambda: self._servers.seen(self.kind) - before >= load.backends, lambda: "checks", running.process)
            watched = window(self._servers, self.kind, running.pid, WINDOW_S)
            assert running.passed() == load.backends
        return watched


def quantile(late: "Counter[float]", share: float) -> float:
    """Seconds, as Prometheus reckons it: as if probes were spread evenly within a bucket."""
    assert late, f"/metrics has no {LATENESS}"
    wanted, low_s, below = share * late[math.inf], 0.0, 0
    for bound_s, count in sorted(late.items()):
        if count >= wanted > below:
            return low_s + (bound_s - low_s) * (wanted - below) / (count - below)
        low_s, below = bound_s, count
    raise AssertionError("no probe began")


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, list[str]]]:
    """Rows by their heading, shown at the end as docs/benchmarks.md has them."""
    rows: dict[str, list[str]] = {COST: [], LATE: []}
    yield rows
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        for heading, found in rows.items():
            rule = "|".join("---" for _ in heading.split("|"))
            print("", *(f"| {line} |" for line in (heading, rule, *found)), sep="\n")
        if HAPROXY is None:
            print("\nHAProxy is not installed here (Debian: apt install haproxy), so nothing stands beside maglevd.")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with closing(Servers(compiled("answering", tmp_path_factory.mktemp("answering")))) as servers:
        yield servers


@pytest.fixture(scope="module", params=["tcp", "http", "icmp"])
def subject(request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    if request.param == "icmp" and (fault := echo_socket_fault()):
        pytest.skip(fault)
    return Subject(request.param, servers, tmp_path_factory.mktemp(request.param))


@pytest.mark.benchmark(group="probes")
def test_what_a_probe_costs(benchmark: BenchmarkFixture, subject: Subject, table: dict[str, list[str]]) -> None:
    cost = benchmark.pedantic(lambda: subject.cost, rounds=1)
    peer = cost.haproxy
    peer_us = 1e6 / peer.per_cpu_s if peer else math.nan
    benchmark.extra_info |= {
        "backends": BACKENDS,
        "probes_per_cpu_second": round(cost.watched.per_cpu_s),
        "probes_per_second": round(cost.watched.probes / cost.watched.wall_s),
        "times_haproxy": round(cost.us / peer_us, 2) if peer else "no haproxy" if HAPROXY is None else "it has none",
        "times_the_floor": round(cost.us / cost.bare_us, 2),
        "kib_per_backend": round(cost.bytes_each / 1024, 2),
        "first_verdict_on_all_s": round(cost.first_verdicts_s, 2),
    }
    cells = [subject.kind, *(f"{n:,.0f}" for n in (cost.watched.probes / cost.watched.wall_s, cost.watched.per_cpu_s))]
    cells += [f"{cost.us:.0f}"]
    cells += [f"{peer_us:.0f}", f"{cost.us / peer_us:.1f}"] if peer else ["-", "-"]
    cells += [f"{cost.bare_us:.0f}", f"{cost.us / cost.bare_us:.1f}"]
    cells += [f"{cost.bytes_each / 1024:.1f}", f"{cost.first_verdicts_s:.1f} s"]
    table[COST].append(" | ".join(cells))


@pytest.mark.benchmark(group="probes")
def test_lateness_at_a_comfortable_load(
    benchmark: BenchmarkFixture, subject: Subject, table: dict[str, list[str]]
) -> None:
    found = benchmark.pedantic(lambda: subject.comfortable, rounds=1)
    _report(benchmark, subject, table, found, f"{COMFORT:.0%} of a core")
    assert found.failed == found.downs == 0


@pytest.mark.benchmark(group="probes")
def test_too_much_is_late_and_not_down(
    benchmark: BenchmarkFixture, subject: Subject, table: dict[str, list[str]]
) -> None:
    found = benchmark.pedantic(lambda: subject.overloaded, rounds=1)
    _report(benchmark, subject, table, found, f"{OVERLOAD:g} times what it can do")
    assert found.downs == 0
    assert found.watched.probes / found.watched.wall_s < 0.9 * found.load.offered, "that was no overload"


def _report(
    benchmark: BenchmarkFixture, subject: Subject, table: dict[str, list[str]], found: Lateness, wanted: str
) -> None:
    done = found.watched.probes / found.watched.wall_s
    benchmark.extra_info |= {
        "offered_per_second": round(found.load.offered),
        "done_per_second": round(done),
        "load_percent": round(100 * found.watched.load),
        "lateness_p99_ms": round(found.p99_s * 1e3, 1),
        "failed": found.failed,
        "went_down": found.downs,
    }
    cells = [subject.kind, wanted, f"{found.load.offered:,.0f}", f"{done:,.0f}", f"{found.watched.load:.0%}"]
    cells += [f"{found.p99_s * 1e3:,.0f} ms", str(found.failed), str(found.downs)]
    table[LATE].append(" | ".join(cells))
