"""maglevd as a process: what an operator sees when things are wrong, and that it stops when asked."""

import re
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import pytest

from maglev.cli.client import Client
from maglev.errors import MaglevError
from tests.processes import Process, running, until

T = TypeVar("T")

CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", startup-min-delay: 0s,
         startup-max-delay: 30s, stats-interval: 100ms}}
  healthchecks:
    web: {{type: http, port: {port}, interval: 100ms, timeout: 1s, params: {{path: /}}}}
  backends:
    a: {{address: 127.0.0.1, healthcheck: web}}
  frontends:
    www: {{address: 192.0.2.1, protocol: tcp, port: 80, pools: [{{name: main, backends: {{a: {{weight: 42}}}}}}]}}
"""


class _Ok(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ok) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class Site:
    """A directory with a config and the sockets of a VPP that may or may not be there."""

    def __init__(self, directory: Path, backend_port: int) -> None:
        self.directory = directory
        self.config = directory / "maglev.yaml"
        self.config.write_text(CONFIG.format(port=backend_port))
        self.api, self.stats = directory / "api.sock", directory / "stats.sock"
        self.log = directory / "maglevd.log"
        self.grpc = f"unix:{directory}/grpc.sock"
        self.metrics_port = free_port()

    @property
    def arguments(self) -> list[str]:
        return [
            *("--config", str(self.config), "--grpc-addr", self.grpc),
            *("--metrics-addr", f"127.0.0.1:{self.metrics_port}"),
            *("--vpp-api-addr", str(self.api), "--vpp-stats-addr", str(self.stats)),
        ]

    @property
    def vpp_arguments(self) -> list[str]:
        return ["--api-socket", str(self.api), "--stats-socket", str(self.stats), "--workers", "1"]

    def weight(self) -> int | None:
        """The weight that VPP's table has for the backend, by maglevd's account."""
        state = self.ask(lambda client: client.lb_state())
        return next((b.weight for vip in state.vips for b in vip.application_servers), None) if state else None

    def state(self) -> str:
        backend = self.ask(lambda client: client.backend("a"))
        return backend.state if backend else ""

    def ask(self, call: Callable[[Client], T]) -> T | None:
        with Client(self.grpc, 5) as client:
            try:
                return call(client)
            except MaglevError:
                return None

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            return str(answer.read(), "utf-8")


@pytest.fixture
def site(tmp_path: Path, backend: int) -> Site:
    return Site(tmp_path, backend)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_without_a_vpp_it_probes_serves_and_says_so_once(site: Site) -> None:
    with running("maglev.entry", site.arguments, site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        assert "maglev_vpp_connected 0.0" in site.metrics()
        assert site.ask(lambda client: client.vpp_info()) is None
        maglevd.until_says("vpp-unavailable")
        # The retry comes 5 s after the first try: wait until it was made, seen in the count of nothing but patience.
        with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log"):
            until(lambda: site.weight() == 42, lambda: f"the table in VPP; log:\n{maglevd.output}", maglevd)
            assert maglevd.output.count("vpp-unavailable") == 1
            assert "maglev_vpp_connected 1.0" in site.metrics()


def test_a_vpp_that_comes_back_empty_gets_its_table_again(site: Site) -> None:
    with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp1.log") as vpp:
        vpp.until_says(str(site.api))
        with running("maglev.entry", site.arguments, site.log) as maglevd:
            until(lambda: site.weight() == 42, lambda: f"the table in VPP; log:\n{maglevd.output}", maglevd)
            vpp.signal(signal.SIGKILL)
            vpp.wait()
            until(lambda: "vpp-disconnect" in maglevd.output, lambda: "the loss to be seen", maglevd)
            assert site.weight() is None
            assert "maglev_vpp_vip_packets_total{" not in site.metrics()
            with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp2.log"):
                until(lambda: site.weight() == 42, lambda: f"the table again; log:\n{maglevd.output}", maglevd)
                assert maglevd.output.count(" vpp-connect ") == 2


def test_sigterm_stops_it_and_leaves_the_table(site: Site) -> None:
    with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log") as vpp:
        vpp.until_says(str(site.api))
        with running("maglev.entry", site.arguments, site.log) as maglevd:
            until(lambda: site.weight() == 42, lambda: "the table in VPP", maglevd)
            maglevd.signal(signal.SIGTERM)
            assert maglevd.wait() == 0
            assert "Traceback" not in maglevd.output
        with running("maglev.entry", site.arguments, site.directory / "second.log") as second:
            until(lambda: site.weight() == 42, lambda: "the table in VPP", second)
            assert "vpp-programmed" not in second.output  # all of it was still there


def test_sighup_is_answered_and_does_not_kill_it(site: Site) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        maglevd.until_says(" started ")
        maglevd.signal(signal.SIGHUP)
        maglevd.until_says("restart it")
        assert maglevd.stop() == 0


@pytest.mark.parametrize("megabytes", [0, 4, 8, 12, 16, 20, 24, 28, 32])
def test_an_interrupt_while_it_starts_is_no_traceback(site: Site, megabytes: int) -> None:
    """SIGINT at nine points of the start, told apart by how much was imported; before them Python itself starts."""
    with running("maglev.entry", site.arguments, site.log) as maglevd:
        until(lambda: _leaves_sigint_to_the_kernel(maglevd.popen.pid), lambda: "our first line to run", maglevd)
        begun = _resident_mb(maglevd.popen.pid)
        until(
            lambda: _resident_mb(maglevd.popen.pid) >= begun + megabytes or " started " in maglevd.output,
            lambda: "it to grow",
            maglevd,
        )
        maglevd.signal(signal.SIGINT)
        assert maglevd.wait() in (0, -signal.SIGINT), maglevd.output

    assert "Traceback" not in maglevd.output


def _resident_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) // 256


def _leaves_sigint_to_the_kernel(pid: int) -> bool:
    """Whether Python is up (it catches SIGINT from early on) and our entry has given SIGINT back."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.findall(r"SigCgt:\s+(\w+)", status)[0], 16)
    ignored = int(re.findall(r"SigIgn:\s+(\w+)", status)[0], 16)
    is_up = bool(ignored & 1 << (signal.SIGPIPE - 1))
    return is_up and not caught & 1 << (signal.SIGINT - 1) and _resident_mb(pid) > 8


def test_a_port_in_use_is_one_line_and_status_3(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.metrics_port)):
        maglevd = Process("maglev.entry", site.arguments, site.log)
        assert maglevd.wait() == 3

    (line,) = [line for line in maglevd.output.splitlines() if line.startswith("maglevd:")]
    assert f"127.0.0.1:{site.metrics_port}" in line
    assert "Traceback" not in maglevd.output


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("maglev: [", 1, "not YAML"),
        ("maglev: {frontends: 7, nonsense: 1}", 2, "nonsense"),
        (None, 1, "No such file"),
    ],
)
@pytest.mark.parametrize("flag", [[], ["--check"]])
def test_a_bad_config_is_told_and_ends_it(
    site: Site, text: str | None, status: int, said: str, flag: list[str]
) -> None:
    site.config.unlink() if text is None else site.config.write_text(text)
    maglevd = Process("maglev.entry", [*site.arguments, *flag], site.log)

    assert maglevd.wait() == status
    assert said in maglevd.output
    assert str(site.config) in maglevd.output
    assert "Traceback" not in maglevd.output


def test_check_accepts_a_good_config(site: Site) -> None:
    maglevd = Process("maglev.entry", [*site.arguments, "--check"], site.log)
    assert maglevd.wait() == 0
    assert "valid, 1 frontends, 1 backends" in maglevd.output


def test_a_namespace_is_refused_rather_than_probed_from_the_wrong_one(site: Site) -> None:
    site.config.write_text(site.config.read_text() + "\n  healthchecker: {netns: blue}\n")
    maglevd = Process("maglev.entry", site.arguments, site.log)
    assert maglevd.wait() == 3
    assert re.search(r"^maglevd: healthchecker.netns is not supported.*blue", maglevd.output, re.MULTILINE)


def test_a_vpp_without_a_needed_message_is_one_line_and_status_3(site: Site) -> None:
    behind = site.directory / "behind.sock"
    arguments = ["--api-socket", str(behind), "--stats-socket", str(site.stats)]
    with running("maglev.emulator", arguments, site.directory / "vpp.log") as vpp:
        vpp.until_says(str(behind))
        with _altering(site.api, behind, b"lb_as_set_weight_2d89bdbd", b"lb_as_set_weight_12345678"):
            maglevd = Process("maglev.entry", site.arguments, site.log)
            assert maglevd.wait() == 3

    (line,) = [line for line in maglevd.output.splitlines() if line.startswith("maglevd:")]
    assert "missing=lb_as_set_weight_2d89bdbd" in line
    assert "26.10" in line
    assert "Traceback" not in maglevd.output


@contextmanager
def _altering(path: Path, behind: Path, old: bytes, new: bytes) -> Iterator[None]:
    """A VPP API socket whose handshake, the first message from behind, has `new` for `old`; the rest goes through."""

    def relay(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(behind))
            server.sendall(client.recv(65536))
            head = server.recv(16, socket.MSG_WAITALL)
            body = server.recv(int.from_bytes(head[8:12], "big"), socket.MSG_WAITALL)
            assert old in body
            client.sendall(head + body.replace(old, new))
            thread = threading.Thread(target=relay, args=(client, server))
            thread.start()
            relay(server, client)
            thread.join()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield
        thread.join()


def test_log_lines_have_time_level_name_and_fields(site: Site) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        maglevd.until_says("frontend-transition")
    transition = next(line for line in maglevd.output.splitlines() if "backend-transition" in line)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO backend-transition backend=a address=127.0.0.1 "
        r'from=unknown to=up code=L7OK detail="[^"]+"',
        transition,
    ), transition
