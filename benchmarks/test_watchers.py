"""A thousand watchers of a real maglevd: what a message costs it, beside a bare gRPC server, and who is late meanwhile.

A hundred orders are given, each a transition for every watcher to hear of.
"""

import re
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.probing import cpu_s
from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import free_port
from tests.processes import TIED, Process, until

WATCHERS, TRANSITIONS, BACKENDS = 1000, 100, 10
DEADLINE_S = 120.0
CONFIG = """
maglev:
  backends: {{{backends}}}
  frontends:
    www: {{address: 192.0.2.1, protocol: tcp, port: 80, pools: [{{name: all, backends: {{{members}}}}}]}}
"""


class Watchers:
    """The process of all who watch."""

    def __init__(self, address: str, present: int) -> None:
        words = ["-m", "benchmarks.watching", "watch", address, str(WATCHERS), str(present), str(TRANSITIONS)]
        self.popen = subprocess.Popen([*TIED, sys.executable, *words], stdout=subprocess.PIPE, bufsize=0)

    def until_says(self, word: str) -> None:
        assert self.popen.stdout is not None
        ready, _, _ = select.select([self.popen.stdout], [], [], DEADLINE_S)
        assert ready, f"no {word!r} within {DEADLINE_S:g} s"
        assert self.popen.stdout.readline().decode().strip() == word


@contextmanager
def watchers(address: str, present: int) -> Iterator[Watchers]:
    each = Watchers(address, present)
    try:
        yield each
    finally:
        each.popen.kill()
        each.popen.wait()
        assert each.popen.stdout is not None
        each.popen.stdout.close()


class Maglevd:
    """Without VPP and without probes."""

    def __init__(self, folder: Path) -> None:
        names = [f"b{number}" for number in range(BACKENDS)]
        config, self.address = folder / "maglev.yaml", f"unix:{folder}/grpc.sock"
        self._metrics = f"127.0.0.1:{free_port()}"
        config.write_text(
            CONFIG.format(
                backends=", ".join(f"{name}: {{address: 10.0.0.{n + 1}}}" for n, name in enumerate(names)),
                members=", ".join(f"{name}: {{}}" for name in names),
            )
        )
        words = ["--config", str(config), "--grpc-addr", self.address, "--metrics-addr", self._metrics]
        self.process = Process("maglev.entry", [*words, "--vpp-api-addr", "", "--log-level", "warning"], folder / "log")
        until(lambda: Path(self.address.removeprefix("unix:")).exists(), lambda: "its socket", self.process)

    def lag(self) -> dict[float, int]:
        """How many beats of its loop were late by no more than so many seconds, ever."""
        with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=60) as answer:
            text = str(answer.read(), "ascii")
        found = re.findall(r'^maglev_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)', text, re.MULTILINE)
        return {float(bound): int(count) for bound, count in found}


def p99_ms(before: dict[float, int], after: dict[float, int]) -> float:
    """The bound of the bucket in which it lies."""
    counts = {bound: after[bound] - before[bound] for bound in after}
    return min(bound for bound, count in counts.items() if count >= 0.99 * counts[float("inf")]) * 1e3


def give_orders(address: str) -> list[float]:
    """Pause and resume one after the other; how long each answer took, in seconds."""
    took = []
    with grpc.insecure_channel(address) as channel:
        rpcs = [
            channel.unary_unary(
                f"/maglev.Maglev/{word}Backend",
                request_serializer=pb.BackendRequest.SerializeToString,
                response_deserializer=pb.BackendInfo.FromString,
            )
            for word in ("Pause", "Resume")
        ]
        for number in range(TRANSITIONS):
            began = time.perf_counter()
            rpcs[number // BACKENDS % 2](pb.BackendRequest(name=f"b{number % BACKENDS}"), timeout=DEADLINE_S)
            took.append(time.perf_counter() - began)
    return took


def test_a_thousand_watchers(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    benchmark.group = f"{WATCHERS} watchers, {TRANSITIONS} transitions"
    maglevd = Maglevd(tmp_path)
    try:
        alone = sorted(give_orders(maglevd.address))
        with watchers(maglevd.address, BACKENDS) as each:
            each.until_says("ready")
            lag, used, began = maglevd.lag(), cpu_s(maglevd.process.popen.pid), time.perf_counter()
            took: list[float] = []

            def tell() -> None:
                took.extend(give_orders(maglevd.address))
                each.until_says("done")

            benchmark.pedantic(tell, rounds=1)
            wall_s = time.perf_counter() - began
            used = cpu_s(maglevd.process.popen.pid) - used
            late_ms = p99_ms(lag, maglevd.lag())
    finally:
        assert maglevd.process.stop() == 0
    bare_us = bare_cost_us(tmp_path)
    ours_us = used / WATCHERS / TRANSITIONS * 1e6
    benchmark.extra_info |= {
        "us_a_message": round(ours_us, 1),
        "us_a_message_bare": round(bare_us, 1),
        "times_bare": round(ours_us / bare_us, 2),
        "messages_a_s": round(WATCHERS * TRANSITIONS / wall_s),
        "order_median_ms": round(sorted(took)[len(took) // 2] * 1e3, 1),
        "order_alone_median_ms": round(alone[len(alone) // 2] * 1e3, 1),
        "loop_lag_p99_ms": late_ms,
    }


def bare_cost_us(folder: Path) -> float:
    """CPU of grpcio's simplest server for each message of the same size."""
    address = f"unix:{folder}/bare.sock"
    event = pb.BackendEvent(at_ns=1 << 60, backend="b0", address="10.0.0.1", to="paused", code="pause")
    size = len(pb.Event(backend=event).SerializeToString()) + len("up") + 2
    words = [*TIED, sys.executable, "-m", "benchmarks.watching", "bare", address, str(size)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, bufsize=0) as bare:
        try:
            assert bare.stdin is not None
            until(lambda: Path(address.removeprefix("unix:")).exists(), lambda: "the bare server")
            with watchers(address, 1) as each:
                each.until_says("ready")
                used = cpu_s(bare.pid)
                for _ in range(TRANSITIONS):
                    bare.stdin.write(b"\n")
                    time.sleep(0.005)  # orders come one after the other, too
                each.until_says("done")
                return (cpu_s(bare.pid) - used) / WATCHERS / TRANSITIONS * 1e6
        finally:
            bare.kill()
