"""Who probes and who is probed, each a process of its own: maglevd, HAProxy, bare system calls, and the servers.

Probes are counted where they arrive, by the same program for all who probe; CPU is what the kernel charges the process.
"""

import csv
import os
import re
import select
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

from tests.daemon.site import free_port
from tests.processes import TIED, Process, Program, until

FIRST = IPv4Address("127.1.0.0")  # bare_probes.c has the same
EACH = 10  # backends of a frontend
TIMEOUT_S = 1
SERVERS_ANSWER_WITHIN_S = 10
LATENESS = "maglev_probe_lateness_seconds"
HAPROXY = shutil.which("haproxy")

_TICKS = os.sysconf("SC_CLK_TCK")


def compiled(name: str, folder: Path) -> Path:
    """The program benchmarks/`name`.c, built in `folder` by the compiler that built Python's extensions."""
    target = folder / name
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(source)], check=True)
    return target


@dataclass(frozen=True)
class Load:
    """Backends that are all probed in one way, each once in `interval_s`."""

    kind: str
    backends: int
    interval_s: float
    is_repeated: bool = True  # False: each is probed once

    @property
    def offered(self) -> float:
        """Probes a second."""
        return self.backends / self.interval_s

    def addresses(self) -> Iterator[tuple[str, IPv4Address]]:
        """Names and addresses, all different."""
        return ((f"b{n:05}", FIRST + n) for n in range(self.backends))


class Servers:
    """Answers on all of 127.0.0.0/8 and counts; the kernel does that for echoes, for the whole machine."""

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self.popen = subprocess.Popen([*TIED, program], stdin=pipe, stdout=pipe, bufsize=0)
        self.ports = self._numbers() | {"icmp": 0}

    def seen(self, kind: str) -> int:
        """How many probes of that kind have arrived."""
        if kind == "icmp":
            return _echoes()
        assert self.popen.stdin is not None
        with suppress(BrokenPipeError):  # the answer will be missed
            self.popen.stdin.write(b"?")
        return self._numbers()[kind]

    def close(self) -> None:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.close()
        self.popen.stdout.close()
        try:
            assert self.popen.wait(SERVERS_ANSWER_WITHIN_S) == 0, f"the servers ended with {self.popen.returncode}"
        finally:
            self.popen.kill()

    def _numbers(self) -> dict[str, int]:
        assert self.popen.stdout is not None
        ready, _, _ = select.select([self.popen.stdout], [], [], SERVERS_ANSWER_WITHIN_S)
        line = self.popen.stdout.readline() if ready else b""
        assert line, f"the servers do not answer any more: {self.popen.poll()}"
        return dict(zip(("http", "tcp"), map(int, line.split()), strict=True))


def _echoes() -> int:
    names, values = (line for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Icmp: "))
    return int(dict(zip(names.split(), values.split(), strict=True))["InEchos"])


def cpu_s(pid: int) -> float:
    """User and system time of all threads, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_bytes(pid: int) -> int:
    """The proportional set size: what would come free without this process."""
    (kib,) = re.findall(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(kib) << 10


@dataclass(frozen=True)
class Window:
    """What happened in some seconds."""

    probes: int
    cpu_s: float
    wall_s: float

    @property
    def load(self) -> float:
        """Of one core."""
        return self.cpu_s / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Probes per CPU-second."""
        return self.probes / self.cpu_s


def window(servers: Servers, kind: str, pid: int, seconds: float) -> Window:
    """Watch `pid` from outside, without a question to it."""
    began, used, seen = time.monotonic(), cpu_s(pid), servers.seen(kind)
    time.sleep(seconds)
    return Window(servers.seen(kind) - seen, cpu_s(pid) - used, time.monotonic() - began)


@dataclass(frozen=True)
class Page:
    """What /metrics says. Counts are sums over backends."""

    passed: int
    failed: int
    inconclusive: int
    states: "Counter[str]"
    late: "Counter[float]"
    """How many probes were late by no more than that, in seconds."""

    @property
    def probes(self) -> int:
        return self.passed + self.failed + self.inconclusive


def _page(text: str) -> Page:
    def lines(name: str, label: str) -> Iterator[tuple[str, int]]:
        found = re.finditer(rf'^{name}\{{(?:[^}}]*,)?{label}="([^"]*)"[^}}]*\}} (\S+)$', text, re.MULTILINE)
        return ((match[1], int(float(match[2]))) for match in found)

    def sums(name: str, label: str) -> "Counter[str]":
        total: Counter[str] = Counter()
        for value, count in lines(name, label):
            total[value] += count
        return total

    results = sums("maglev_probe_total", "result")
    inconclusive = sums("maglev_probe_inconclusive_total", "type").total()
    late = Counter({float(bound): count for bound, count in sums(f"{LATENESS}_bucket", "le").items()})
    return Page(results["success"], results["failure"], inconclusive, sums("maglev_backend_state", "state"), late)


class Maglevd:
    """The real process, without VPP."""

    def __init__(self, load: Load, port: int, folder: Path) -> None:
        config, self._metrics = folder / "maglev.yaml", f"127.0.0.1:{free_port()}"
        config.write_text(_config(load, port))
        self.load = load
        self._began_s = time.time()
        words = ["--config", str(config), "--grpc-addr", f"unix:{folder}/grpc.sock", "--metrics-addr", self._metrics]
        self.process = Process(
            "maglev.entry", [*words, "--vpp-api-addr", "", "--log-format", "text"], folder / "maglevd.log"
        )
        self.pid = self.process.popen.pid

    def first_verdicts_s(self) -> float:
        """Waits for a first verdict on every backend; seconds from the start to the last of them, by its log line."""
        log, wanted = self.process.log, self.load.backends
        until(lambda: log.read_bytes().count(b" backend-transition ") >= wanted, lambda: "verdicts", self.process)
        verdicts = re.findall(rb"^(\S+) \S+ backend-transition .*\bfrom=unknown\b", log.read_bytes(), re.MULTILINE)
        assert len(verdicts) == wanted, f"{len(verdicts)} first verdicts on {wanted} backends"
        last = max(verdicts)
        return datetime.fromisoformat(last.decode()).timestamp() - self._began_s

    def downs(self) -> int:
        """How many times a backend went down, as logged."""
        return len(re.findall(rb"backend-transition .*\bto=down\b", self.process.log.read_bytes()))

    def page(self) -> Page:
        """What it costs falls into no window."""
        with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=60) as answer:
            return _page(str(answer.read(), "ascii"))


@contextmanager
def maglevd(load: Load, servers: Servers, folder: Path) -> Iterator[Maglevd]:
    running = Maglevd(load, servers.ports[load.kind], folder)
    try:
        yield running
    finally:
        assert running.process.stop() == 0, running.process.output[-2000:]


def _config(load: Load, port: int) -> str:
    wanted = {"tcp": f"port: {port}", "http": f"port: {port}, params: {{path: /}}", "icmp": ""}[load.kind]
    interval = f"{round(load.interval_s * 1000)}ms" if load.is_repeated else "1h, fast-interval: 100ms"
    # With rise and fall of 1 every backend is steady after its first probe, and one failed probe brings it down.
    rules = f"interval: {interval}, timeout: {TIMEOUT_S}s, rise: 1, fall: 1"
    lines = ["maglev:", "  healthchecks:"]
    lines += [f"    alive: {{type: {load.kind}, {rules}, {wanted}}}"]
    lines += ["  backends:"]
    lines += [f"    {name}: {{address: {address}, healthcheck: alive}}" for name, address in load.addresses()]
    lines += ["  frontends:"]
    for first in range(0, load.backends, EACH):
        members = ", ".join(f"b{n:05}: {{}}" for n in range(first, min(first + EACH, load.backends)))
        where = f"address: {IPv4Address('198.18.0.0') + first // EACH}, protocol: tcp, port: 80"
        lines += [f"    f{first:05}: {{{where}, pools: [{{name: all, backends: {{{members}}}}}]}}"]
    return "\n".join(lines) + "\n"


class Haproxy:
    """As lean as it gets: one thread, no traffic; its log and statistics are not asked for while it is watched."""

    def __init__(self, load: Load, port: int, folder: Path) -> None:
        assert HAPROXY is not None
        config, self._socket = folder / "haproxy.cfg", str(folder / "haproxy.sock")
        self._load = load
        # Left to itself, its TCP check resets the connection before its own handshake is over, so that no server ever
        # sees it; `linger` closes as maglevd does, and costs HAProxy no more.
        check = {"http": ["option httpchk"], "tcp": ["option tcp-check", "tcp-check connect linger"]}[load.kind]
        lines = ["global", "nbthread 1", "no strict-limits", f"stats socket {self._socket}"]
        lines += ["defaults", "mode tcp"]
        lines += [f"timeout {what} {TIMEOUT_S}s" for what in ("connect", "client", "server", "check")]
        lines += ["backend all", *check, f"default-server check inter {round(load.interval_s * 1000)}ms"]
        lines += [f"server {name} {address}:{port}" for name, address in load.addresses()]
        config.write_text("\n".join(lines) + "\n")
        self.process = Program([HAPROXY, "-db", "-f", str(config)], folder / "haproxy.log")
        self.pid = self.process.popen.pid

    def passed(self) -> int:
        """Of how many servers the last check passed."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._socket)
            asking.sendall(b"show stat\n")
            text = "".join(iter(lambda: str(asking.recv(1 << 16), "ascii"), ""))
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        good = {"http": "L7OK", "tcp": "L4OK"}[self._load.kind]
        # The asterisk says that the next check is under way.
        return sum(row["check_status"].removeprefix("* ") == good and row["status"] == "UP" for row in rows)


@contextmanager
def haproxy(load: Load, servers: Servers, folder: Path) -> Iterator[Haproxy]:
    running = Haproxy(load, servers.ports[load.kind], folder)
    try:
        yield running
    finally:
        running.process.stop()


def echo_socket_fault() -> str | None:
    """Why no ICMP socket can be opened here."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except PermissionError:
            continue
        return None
    return "no ICMP socket may be opened: CAP_NET_RAW or net.ipv4.ping_group_range is needed"


def bare_cpu_s(program: Path, servers: Servers, load: Load, count: int) -> float:
    """CPU seconds of `count` probes, each the system calls that it takes and nothing else, one after the other."""
    words = [str(program), load.kind, str(servers.ports[load.kind]), str(load.backends), str(count)]
    return float(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
