"""What probes that share one ICMP socket owe each other: their own reply, their own error, and no trace."""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address

import pytest
import trio
from trio.testing import MockClock

from maglev.core.model import IcmpSpec, IPAddress, ProbeResult
from maglev.probes import Prober, echoes
from maglev.probes.icmp import checksum
from tests.probes.peers import LOCALHOST, check, make_sockets_with, outcome, probe, prober
from tests.probes.spaces import ip, namespace, needs_root, run_inside
from tests.probes.test_icmp import Kernel, deaf_socket, needs_icmp

OURS = (None, "SOCKERR")


async def many(subject: Prober, addresses: list[IPAddress], timeout_s: float = 30.0) -> dict[IPAddress, ProbeResult]:
    results: dict[IPAddress, ProbeResult] = {}

    async def one(address: IPAddress) -> None:
        results[address] = await subject.probe(check(IcmpSpec(), timeout_s), address)

    async with trio.open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(one, address)
    return results


@needs_icmp
async def test_all_probes_of_one_family_and_source_share_one_socket() -> None:
    kernel = Kernel({})
    hosts: list[IPAddress] = [IPv4Address("127.0.1.0") + n for n in range(1000)]
    async with prober() as subject:
        results = await many(subject, hosts)
        assert {outcome(result) for result in results.values()} == {(True, "L4OK")}
        assert len(results) == 1000
        assert kernel.asked in ([socket.SOCK_DGRAM], [socket.SOCK_DGRAM, socket.SOCK_RAW])
        before = len(kernel.asked)
        source = check(IcmpSpec(), ipv4_source=IPv4Address("127.0.0.77"))
        assert (await subject.probe(source, LOCALHOST)).passed
        assert len(kernel.asked) == 2 * before
        assert waiting(subject) == 0


def waiting(subject: Prober) -> int:
    assert subject._echoes is not None
    return sum(len(line._waiting) for line in subject._echoes._lines.values())


@needs_icmp
async def test_a_probe_that_is_late_or_cancelled_leaves_nothing_behind(patient_clock: MockClock) -> None:
    make_sockets_with(deaf_socket)
    async with prober() as subject:
        assert outcome(await subject.probe(check(IcmpSpec(), 1), LOCALHOST)) == (False, "L4TOUT")
        with trio.move_on_after(1):
            await subject.probe(check(IcmpSpec(), 60), LOCALHOST)
        assert waiting(subject) == 0


@pytest.fixture
def island() -> Iterator[str]:
    """A namespace with one host, and the ways in which there is no way to others."""
    with namespace() as name:
        ip("-n", name, "address", "add", "192.0.2.1/32", "dev", "lo")
        ip("-n", name, "route", "add", "unreachable", "198.51.100.0/24")
        ip("-n", name, "route", "add", "prohibit", "203.0.113.0/24")
        yield name


@needs_root
@pytest.mark.parametrize("target", ["198.51.100.1", "203.0.113.1", "233.252.0.1"])
async def test_a_host_without_a_way_to_it_is_no_connection(island: str, target: str) -> None:
    result = await probe(check(IcmpSpec()), IPv4Address(target), island)

    assert outcome(result) == (False, "L4CON")


@needs_root
async def test_the_error_of_one_is_not_the_error_of_all(island: str) -> None:
    """Errors wait in the socket that all share, and the kernel tells them to whoever comes next."""
    ip("-n", island, "address", "add", "192.0.2.9/32", "dev", "lo")
    good: list[IPAddress] = [IPv4Address("192.0.2.9"), IPv4Address("192.0.2.1")]
    bad: list[IPAddress] = [IPv4Address("198.51.100.1"), IPv4Address("203.0.113.1")]
    async with prober(island) as subject:
        for _ in range(20):
            results = await many(subject, [bad[0], good[0], bad[1], good[1]])
            assert {address for address, result in results.items() if result.passed} == set(good)


@pytest.fixture(params=["raw", "ping"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of ICMP sockets: whether the kernel lets us have one of its ping sockets is a matter of the namespace."""
    return str(request.param)


@pytest.fixture
def near(kind: str) -> Iterator[str]:
    """A namespace with a wire to another one, a router that has no way on to 198.51.100.0/24 and says so."""
    with namespace() as near, namespace() as far:
        ip("-n", near, "link", "add", "left", "type", "veth", "peer", "name", "right", "netns", far)
        ip("-n", near, "address", "add", "192.0.2.1/24", "dev", "left")
        ip("-n", far, "address", "add", "192.0.2.2/24", "dev", "right")
        ip("-n", near, "link", "set", "left", "up")
        ip("-n", far, "link", "set", "right", "up")
        ip("netns", "exec", far, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        groups = "0 0" if kind == "ping" else "1 0"
        ip("netns", "exec", near, "sysctl", "-qw", f"net.ipv4.ping_group_range={groups}")
        for name, wire, address in ((near, "left", "2001:db8::1/64"), (far, "right", "2001:db8::2/64")):
            ip("-n", name, "address", "add", address, "dev", wire, "nodad")
        ip("-n", near, "route", "add", "2001:db8:1::/64", "via", "2001:db8::2")
        ip("-n", far, "route", "add", "unreachable", "2001:db8:1::/64")
        ip("-n", near, "route", "add", "198.51.100.0/24", "via", "192.0.2.2")
        ip("-n", far, "route", "add", "unreachable", "198.51.100.0/24")
        yield near


@needs_root
@pytest.mark.parametrize(
    ("router", "target"), [("192.0.2.2", "198.51.100.7"), ("2001:db8::2", "2001:db8:1::7")], ids=["ipv4", "ipv6"]
)
async def test_what_a_router_answers_is_told_at_once(
    near: str, kind: str, router: str, target: str, patient_clock: MockClock
) -> None:
    host, lost = ip_address(router), ip_address(target)
    async with prober(near) as subject:
        results = await many(subject, [lost, host, lost + 1])
        assert subject._echoes is not None
        (line,) = subject._echoes._lines.values()
        assert line._is_raw is (kind == "raw")

    assert results[host].passed
    for address in (lost, lost + 1):
        assert outcome(results[address]) == (False, "L4CON")
        assert results[address].detail in ("no echo: No route to host", "no echo: Network is unreachable")
        assert results[address].duration_s < 30


@needs_icmp
async def test_a_socket_that_breaks_is_our_fault_and_the_next_probe_has_another() -> None:
    made: list[socket.socket] = []

    def make(family: int, kind: int, protocol: int) -> socket.socket:
        made.append(deaf_socket(family, kind, protocol) if not made else socket.socket(family, kind, protocol))
        return made[-1]

    make_sockets_with(make)
    async with prober() as subject:
        async with trio.open_nursery() as nursery:
            results: list[ProbeResult] = []

            async def ask() -> None:
                results.append(await subject.probe(check(IcmpSpec()), LOCALHOST))

            for _ in range(3):
                nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            assert subject._echoes is not None
            subject._echoes.let_go(idle_only=False)

        assert [outcome(result) for result in results] == [OURS] * 3
        assert (await subject.probe(check(IcmpSpec()), LOCALHOST)).passed
    assert [sock.fileno() for sock in made] == [-1] * len(made)


@needs_icmp
async def test_replies_that_found_no_room_here_are_our_fault(
    patient_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A buffer for a few packets, and a hundred echoes before anybody can read the first reply."""
    monkeypatch.setattr(echoes, "BUFFER", 1)
    async with prober() as subject:
        results = await many(subject, [IPv4Address("127.0.1.0") + n for n in range(200)], timeout_s=5)

    codes = {outcome(result) for result in results.values()}
    assert (False, "L4TOUT") not in codes
    assert OURS in codes
    lost = next(result for result in results.values() if result.passed is None)
    assert lost.detail.startswith("replies were lost here, as the socket's buffer was full: raise net.core.rmem_max")


@needs_root
async def test_a_reply_from_another_host_is_not_taken(near: str, patient_clock: MockClock) -> None:
    """Somebody who saw the request answers with all the right numbers, but from his own address."""
    forge: list[socket.socket] = []
    run_inside(near, lambda: forge.append(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)))
    results: list[ProbeResult] = []
    with forge[0]:
        async with prober(near) as subject, trio.open_nursery() as nursery:

            async def ask(host: str) -> None:
                results.append(await subject.probe(check(IcmpSpec(), 3), IPv4Address(host)))

            nursery.start_soon(ask, "192.0.2.200")  # which is on the wire, and does not answer
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert subject._echoes is not None
            (line,) = subject._echoes._lines.values()
            (each,) = line._waiting.values()
            body = struct.pack("!HH", each.echo.identifier, each.echo.sequence) + each.echo.token
            reply = b"\0\0" + checksum(b"\0\0\0\0" + body).to_bytes(2, "big") + body
            assert each.echo.is_answered_by(reply, has_our_identifier=True)
            forge[0].sendto(reply, ("192.0.2.1", 0))

    assert outcome(results[0]) == (False, "L4TOUT")


@needs_icmp
async def test_a_kernel_that_does_not_count_lost_packets_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echoes, "_SO_MEMINFO", 9999)
    assert (await probe(check(IcmpSpec()), LOCALHOST)).passed


@needs_icmp
async def test_sockets_that_nobody_needs_any_more_are_let_go_at_a_reload() -> None:
    async with prober() as subject:
        for n in range(5):
            source = check(IcmpSpec(), ipv4_source=IPv4Address("127.0.0.70") + n)
            assert (await subject.probe(source, LOCALHOST)).passed
        assert subject._echoes is not None
        lines = list(subject._echoes._lines.values())
        assert len(lines) == 5
        subject.move_to(None)  # as each reload does
        await trio.testing.wait_all_tasks_blocked()
        assert all(line.is_closed for line in lines)
        assert (await subject.probe(check(IcmpSpec()), LOCALHOST)).passed
