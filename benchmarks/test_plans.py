"""GetVPPLBPlan of the real maglevd with 10,000 VIPs of four backends each: how long it takes, who is late meanwhile.

Steady: nothing is left to do. In the warmup no backend is known: of VIPs that have a frontend nothing is planned yet,
and all that a full VPP has is to be deleted if no frontend has it any more. Each backend is in ten VIPs, or in one.
Late: maglevd's loop, and an RPC that is asked all the while. `MAGLEV_BENCH_QUICK=1`: a tenth of the VIPs.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

import grpc
import pytest
from google.protobuf.message import Message
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.probing import cpu_s
from benchmarks.scraping import lag_of
from benchmarks.test_probes import quantile
from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import free_port
from tests.processes import Process, running, until

QUICK = os.environ.get("MAGLEV_BENCH_QUICK", "") not in ("", "0")
VIPS, EACH = 1_000 if QUICK else 10_000, 4
ALL, ANOTHER = range(VIPS), range(VIPS, VIPS + 1)
PATIENCE_S = 300.0
M = TypeVar("M", bound=Message)
OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)


class Site:
    """maglevd and a VPP, of `shared` VIPs for each backend."""

    def __init__(self, folder: Path, shared: int) -> None:
        self._folder, self._shared = folder, shared
        self._port = free_port()
        self._grpc = f"unix:{folder}/grpc.sock"
        self._config = folder / "maglev.yaml"
        self._sockets = [str(folder / "api.sock"), str(folder / "stats.sock")]

    @contextmanager
    def vpp(self) -> Iterator[None]:
        sockets = ["--api-socket", self._sockets[0], "--stats-socket", self._sockets[1]]
        with running("maglev.emulator", sockets, self._folder / "vpp.log") as vpp:
            vpp.until_says("API at")
            yield

    @contextmanager
    def maglevd(self, vips: range, *, is_known: bool) -> Iterator[Process]:
        self._config.write_text(_config(vips, self._shared, is_known=is_known))
        words = ["--config", str(self._config), "--grpc-addr", self._grpc, "--metrics-addr", f"127.0.0.1:{self._port}"]
        words += ["--vpp-api-addr", self._sockets[0], "--vpp-stats-addr", self._sockets[1]]
        with running("maglev.entry", words, self._folder / f"maglevd{is_known}.log") as process:
            until(self._is_read, lambda: "a plan", process)
            yield process

    def asked(self) -> pb.VPPLBPlan:
        return self._call("GetVPPLBPlan", pb.GetVPPLBPlanRequest(), pb.VPPLBPlan)

    def sync(self) -> None:
        """Returns when the table is as it should be."""
        self._call("SyncVPPLBState", pb.SyncVPPLBStateRequest(), pb.SyncVPPLBStateResponse)

    def _is_read(self) -> bool:
        try:
            return self.asked().audited_at_ns > 0
        except grpc.RpcError:
            return False

    def _call(self, method: str, request: Message, response: type[M]) -> M:
        with grpc.insecure_channel(self._grpc, options=OPTIONS) as channel:
            rpc: grpc.UnaryUnaryMultiCallable[Message, M] = channel.unary_unary(
                f"/maglev.Maglev/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )
            return rpc(request, timeout=PATIENCE_S)

    def lag(self) -> Counter[float]:
        with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=PATIENCE_S) as answer:
            return lag_of(str(answer.read(), "ascii"))

    @contextmanager
    def asking(self) -> Iterator[list[float]]:
        """How long each of many small questions takes, one after the other, in seconds."""
        over, took = threading.Event(), list[float]()

        def ask() -> None:
            with grpc.insecure_channel(self._grpc) as channel:
                rpc = channel.unary_unary(
                    "/maglev.Maglev/GetVersion",
                    request_serializer=pb.GetVersionRequest.SerializeToString,
                    response_deserializer=pb.VersionInfo.FromString,
                )
                while not over.wait(0.005):
                    began = time.perf_counter()
                    rpc(pb.GetVersionRequest(), timeout=PATIENCE_S)
                    took.append(time.perf_counter() - began)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield took
        finally:
            over.set()
            thread.join()


@pytest.mark.benchmark(group="plans")
@pytest.mark.parametrize(
    ("what", "shared", "vips", "operations", "unknown"),
    [
        ("steady", 10, ALL, 0, 0),
        ("warmup", 10, ALL, 0, VIPS),
        ("warmup, another configuration", 10, ANOTHER, VIPS * (1 + EACH), 1),
        ("warmup, another configuration", 1, ANOTHER, VIPS * (1 + EACH), 1),
    ],
)
def test_a_plan(
    benchmark: BenchmarkFixture, tmp_path: Path, what: str, shared: int, vips: range, operations: int, unknown: int
) -> None:
    site = Site(tmp_path, shared)
    with site.vpp():
        with site.maglevd(ALL, is_known=True):
            site.sync()
        with site.maglevd(vips, is_known=what == "steady") as maglevd:
            pid = maglevd.popen.pid
            before, used = site.lag(), cpu_s(pid)
            with site.asking() as took:
                time.sleep(1)
                alone, began = sorted(took), time.perf_counter()
                took.clear()
                plan = benchmark.pedantic(site.asked, rounds=1)
                wall_s = time.perf_counter() - began
            used, after = cpu_s(pid) - used, site.lag()
    assert (len(plan.operations), plan.unknown_vips) == (operations, unknown)
    assert {each.waits for each in plan.operations} == ({"warmup"} if operations else set())
    late = Counter({bound: count - before[bound] for bound, count in after.items()})
    benchmark.extra_info |= {
        "plan_s": round(wall_s, 2),
        "cpu_s": round(used, 2),
        "megabytes": round(plan.ByteSize() / 1e6, 1),
        "lag_p50_ms": round(quantile(late, 0.5) * 1e3, 1),
        "lag_p99_ms": round(quantile(late, 0.99) * 1e3, 1),
        "question_alone_p99_ms": round(alone[int(0.99 * len(alone))] * 1e3, 1),
        "question_p50_ms": round(sorted(took)[len(took) // 2] * 1e3, 1) if took else 0.0,
        "question_p99_ms": round(sorted(took)[int(0.99 * len(took))] * 1e3, 1) if took else 0.0,
    }


def _config(vips: range, shared: int, *, is_known: bool) -> str:
    """Backends without a check are up; those that are to be asked in a place that is not there stay unknown."""
    count = (vips[-1] // shared + 1) * EACH
    check = "" if is_known else ", healthcheck: never"
    lines = ["maglev:", "" if is_known else "  healthchecker: {netns: not-there}", "  vpp:", "    lb:"]
    lines += ["      {ipv4-src-address: 192.0.2.254, ipv6-src-address: '2001:db8::fe', stats-interval: 5s,"]
    lines += [f"       startup-min-delay: 0s, startup-max-delay: {'0s' if is_known else '12h'}}}", "  healthchecks:"]
    lines += ["    never: {type: tcp, port: 9, interval: 1h, fast-interval: 1h, timeout: 1s}", "  backends:"]
    lines += [f"    b{n:05}: {{address: {IPv4Address('10.0.0.1') + n}{check}}}" for n in range(count)]
    lines += ["  frontends:"]
    for number in vips:
        first = number // shared * EACH
        members = ", ".join(f"b{first + n:05}: {{}}" for n in range(EACH))
        where = f"address: {IPv4Address('198.18.0.0') + number}, protocol: tcp, port: 80"
        lines += [f"    f{number:05}: {{{where}, pools: [{{name: all, backends: {{{members}}}}}]}}"]
    return "\n".join(lines) + "\n"
