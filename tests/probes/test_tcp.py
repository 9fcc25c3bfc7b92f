import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from maglev.core.model import TcpSpec, Tls
from maglev.probes import opening
from maglev.probes.opening import _bind
from maglev.probes.verdict import Target
from tests.probes import peers
from tests.probes.peers import LOCALHOST, UNVERIFIED, check, peer, probe


async def test_an_open_port_passes() -> None:
    async with peer(peers.silent) as port:
        result = await probe(check(TcpSpec(port, None)), LOCALHOST)

    assert (result.passed, result.code) == (True, "L4OK")
    assert result.duration_s >= 0


async def test_an_open_port_passes_over_ipv6(ipv6: str) -> None:
    async with peer(peers.silent, ipv6) as port:
        result = await probe(check(TcpSpec(port, None)), ip_address(ipv6))

    assert (result.passed, result.code) == (True, "L4OK")


async def test_a_closed_port_is_no_connection() -> None:
    result = await probe(check(TcpSpec(peers.closed_port(), None)), LOCALHOST)

    assert (result.passed, result.code) == (False, "L4CON")
    assert result.detail == "cannot connect: Connection refused"


async def test_a_port_that_does_not_answer_is_a_timeout_of_the_connection(patient_clock: MockClock) -> None:
    with peers.deaf_port() as port:
        result = await probe(check(TcpSpec(port, None), timeout_s=0.25), LOCALHOST)

    assert (result.passed, result.code) == (False, "L4TOUT")
    assert result.detail == "no connection within 0.25 s"
    assert result.duration_s == pytest.approx(0.25)
    assert patient_clock.current_time() > 0


async def test_the_probe_comes_from_the_source_address_of_the_check() -> None:
    seen: list[str] = []

    async def notes_source(stream: peers.Stream) -> None:
        assert isinstance(stream, trio.SocketStream)
        seen.append(stream.socket.getpeername()[0])
        await peers.says(peers.OK)(stream)

    async with peer(notes_source) as port:
        result = await probe(check(peers.get(port), ipv4_source=IPv4Address("127.0.0.77")), LOCALHOST)
        await wait_all_tasks_blocked()

    assert result.passed
    assert seen == ["127.0.0.77"]


async def test_a_source_address_takes_no_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that did would do for 28,000 probes at a time; the same port serves connections to many backends."""
    ports: list[int] = []

    def noted(sock: socket.socket, target: Target, kind: int) -> None:
        _bind(sock, target, kind)
        ports.append(sock.getsockname()[1])

    monkeypatch.setattr(opening, "_bind", noted)
    async with peer(peers.silent) as port:
        result = await probe(check(TcpSpec(port, None), ipv4_source=IPv4Address("127.0.0.77")), LOCALHOST)

    assert result.passed
    assert ports == [0]


async def test_a_source_address_of_the_other_family_is_not_used() -> None:
    async with peer(peers.silent) as port:
        result = await probe(check(TcpSpec(port, None), ipv6_source=IPv6Address("2001:db8::1")), LOCALHOST)

    assert result.passed


async def test_a_network_without_a_route_is_no_connection() -> None:
    result = await probe(check(TcpSpec(80, None), timeout_s=5), IPv4Address("255.255.255.255"))

    assert (result.passed, result.code) == (False, "L4CON")


async def test_a_probe_that_meets_itself_does_not_pass() -> None:
    port = peers.closed_port()

    def bound_to_the_target(family: int, kind: int, protocol: int) -> socket.socket:
        sock = socket.socket(family, kind, protocol)
        sock.bind((str(LOCALHOST), port))
        return sock

    peers.make_sockets_with(bound_to_the_target)
    result = await probe(check(TcpSpec(port, None)), LOCALHOST)

    assert (result.passed, result.code) == (False, "L4CON")
    assert "met itself" in result.detail


async def test_a_finished_handshake_passes(certificate: Path) -> None:
    async with peer(peers.silent, certificate=certificate) as port:
        result = await probe(check(TcpSpec(port, UNVERIFIED)), LOCALHOST)

    assert (result.passed, result.code) == (True, "L6OK")
    assert result.detail == "handshake done, TLSv1.3"


async def test_a_trusted_certificate_with_the_right_name_passes(trusted: Path) -> None:
    async with peer(peers.silent, certificate=trusted) as port:
        result = await probe(check(TcpSpec(port, Tls("www.example.org", verify=True))), LOCALHOST)

    assert (result.passed, result.code) == (True, "L6OK")


async def test_a_trusted_certificate_passes_without_a_name_to_compare(trusted: Path) -> None:
    async with peer(peers.silent, certificate=trusted) as port:
        result = await probe(check(TcpSpec(port, Tls(None, verify=True))), LOCALHOST)

    assert (result.passed, result.code) == (True, "L6OK")


async def test_a_certificate_of_another_name_fails(trusted: Path) -> None:
    async with peer(peers.silent, certificate=trusted) as port:
        result = await probe(check(TcpSpec(port, Tls("other.example.org", verify=True))), LOCALHOST)

    assert (result.passed, result.code) == (False, "L6RSP")
    assert "Hostname mismatch" in result.detail


async def test_a_wrong_name_passes_when_nothing_is_verified(certificate: Path) -> None:
    async with peer(peers.silent, certificate=certificate) as port:
        result = await probe(check(TcpSpec(port, Tls("other.example.org", verify=False))), LOCALHOST)

    assert (result.passed, result.code) == (True, "L6OK")


async def test_a_self_signed_certificate_fails(certificate: Path) -> None:
    async with peer(peers.silent, certificate=certificate) as port:
        result = await probe(check(TcpSpec(port, Tls("www.example.org", verify=True))), LOCALHOST)

    assert (result.passed, result.code) == (False, "L6RSP")
    assert result.detail == "TLS handshake failed: self-signed certificate"


async def test_a_server_that_speaks_no_tls_fails_the_handshake() -> None:
    async def greets(stream: peers.Stream) -> None:
        await stream.send_all(b"220 mail.example.org ESMTP\r\n")
        await peers.silent(stream)

    async with peer(greets) as port:
        result = await probe(check(TcpSpec(port, UNVERIFIED)), LOCALHOST)

    assert (result.passed, result.code) == (False, "L6RSP")
    assert result.detail == "TLS handshake failed: wrong version number"


async def test_an_early_close_fails_the_handshake() -> None:
    async def closes_after_hello(stream: peers.Stream) -> None:
        await stream.receive_some(4096)

    async with peer(closes_after_hello) as port:
        result = await probe(check(TcpSpec(port, UNVERIFIED)), LOCALHOST)

    assert (result.passed, result.code) == (False, "L6RSP")
    assert result.detail == "TLS handshake failed: closed by the peer"


async def test_a_reset_fails_the_handshake() -> None:
    async with peer(peers.resets_at_once) as port:
        result = await probe(check(TcpSpec(port, UNVERIFIED)), LOCALHOST)

    assert (result.passed, result.code) == (False, "L6RSP")


async def test_a_silent_server_is_a_timeout_of_the_handshake(patient_clock: MockClock) -> None:
    async with peer(peers.silent) as port:
        result = await probe(check(TcpSpec(port, UNVERIFIED), timeout_s=3), LOCALHOST)

    assert (result.passed, result.code) == (False, "L6TOUT")
    assert result.detail == "no complete TLS handshake within 3 s"
    assert patient_clock.current_time() >= 3


async def test_a_connection_that_is_not_used_is_reset_and_leaves_nothing_behind() -> None:
    """Closed in the usual way it would stay in TIME_WAIT here for a minute."""
    ends: list[str] = []
    seen = trio.Event()

    async def notes_end(stream: peers.Stream) -> None:
        try:
            ends.append("closed" if await stream.receive_some(1) == b"" else "data")
        except trio.BrokenResourceError:
            ends.append("reset")
        seen.set()

    async with peer(notes_end) as port:
        assert (await probe(check(TcpSpec(port, None)), LOCALHOST)).passed
        with trio.fail_after(10):
            await seen.wait()

    assert ends == ["reset"]
