import ctypes
import errno
import socket
import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
import trio
from hypothesis import assume, given
from hypothesis import strategies as st
from trio.testing import MockClock

from maglev.core.model import IcmpSpec, IPAddress
from maglev.probes.icmp import TOKEN_LENGTH, Echo, checksum, without_ipv4_header
from tests.probes.peers import LOCALHOST, check, make_sockets_with, outcome, probe

SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python does not name it
PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

echoes = st.builds(
    Echo,
    version=st.sampled_from((4, 6)),
    identifier=st.integers(0, 0xFFFF),
    sequence=st.integers(0, 0xFFFF),
    token=st.binary(min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH),
)


def may_open(kind: int, version: int) -> bool:
    try:
        socket.socket(FAMILIES[version], kind, PROTOCOLS[version]).close()
    except OSError:
        return False
    return True


needs_icmp = pytest.mark.skipif(
    not may_open(socket.SOCK_RAW, 4) and not may_open(socket.SOCK_DGRAM, 4),
    reason="needs CAP_NET_RAW, or our group in net.ipv4.ping_group_range",
)
needs_raw = pytest.mark.skipif(not may_open(socket.SOCK_RAW, 4), reason="needs CAP_NET_RAW")


def reply_to(echo: Echo) -> bytes:
    """What a host answers: the same message with the reply's type and a checksum to fit."""
    kind = {4: 0, 6: 129}[echo.version]
    blank = bytes((kind, 0, 0, 0)) + echo.request[4:]
    return blank[:2] + checksum(blank).to_bytes(2, "big") + blank[4:]


class Kernel:
    """Opens what the real one would, but refuses the kinds named, with the error given."""

    def __init__(self, refusals: dict[int, int]) -> None:
        self.refusals = refusals
        self.asked: list[int] = []
        make_sockets_with(self.make)

    def make(self, family: int, kind: int, protocol: int) -> socket.socket:
        self.asked.append(kind)
        if kind in self.refusals:
            raise OSError(self.refusals[kind], "refused by the test")
        return socket.socket(family, kind, protocol)


@needs_icmp
@pytest.mark.parametrize("address", [LOCALHOST, IPv4Address("127.0.0.9")])
async def test_a_host_that_echoes_passes(address: IPAddress) -> None:
    result = await probe(check(IcmpSpec()), address)

    assert (result.passed, result.code, result.detail) == (True, "L4OK", "echo reply")


@needs_icmp
async def test_a_host_that_echoes_passes_over_ipv6(ipv6: str) -> None:
    result = await probe(check(IcmpSpec()), ip_address(ipv6))

    assert (result.passed, result.code) == (True, "L4OK")


@needs_icmp
async def test_many_probes_at_once_each_find_their_own_reply() -> None:
    codes: list[str] = []

    async def one(address: IPAddress) -> None:
        codes.append((await probe(check(IcmpSpec()), address)).code)

    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(one, IPv4Address("127.0.0.1") + number % 3)

    assert codes == ["L4OK"] * 60


@needs_icmp
async def test_an_echo_can_leave_from_the_source_address_of_the_check() -> None:
    result = await probe(check(IcmpSpec(), ipv4_source=IPv4Address("127.0.0.77")), LOCALHOST)

    assert result.passed


@needs_icmp
async def test_a_source_address_that_is_not_ours_says_nothing_about_the_host() -> None:
    result = await probe(check(IcmpSpec(), ipv4_source=IPv4Address("203.0.113.9")), LOCALHOST)

    assert outcome(result) == (None, "SOCKERR")
    assert "203.0.113.9" in result.detail


@needs_icmp
async def test_a_packet_that_cannot_be_sent_is_no_connection() -> None:
    result = await probe(check(IcmpSpec(), timeout_s=5), IPv4Address("255.255.255.255"))

    assert (result.passed, result.code) == (False, "L4CON")


def deaf_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """A socket with a filter that drops every packet on its way in."""
    sock = socket.socket(family, kind, protocol)
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(drop_all)))
    return sock


@needs_icmp
async def test_a_host_that_does_not_echo_is_a_timeout(patient_clock: MockClock) -> None:
    make_sockets_with(deaf_socket)
    result = await probe(check(IcmpSpec(), timeout_s=2), LOCALHOST)

    assert (result.passed, result.code) == (False, "L4TOUT")
    assert result.detail == "no echo reply within 2 s"
    assert result.duration_s == pytest.approx(2)
    assert patient_clock.current_time() >= 2


@pytest.mark.parametrize("version", [4, 6])
async def test_without_permission_nothing_is_known_but_what_is_needed(version: int) -> None:
    kernel = Kernel({socket.SOCK_DGRAM: errno.EACCES, socket.SOCK_RAW: errno.EPERM})
    result = await probe(check(IcmpSpec()), LOCALHOST if version == 4 else IPv6Address("::1"))

    assert outcome(result) == (None, "SOCKERR")
    assert "CAP_NET_RAW" in result.detail
    assert kernel.asked == [socket.SOCK_DGRAM, socket.SOCK_RAW]


@needs_raw
async def test_a_raw_socket_does_where_a_ping_socket_is_refused() -> None:
    kernel = Kernel({socket.SOCK_DGRAM: errno.EACCES})
    result = await probe(check(IcmpSpec()), LOCALHOST)

    assert result.passed
    assert kernel.asked == [socket.SOCK_DGRAM, socket.SOCK_RAW]


async def test_running_out_of_descriptors_is_not_blamed_on_permissions() -> None:
    Kernel({socket.SOCK_DGRAM: errno.EMFILE})
    result = await probe(check(IcmpSpec()), LOCALHOST)

    assert outcome(result) == (None, "SOCKERR")
    assert "Too many open files" in result.detail
    assert "CAP_NET_RAW" not in result.detail


@given(echoes)
def test_a_reply_answers_its_request(echo: Echo) -> None:
    assert echo.is_answered_by(reply_to(echo), has_our_identifier=True)
    assert echo.is_answered_by(reply_to(echo), has_our_identifier=False)


@given(echoes)
def test_a_request_does_not_answer_itself(echo: Echo) -> None:
    # On loopback a raw socket hears the request too.
    assert not echo.is_answered_by(echo.request, has_our_identifier=True)


@given(echoes, echoes)
def test_the_reply_to_another_echo_is_not_ours(echo: Echo, other: Echo) -> None:
    assume((echo.sequence, echo.token) != (other.sequence, other.token) or echo.version != other.version)

    assert not echo.is_answered_by(reply_to(other), has_our_identifier=True)
    assert not echo.is_answered_by(reply_to(other), has_our_identifier=False)


@given(echoes, st.integers(1, 0xFFFF))
def test_another_identifier_is_only_allowed_on_a_ping_socket(echo: Echo, shift: int) -> None:
    reply = reply_to(replace(echo, identifier=(echo.identifier + shift) % 0x10000))

    assert not echo.is_answered_by(reply, has_our_identifier=True)
    assert echo.is_answered_by(reply, has_our_identifier=False)


@given(echoes, st.data())
def test_a_damaged_reply_is_no_answer(echo: Echo, data: st.DataObject) -> None:
    reply = bytearray(reply_to(echo))
    # The checksum field is the kernel's business.
    position = data.draw(st.sampled_from([0, 1, *range(4, len(reply))]))
    reply[position] ^= data.draw(st.integers(1, 255))

    assert not echo.is_answered_by(bytes(reply), has_our_identifier=True)
    assert not echo.is_answered_by(bytes(reply[:position]), has_our_identifier=True)


@given(echoes, st.binary(max_size=80))
def test_any_bytes_are_read_without_a_fault(echo: Echo, packet: bytes) -> None:
    for message in (packet, without_ipv4_header(packet)):
        assert not echo.is_answered_by(message, has_our_identifier=True)


@given(st.binary(max_size=99))
def test_the_checksum_of_a_checked_message_is_zero(message: bytes) -> None:
    even = message + b"\0" * (len(message) % 2)

    assert checksum(even + checksum(even).to_bytes(2, "big")) == 0


def test_the_checksum_of_a_known_message() -> None:
    # The example of RFC 1071, section 3.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@given(st.integers(5, 15), st.binary(max_size=40))
def test_an_ipv4_header_is_taken_off_with_its_options(words: int, message: bytes) -> None:
    header = bytes((0x40 | words,)) + bytes(words * 4 - 1)

    assert without_ipv4_header(header + message) == message


@pytest.mark.parametrize("packet", [b"", b"\x44" + bytes(30), b"\x65" + bytes(30), b"\x4f" + bytes(20)])
def test_what_is_no_ipv4_packet_holds_no_message(packet: bytes) -> None:
    assert without_ipv4_header(packet) == b""
