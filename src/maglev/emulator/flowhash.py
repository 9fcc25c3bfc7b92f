"""What VPP's lb plugin hashes of a packet; pure, must not know what the hash selects.

`lb_hash_hash` of VPP src/vppinfra/lb_hash_hash.h on x86: CRC-32C over five u64 words in memory order, without the usual
inversions. IPv4: both addresses, then the ports, two words of zero and one more. IPv6: both addresses, then the ports.
A source-sticky VIP leaves the ports zero.
"""

from dataclasses import dataclass
from functools import lru_cache

_CASTAGNOLI = 0x82F63B78
_REMEMBERED = 1 << 16
_WORDS_BYTES = 40
_PORT_PROTOCOLS = (6, 17)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet towards a VIP or a backend: packed addresses of 4 or 16 bytes, `length` is that of the IP packet."""

    src: bytes
    dst: bytes
    protocol: int
    sport: int
    dport: int
    length: int

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if len(self.dst) == 4 else 6


def flow_hash(packet: Packet, *, by_source: bool) -> int:
    """The u32 that selects sticky bucket and new-flow bucket; `by_source` is the VIP's src_ip_sticky."""
    has_ports = packet.protocol in _PORT_PROTOCOLS and not by_source
    ports = packet.dport.to_bytes(2, "big") + packet.sport.to_bytes(2, "big") if has_ports else b""
    return _crc32c((packet.src + packet.dst + ports).ljust(_WORDS_BYTES, b"\0"))


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)
    return byte


_REMAINDERS = tuple(_remainder(byte) for byte in range(256))


@lru_cache(maxsize=_REMEMBERED)
def _crc32c(words: bytes) -> int:
    crc = 0
    for byte in words:
        crc = crc >> 8 ^ _REMAINDERS[(crc ^ byte) & 0xFF]
    return crc
