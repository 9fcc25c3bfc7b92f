"""Echo request and reply, IPv4 and IPv6, one socket a probe; knows nothing of ports.

The kernel's ping socket is used where `net.ipv4.ping_group_range` lets us have one, else a raw socket, which takes
CAP_NET_RAW. Both are connected, so that only the target is heard; a raw socket hears all its ICMP, ours or not.
"""

import secrets
from dataclasses import dataclass
from errno import EACCES, EPERM, EPROTONOSUPPORT

import trio

from maglev.probes.tcp import bind_source, open_socket
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict, network_fault

MAX_PACKET = 1024
TOKEN_LENGTH = 16
_HEADER_LENGTH = 8
_MIN_IPV4_HEADER = 20
_REQUEST_TYPE = {4: 8, 6: 128}
_REPLY_TYPE = {4: 0, 6: 129}


@dataclass(frozen=True, slots=True)
class Echo:
    """One echo: IP version, identifier, sequence number, and a random token that no other echo has."""

    version: int
    identifier: int
    sequence: int
    token: bytes

    @property
    def request(self) -> bytes:
        """The ICMP message; for IPv6 and for ping sockets the kernel puts its own checksum in."""
        return _message(_REQUEST_TYPE[self.version], self)

    def is_answered_by(self, message: bytes, *, has_our_identifier: bool) -> bool:
        """Whether `message` is the reply; a ping socket goes by an identifier of its own, which is not compared."""
        if len(message) < _HEADER_LENGTH or message[0] != _REPLY_TYPE[self.version] or message[1] != 0:
            return False
        expected = _message(_REPLY_TYPE[self.version], self)
        start = 4 if has_our_identifier else 6
        return message[start:] == expected[start:]


async def check_icmp(target: Target, progress: Progress) -> Verdict:
    """Send one echo request and wait for its reply."""
    progress.phase = Phase.ECHO
    version = target.address.version
    echo = Echo(version, secrets.randbits(16), 1, secrets.token_bytes(TOKEN_LENGTH))
    with _open(target) as sock:
        is_raw = sock.type == trio.socket.SOCK_RAW
        await bind_source(sock, target)
        try:
            await sock.connect((str(target.address), 0))
            await sock.send(echo.request)
            while True:
                packet = await sock.recv(MAX_PACKET)
                message = _without_ipv4_header(packet) if is_raw and version == 4 else packet
                if echo.is_answered_by(message, has_our_identifier=is_raw):
                    return Verdict(Code.L4OK, "echo reply")
        except OSError as error:
            raise network_fault("cannot send or receive an echo", error) from error


def _open(target: Target) -> trio.socket.SocketType:
    protocol = trio.socket.IPPROTO_ICMP if target.address.version == 4 else trio.socket.IPPROTO_ICMPV6
    for kind in (trio.socket.SOCK_DGRAM, trio.socket.SOCK_RAW):
        try:
            return open_socket(target, kind, protocol)
        except Fault as fault:
            if not _is_refusal(fault):
                raise
    raise Fault(Code.SOCKERR, "no ICMP socket may be opened: CAP_NET_RAW or net.ipv4.ping_group_range is needed")


def _is_refusal(fault: Fault) -> bool:
    """Whether the kernel would not give this kind of socket; another kind may do."""
    return isinstance(fault.__cause__, OSError) and fault.__cause__.errno in (EACCES, EPERM, EPROTONOSUPPORT)


def _message(kind: int, echo: Echo) -> bytes:
    head = bytes((kind, 0))
    body = echo.identifier.to_bytes(2, "big") + echo.sequence.to_bytes(2, "big") + echo.token
    return head + checksum(head + b"\0\0" + body).to_bytes(2, "big") + body


def checksum(message: bytes) -> int:
    """The Internet checksum (RFC 1071) of `message`."""
    padded = message + b"\0" * (len(message) % 2)
    total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _without_ipv4_header(packet: bytes) -> bytes:
    if not packet or packet[0] >> 4 != 4:
        return b""
    length = (packet[0] & 0x0F) * 4
    return packet[length:] if length >= _MIN_IPV4_HEADER else b""
