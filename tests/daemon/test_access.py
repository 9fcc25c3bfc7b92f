"""maglevd as a process, and who may come in: its flags, its sockets, and the audit records that orders leave."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import grpc
import pytest

from maglev.cli.client import Client
from maglev.core.orders import ACTIONS
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.access import FOR_OPERATORS
from tests.daemon.site import Site, free_port
from tests.probes.spaces import ip, namespace, needs_root
from tests.processes import Program, running, until
from tests.rpc import authorities, clients
from tests.rpc.authorities import Folder

PAUSE = pb.BackendRequest(name="a").SerializeToString()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return authorities.make(tmp_path / "certificates")


def arguments(site: Site, address: str, *more: str) -> list[str]:
    """Of a maglevd without VPP."""
    return [*site.arguments, "--vpp-api-addr", "", "--grpc-addr", address, *more]


def audits(log: str) -> list[str]:
    return [line.partition(" ")[2] for line in log.splitlines() if " audit who=" in line]


def test_each_order_leaves_one_audit_line_and_is_counted(site: Site, folder: Folder) -> None:
    port = free_port()
    tls = ["--grpc-tls-cert", folder.crt("server"), "--grpc-tls-key", folder.key("server")]
    names = ["--grpc-client-ca", folder.crt("ca"), "--grpc-operators", "alice", "--grpc-viewers", "bob"]
    address = f"127.0.0.1:{port}"
    with running("maglev.entry", arguments(site, f"{site.grpc},{address}", *tls, *names), site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        for client in ("alice", "bob", "server"):
            with clients.tls(address, folder, client=client) as channel:
                clients.code(channel, "PauseBackend", PAUSE)
        with clients.plain(site.grpc) as channel:
            clients.call(channel, "ResumeBackend", PAUSE, says="root")
            clients.code(channel, "PauseBackend", pb.BackendRequest(name="b").SerializeToString())
        maglevd.signal(signal.SIGHUP)
        maglevd.until_says("who=SIGHUP")
        found = audits(maglevd.output)
        counted = [line for line in site.metrics().splitlines() if line.startswith("maglev_orders_total{")]

    by_alice, by_bob, by_server, resumed, unknown, signalled = found
    assert by_alice.startswith('INFO audit who="certificate alice" from=127.0.0.1:')
    assert by_alice.endswith(' action=PauseBackend what="backend a" before=up after=paused result=ok times=1')
    assert by_bob.startswith('WARNING audit who="certificate bob" from=127.0.0.1:')
    assert 'result="PERMISSION_DENIED: PauseBackend is for operators, and certificate bob is a viewer here; ' in by_bob
    assert by_server.startswith('WARNING audit who="certificate server" from=127.0.0.1:')
    assert 'result="PERMISSION_DENIED: certificate server may not call anything here; ' in by_server
    assert resumed == (
        'INFO audit who="unix socket" from=unix says=root action=ResumeBackend what="backend a"'
        " before=paused after=unknown result=ok times=1"
    )
    assert ' what="backend b" before=none after=none result="NOT_FOUND: there is no backend called \'b\'' in unknown
    assert (
        signalled == 'INFO audit who=SIGHUP from="" says="" action=ReloadConfig what=config before=none'
        ' after="nothing else than before" result=ok times=1'
    )
    assert len(counted) == 3 * len(ACTIONS)
    assert sorted(line for line in counted if not line.endswith(" 0")) == [
        'maglev_orders_total{action="PauseBackend",result="denied"} 2',
        'maglev_orders_total{action="PauseBackend",result="ok"} 1',
        'maglev_orders_total{action="PauseBackend",result="refused"} 1',
        'maglev_orders_total{action="ReloadConfig",result="ok"} 1',
        'maglev_orders_total{action="ResumeBackend",result="ok"} 1',
    ]


def test_an_audit_record_is_in_the_log_at_any_level(site: Site) -> None:
    with running("maglev.entry", arguments(site, site.grpc, "--log-level", "error"), site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        with clients.plain(site.grpc) as channel:
            clients.call(channel, "PauseBackend", PAUSE)
        maglevd.until_says(" action=PauseBackend ")

    assert [line.partition(" ")[2][:10] for line in maglevd.output.splitlines()] == ["INFO audit"]


def test_each_rpc_of_the_api_is_for_those_whom_the_matrix_names(site: Site, folder: Folder) -> None:
    methods = pb.DESCRIPTOR.services_by_name["Maglev"].methods_by_name
    tls = ["--grpc-tls-cert", folder.crt("server"), "--grpc-tls-key", folder.key("server")]
    names = ["--grpc-client-ca", folder.crt("ca"), "--grpc-operators", "alice", "--grpc-viewers", "bob"]
    address = f"127.0.0.1:{free_port()}"
    denied: dict[str, set[str]] = {}
    with running("maglev.entry", arguments(site, address, *tls, *names), site.log) as maglevd:
        maglevd.until_says(" started ")
        for client in ("alice", "bob", "server"):
            with clients.tls(address, folder, client=client) as channel:
                asked = [name for name, method in methods.items() if client == "server" or not method.server_streaming]
                denied[client] = {
                    name for name in asked if clients.code(channel, name) is grpc.StatusCode.PERMISSION_DENIED
                }
        with clients.plain(address) as channel:
            assert clients.code(channel, "ListFrontends") is grpc.StatusCode.UNAVAILABLE
        log = maglevd.output

    assert denied == {"alice": set(), "bob": FOR_OPERATORS, "server": set(methods)}
    assert len(audits(log)) == 3 * len(ACTIONS)
    assert "handshake" not in log.lower()  # a stranger writes no lines


def test_orders_while_it_stops_are_on_record_each_once(site: Site) -> None:
    with running("maglev.entry", arguments(site, site.grpc), site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        answered: list[str] = []

        def give_orders(giver: str) -> None:
            for number in range(100_000):
                says = f"{giver}-{number}"
                try:
                    with clients.plain(site.grpc) as channel:
                        clients.call(channel, "EnableBackend", PAUSE, says=says)
                except grpc.RpcError as error:
                    if "maglev-refused" not in [each.key for each in error.trailing_metadata() or ()]:
                        return  # there is no maglevd any more
                answered.append(says)

        threads = [Thread(target=give_orders, args=(f"giver{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        maglevd.signal(signal.SIGTERM)
        assert maglevd.wait() == 0, maglevd.output
        for thread in threads:
            thread.join()

    said = [line.partition(" says=")[2].partition(" ")[0] for line in audits(maglevd.output)]
    assert len(said) == len(set(said))
    assert set(answered) <= set(said)


@pytest.mark.parametrize(
    ("address", "flags", "said"),
    [
        (":{port}", [], ":{port} is reached from elsewhere"),
        ("127.0.0.1:{port}", ["--grpc-tls-cert", "/nonexistent"], "--grpc-tls-cert without --grpc-tls-key"),
        ("127.0.0.1:{port}", ["--grpc-tls-cert", "/no", "--grpc-tls-key", "/no"], "cannot read /no: No such file"),
        ("127.0.0.1:{port}", ["--grpc-operators", "alice"], "none is asked for"),
        ("{unix}", ["--grpc-insecure"], "--grpc-insecure is for TCP"),
        ("", ["--grpc-insecure"], "--grpc-insecure is for TCP"),
        ("127.0.0.1", [], "cannot listen on '127.0.0.1'"),
    ],
)
def test_wrong_flags_end_it_before_anything_is_started(site: Site, address: str, flags: list[str], said: str) -> None:
    port = free_port()
    where = address.format(port=port, unix=site.grpc)
    with running("maglev.entry", arguments(site, where, *flags), site.log) as maglevd:
        assert maglevd.wait() == 2

    assert said.format(port=port) in maglevd.output
    assert maglevd.output.count("\n") == 1


def test_the_default_address_is_a_unix_socket_and_loopback(site: Site) -> None:
    words = [sys.executable, "-m", "maglev.entry", "--help"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout

    assert "unix:/run/maglev/maglevd.sock,127.0.0.1:9090" in "".join(told.split())


def test_a_socket_directory_that_cannot_be_made_ends_it(site: Site) -> None:
    with running("maglev.entry", arguments(site, "unix:/proc/maglev/maglevd.sock"), site.log) as maglevd:
        assert maglevd.wait() == 3

    assert "there is no directory /proc/maglev, and making it failed" in maglevd.output
    assert "--grpc-addr chooses another" in maglevd.output


def test_maglevc_is_served_on_a_unix_socket_whose_directory_maglevd_made(site: Site) -> None:
    address = f"unix:{site.directory}/run/maglevd.sock"
    with running("maglev.entry", arguments(site, address), site.log) as maglevd:
        maglevd.until_says(" started ")
        words = [sys.executable, "-m", "maglev.cli.main", "--server", address, "show", "frontends"]
        shown = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
        maglevd.stop()

    assert "www" in shown
    assert os.listdir(site.directory / "run") == []


def test_the_login_name_goes_with_each_call_of_maglevcs_client(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "opérator one")
    with Client(site.grpc, 5) as client:
        assert client._metadata == (("maglev-user", "oprator one"),)


@needs_root
def test_from_elsewhere(site: Site, folder: Folder) -> None:
    """A namespace with an address besides loopback: who calls from that is no caller from this machine's loopback."""
    tls = ("--grpc-tls-cert", folder.crt("server"), "--grpc-tls-key", folder.key("server"))
    with namespace() as name:
        ip("-n", name, "address", "add", "192.0.2.9/24", "dev", "lo")

        def ask(method: str, host: str, ca: str = "") -> str:
            words = [
                "ip",
                "netns",
                "exec",
                name,
                sys.executable,
                "-m",
                "tests.daemon.asking",
                f"{host}:9090",
                method,
                ca,
            ]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
            return done.stdout.strip()

        def asked(*flags: str, ca: str = "") -> list[str]:
            command = [sys.executable, "-m", "maglev.entry", *arguments(site, ":9090", *flags)]
            maglevd = Program(["ip", "netns", "exec", name, *command], site.log)
            try:
                maglevd.until_says(" started ")
                return [
                    ask(method, host, ca)
                    for host in ("192.0.2.9", "127.0.0.1")
                    for method in ("ListBackends", "PauseBackend")
                ]
            finally:
                maglevd.stop()

        assert asked(*tls, ca=folder.crt("ca")) == ["OK", "PERMISSION_DENIED", "OK", "OK"]
        assert "who=anybody from=192.0.2.9:" in site.log.read_text()
        assert asked("--grpc-insecure") == ["OK", "OK", "OK", "OK"]
        assert "WARNING grpc-access told=" in site.log.read_text()
