"""maglevd as a process: what an operator sees when things are wrong, and that it stops when asked."""

import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.daemon.site import Site
from tests.processes import Process, resident_mb, running, until, until_it_takes_its_signals


def test_without_a_vpp_it_probes_serves_and_says_so_once(site: Site) -> None:
    with running("maglev.entry", site.arguments, site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        assert site.metric("maglev_vpp_connected") == 0
        assert site.ask(lambda client: client.vpp_info()) is None
        maglevd.until_says("vpp-unavailable")
        # The retry comes 5 s after the first try: wait until it was made, seen in the count of nothing but patience.
        with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log"):
            until(lambda: site.weight() == 42, lambda: f"the table in VPP; log:\n{maglevd.output}", maglevd)
            assert maglevd.output.count("vpp-unavailable") == 1
            assert site.metric("maglev_vpp_connected") == 1


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_more_signals_do_not_cut_its_stop_short(site: Site, number: signal.Signals) -> None:
    with running("maglev.entry", site.arguments, site.log) as maglevd:
        maglevd.until_says(" started ")
        assert maglevd.signal_until_it_ends(number) == 0

    assert " stopped " in maglevd.output


def test_a_vpp_that_is_gone_is_told_as_gone(site: Site) -> None:
    with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log") as vpp:
        vpp.until_says(str(site.api))
        with running("maglev.entry", site.arguments, site.log) as maglevd:
            maglevd.until_says(" vpp-connect ")
            assert site.metric("maglev_vpp_connected") == 1
            assert site.ask(lambda client: client.vpp_info()) is not None
            assert vpp.stop() == 0
            maglevd.until_says("vpp-disconnect")
            assert site.metric("maglev_vpp_connected") == 0
            assert site.ask(lambda client: client.vpp_info()) is None


@pytest.mark.parametrize("megabytes", [0, 4, 8, 12, 16, 20, 24, 28, 32])
def test_an_interrupt_while_it_starts_is_no_traceback(site: Site, megabytes: int) -> None:
    """SIGINT at nine points of the start, told apart by how much was imported; before them Python itself starts."""
    with running("maglev.entry", site.arguments, site.log) as maglevd:
        until_it_takes_its_signals(maglevd)
        begun = resident_mb(maglevd.popen.pid)
        until(
            lambda: resident_mb(maglevd.popen.pid) >= begun + megabytes or " started " in maglevd.output,
            lambda: "it to grow",
            maglevd,
        )
        maglevd.signal(signal.SIGINT)
        assert maglevd.wait() in (0, -signal.SIGINT), maglevd.output

    assert "Traceback" not in maglevd.output


def test_a_port_in_use_is_one_line_and_status_3(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.metrics_port)):
        maglevd = Process("maglev.entry", site.arguments, site.log)
        assert maglevd.wait() == 3

    (line,) = [line for line in maglevd.output.splitlines() if " ERROR failed " in line]
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


def test_a_missing_namespace_is_told_and_maglevd_goes_on(site: Site) -> None:
    text = site.config.read_text().replace("startup-max-delay: 30s", "startup-max-delay: 2s")
    site.config.write_text(text + "\n  healthchecker: {netns: maglev-test-none}\n")
    with running("maglev.entry", site.arguments, site.log) as maglevd:
        maglevd.until_says("cannot enter network namespace maglev-test-none")
        maglevd.until_says("WARNING warmup-over unknown=1 such_as=a ")
        assert site.state() == "unknown"
        assert maglevd.stop() == 0
    assert "WARNING probe-inconclusive backend=a type=http code=SOCKERR" in maglevd.output


def test_a_vpp_without_a_needed_message_is_one_line_and_status_3(site: Site) -> None:
    behind = site.directory / "behind.sock"
    arguments = ["--api-socket", str(behind), "--stats-socket", str(site.stats)]
    with running("maglev.emulator", arguments, site.directory / "vpp.log") as vpp:
        vpp.until_says(str(behind))
        with _altering(site.api, behind, b"lb_as_set_weight_2d89bdbd", b"lb_as_set_weight_12345678"):
            maglevd = Process("maglev.entry", site.arguments, site.log)
            assert maglevd.wait() == 3

    (line,) = [line for line in maglevd.output.splitlines() if " ERROR failed " in line]
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
