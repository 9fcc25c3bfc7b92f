"""maglevd as a process under something that listens as systemd does."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import Site
from tests.processes import DEADLINE_S, running


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        yield listening


def until_told(systemd: socket.socket, pattern: str) -> str:
    """The next datagram that fits, of the many that feed the watchdog; in bounded time."""
    deadline = time.monotonic() + DEADLINE_S
    while not re.match(pattern, message := systemd.recv(4096).decode(), re.DOTALL):
        assert time.monotonic() < deadline, f"{pattern} was not told"
    return message


def test_from_the_start_to_the_stop(site: Site, systemd: socket.socket) -> None:
    first = site.config.read_text()
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        assert until_told(systemd, "READY=1").splitlines()[1].startswith("STATUS=no VPP; up: ")
        assert site.state() != "", "ready means that it serves"
        until_told(systemd, "WATCHDOG=1")

        off = site.call("DisableBackend", pb.BackendRequest(name="a"), pb.BackendInfo)
        assert off.state == "disabled"
        until_told(systemd, r"STATUS=no VPP; up: 0 of 1 frontends, 0 of 1 backends$")
        until_told(systemd, "WATCHDOG=1")  # nobody is probed, so nothing is missing

        site.config.write_text(first.replace("weight: 42", "weight: 420"))
        maglevd.signal(signal.SIGHUP)
        until_told(systemd, r"RELOADING=1\nMONOTONIC_USEC=\d+$")
        refused = until_told(systemd, "READY=1")
        assert "the configuration file is refused, the one before is used: " in refused
        assert "weight" in refused

        site.config.write_text(first)
        maglevd.signal(signal.SIGHUP)
        until_told(systemd, "RELOADING=1")
        assert "refused" not in until_told(systemd, "READY=1")

        maglevd.signal(signal.SIGTERM)
        until_told(systemd, "STOPPING=1")
        assert maglevd.wait() == 0


def test_a_start_that_fails_was_never_ready(site: Site, systemd: socket.socket) -> None:
    with (
        socket.create_server(("127.0.0.1", site.metrics_port)),
        running("maglev.entry", site.arguments, site.log) as it,
    ):
        assert it.wait() == 3

    systemd.settimeout(0)
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)


def test_an_abort_leaves_where_each_thread_stood(site: Site, systemd: socket.socket) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        until_told(systemd, "READY=1")
        os.kill(maglevd.popen.pid, signal.SIGABRT)
        assert maglevd.wait() == -signal.SIGABRT

    assert "Fatal Python error: Aborted" in maglevd.output
    assert maglevd.output.count("hread 0x") > 1
    assert "in _run" in maglevd.output or "in run" in maglevd.output
