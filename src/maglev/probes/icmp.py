"""One echo and its reply as messages, IPv4 and IPv6; knows no socket."""

from dataclasses import dataclass
from struct import unpack

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


def sequence_of(message: bytes) -> int:
    """The sequence number of what may be a reply; -1 if it is too short for that."""
    return int.from_bytes(message[6:8], "big") if len(message) >= _HEADER_LENGTH else -1


def _message(kind: int, echo: Echo) -> bytes:
    head = bytes((kind, 0))
    body = echo.identifier.to_bytes(2, "big") + echo.sequence.to_bytes(2, "big") + echo.token
    return head + checksum(head + b"\0\0" + body).to_bytes(2, "big") + body


def checksum(message: bytes) -> int:
    """The Internet checksum (RFC 1071) of `message`."""
    padded = message + b"\0" * (len(message) % 2)
    total: int = sum(unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def without_ipv4_header(packet: bytes) -> bytes:
    """The message in a packet as a raw socket of IPv4 hears it; nothing of what is no such packet."""
    if not packet or packet[0] >> 4 != 4:
        return b""
    length = (packet[0] & 0x0F) * 4
    return packet[length:] if length >= _MIN_IPV4_HEADER else b""
