"""What this machine lacks is never blamed on a backend: such a result is neither passed nor failed."""

import errno
import os
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import trio

from maglev.core.model import IcmpSpec, ProbeSpec, TcpSpec, Tls
from maglev.probes import tls
from maglev.probes.verdict import Fault
from tests.probes import peers
from tests.probes.peers import LOCALHOST, UNVERIFIED, check, get, outcome, peer, probe, prober

OURS = (None, "SOCKERR")
NO_DESCRIPTOR = "cannot open a socket: Too many open files; raise maglevd's LimitNOFILE"
EVERY = [TcpSpec(80, None), TcpSpec(80, UNVERIFIED), get(80), get(80, tls=UNVERIFIED), IcmpSpec()]


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Inside the block the kernel gives this process no further descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def fail_to_connect_with(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the rest of the test the kernel answers so; to take all its ports would disturb others."""

    def connect(sock: socket.socket, address: object) -> None:
        raise OSError(number, f"refused by the test: {sock} {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.parametrize("spec", EVERY)
async def test_without_a_descriptor_nothing_is_known_of_the_backend(spec: ProbeSpec) -> None:
    async with prober() as subject:
        with no_descriptor_left():
            result = await subject.probe(check(spec), LOCALHOST)

    assert outcome(result) == OURS
    assert result.detail == NO_DESCRIPTOR


async def test_with_descriptors_again_the_backend_is_judged_again() -> None:
    spec = TcpSpec(peers.closed_port(), None)
    async with prober() as subject:
        with no_descriptor_left():
            await subject.probe(check(spec), LOCALHOST)
        assert outcome(await subject.probe(check(spec), LOCALHOST)) == (False, "L4CON")


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT]
)
async def test_no_socket_to_be_had_is_our_fault_whatever_the_reason(number: int) -> None:
    def none_left(family: int, kind: int, protocol: int) -> socket.socket:
        raise OSError(number, "refused by the test")

    peers.make_sockets_with(none_left)
    result = await probe(check(TcpSpec(80, None)), LOCALHOST)

    assert outcome(result) == OURS
    assert result.detail.startswith(f"cannot open a socket: {os.strerror(number)}")


async def test_a_source_address_that_is_not_on_this_machine_is_our_fault_and_is_named() -> None:
    async with peer(peers.silent) as port:
        result = await probe(check(TcpSpec(port, None), ipv4_source=IPv4Address("192.0.2.1")), LOCALHOST)

    assert outcome(result) == OURS
    assert result.detail == (
        "cannot use source address 192.0.2.1: Cannot assign requested address; put it on an interface"
    )


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EADDRNOTAVAIL, OURS),
        (errno.ENOBUFS, OURS),
        (errno.ENOMEM, OURS),
        (errno.EPERM, OURS),
        (errno.EACCES, (False, "L4CON")),
        (errno.ECONNREFUSED, (False, "L4CON")),
        (errno.ENETUNREACH, (False, "L4CON")),
        (errno.EHOSTUNREACH, (False, "L4CON")),
        (errno.ETIMEDOUT, (False, "L4TOUT")),
    ],
)
async def test_a_failed_connect_is_our_fault_only_where_the_network_cannot_be_its_cause(
    number: int, expected: tuple[bool | None, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_connect_with(number, monkeypatch)

    assert outcome(await probe(check(TcpSpec(80, None)), LOCALHOST)) == expected


async def test_out_of_local_ports_the_operator_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_to_connect_with(errno.EADDRNOTAVAIL, monkeypatch)
    result = await probe(check(TcpSpec(80, None)), LOCALHOST)

    assert result.detail == (
        "cannot connect: Cannot assign requested address; "
        "no address of that family here, or no free port: see net.ipv4.ip_local_port_range"
    )


async def test_an_interface_that_is_not_there_is_our_fault(ipv6: str) -> None:
    del ipv6  # only its absence matters
    result = await probe(check(TcpSpec(80, None)), IPv6Address("fe80::1%nowhere"))

    assert outcome(result) == OURS


def test_certificates_that_could_not_be_read_are_no_empty_trust_store_for_ever() -> None:
    tls._context.cache_clear()
    with no_descriptor_left(), pytest.raises(Fault, match="certificates"):
        tls._context(verifies=True, checks_name=False)

    assert tls._context(verifies=True, checks_name=False).verify_mode is ssl.CERT_REQUIRED


async def test_a_certificate_is_not_blamed_when_none_could_be_read(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    tls._context(verifies=True, checks_name=False)

    async def takes_the_last_descriptor(stream: peers.Stream) -> None:
        assert isinstance(stream, trio.SocketStream)
        with no_descriptor_left():
            secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            await secured.do_handshake()
            await peers.silent(secured)

    async with peer(takes_the_last_descriptor) as port:
        result = await probe(check(TcpSpec(port, Tls(None, verify=True))), LOCALHOST)

    assert outcome(result) == OURS
    assert "certificates" in result.detail
