"""A large site to scrape: a real maglevd with an embedded VPP and probed servers; its scrapers, and the floor."""

import json
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import grpc

from benchmarks.probing import FIRST, Servers, compiled, cpu_s
from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import free_port
from tests.processes import TIED, Process, until

EACH = 4
LAG = "maglev_loop_lag_seconds"


@dataclass(frozen=True)
class Scrape:
    """Wall time as the scraper has it, and the body as sent."""

    wall_s: float
    size: int


def scrapes(port: int, count: int, every_s: float, encoding: str, kind: str) -> list[Scrape]:
    """By a process of its own."""
    program = Path(__file__).with_name("scraper.py")
    words = [sys.executable, str(program), str(port), str(count), str(every_s), encoding, kind]
    found = subprocess.run([*TIED, *words], stdout=subprocess.PIPE, check=True).stdout
    return [Scrape(*each) for each in json.loads(found)]


class Site:
    """maglevd with `vips` VIPs of four backends each, out of `backends` ones that are probed every two seconds."""

    def __init__(self, vips: int, backends: int, servers: Servers, folder: Path) -> None:
        self.vips, self.backends = vips, backends
        self.port = free_port()
        self.grpc = f"unix:{folder}/grpc.sock"
        config, api, stats = folder / "maglev.yaml", folder / "api.sock", folder / "stats.sock"
        self._config, self._text = config, _config(vips, backends, servers.ports["tcp"])
        config.write_text(self._text)
        sockets = ["--api-socket", str(api), "--stats-socket", str(stats)]
        self._vpp = Process("maglev.emulator", [*sockets, "--traffic", "1000"], folder / "vpp.log")
        self._vpp.until_says("API at")
        words = ["--config", str(config), "--grpc-addr", self.grpc, "--metrics-addr", f"127.0.0.1:{self.port}"]
        words += ["--vpp-api-addr", str(api), "--vpp-stats-addr", str(stats), "--log-format", "text"]
        self.process = Process("maglev.entry", words, folder / "maglevd.log")
        self.pid = self.process.popen.pid

    def until_it_is_complete(self) -> None:
        """Every figure of every VIP is known, and the table is as it shall be."""
        self.process.until_says("started")
        wanted = [4 * self.vips, self.vips, EACH * self.vips]
        names = "vip_packets_total", "vip_route_bytes_total", "backend_flows"
        for _ in range(100):
            page = self.page()
            if [page.count(f"\nmaglev_vpp_{name}{{") for name in names] == wanted:
                return
            select.select([], [], [], 2.0)
        raise AssertionError(f"not complete:\n{self.process.output[-2000:]}")

    def sample_every(self, interval: str) -> None:
        """VPP's counters are read that often from now on."""
        text = self._text.replace("stats-interval: 1s", f"stats-interval: {interval}")
        if text != self._config.read_text():
            reloads = self.process.output.count(" config-reload ")
            self._config.write_text(text)
            self.process.signal(signal.SIGHUP)
            until(lambda: self.process.output.count(" config-reload ") > reloads, lambda: "a reload", self.process)

    def page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            return str(answer.read(), "ascii")

    def cpu_s(self) -> float:
        return cpu_s(self.pid)

    def close(self) -> None:
        assert self.process.stop() == 0, self.process.output[-2000:]
        self._vpp.stop()

    @contextmanager
    def flapping(self, every_s: float) -> Iterator[None]:
        """An operator pauses and resumes one backend after the other; each is in 40 frontends of 10,000."""
        over = threading.Event()

        def flap() -> None:
            with grpc.insecure_channel(self.grpc) as channel:
                number = 0
                while not over.wait(every_s):
                    verb = "Resume" if number % 2 else "Pause"
                    request = pb.BackendRequest(name=_name(number // 2 % self.backends))
                    ordered = channel.unary_unary(
                        f"/maglev.Maglev/{verb}Backend",
                        request_serializer=pb.BackendRequest.SerializeToString,
                        response_deserializer=pb.BackendInfo.FromString,
                    )
                    ordered(request, timeout=10)
                    number += 1

        thread = threading.Thread(target=flap)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def site(vips: int, backends: int, folder: Path) -> Iterator[Site]:
    program = compiled("answering", folder)
    with closing(Servers(program)) as servers, closing(Site(vips, backends, servers, folder)) as running:
        yield running


class Ready:
    """The floor: whoever asks gets `body`, which is ready."""

    def __init__(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._answer = head + body
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if not connection.recv(4096):
                    return
                connection.sendall(self._answer)

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()


def lag_of(page: str) -> "Counter[float]":
    """How many beats of the loop were late by no more than that, in seconds."""
    found = re.findall(rf'^{LAG}_bucket{{le="([^"]+)"}} (\d+)$', page, re.MULTILINE)
    return Counter({float(bound): int(count) for bound, count in found})


def series(page: str) -> int:
    """Lines that are figures."""
    return page.count("\n") - page.count("\n#") - page.startswith("#")


def _name(number: int) -> str:
    return f"b{number:05}"


def _config(vips: int, backends: int, port: int) -> str:
    lines = ["maglev:", "  vpp:", "    lb:", "      {ipv4-src-address: 192.0.2.254, ipv6-src-address: '2001:db8::fe',"]
    lines += ["       startup-min-delay: 0s, startup-max-delay: 0s, stats-interval: 1s}", "  healthchecks:"]
    lines += [f"    alive: {{type: tcp, port: {port}, interval: 2s, timeout: 1s}}", "  backends:"]
    lines += [f"    {_name(n)}: {{address: {FIRST + n}, healthcheck: alive}}" for n in range(backends)]
    lines += ["  frontends:"]
    for number in range(vips):
        members = ", ".join(f"{_name((number * EACH + n) % backends)}: {{}}" for n in range(EACH))
        where = f"address: {IPv4Address('198.18.0.0') + number}, protocol: tcp, port: 80"
        lines += [f"    f{number:05}: {{{where}, pools: [{{name: all, backends: {{{members}}}}}]}}"]
    return "\n".join(lines) + "\n"
