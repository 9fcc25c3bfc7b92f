"""VPP's one form for both families: 16 bytes, IPv4 in the last four; must not know what an address is used for.

Whatever starts with twelve zero bytes *is* IPv4 to VPP's lb plugin, even when it was sent as IPv6 (::1 for one).
"""

import ipaddress
from dataclasses import dataclass

ADDRESS_BYTES = 16
ZERO = bytes(ADDRESS_BYTES)
ALL_ONES = b"\xff" * ADDRESS_BYTES
IP4_PLEN = 96  # what an IPv4 prefix length is raised by
_BITS = 8 * ADDRESS_BYTES
_IP4_PAD = bytes(12)
_FAMILY_IP4, _FAMILY_IP6 = 0, 1


def decode(family: int, union: bytes) -> bytes:
    """The 16 bytes that VPP makes of `vl_api_address_t`; an unknown family leaves them zero."""
    match family:
        case 0:
            return _IP4_PAD + union[:4]
        case 1:
            return union
        case _:
            return ZERO


def encode(address: bytes) -> tuple[int, bytes]:
    """Family and union bytes of `vl_api_address_t`: the family is guessed from the twelve bytes."""
    if is_ip4(address):
        return _FAMILY_IP4, address[12:] + _IP4_PAD
    return _FAMILY_IP6, address


def is_ip4(address: bytes) -> bool:
    """VPP's `ip46_address_is_ip4`."""
    return address.startswith(_IP4_PAD)


def text(address: bytes) -> str:
    """The address as VPP prints it: IPv4 dotted, IPv6 in hexadecimal to the end, even if IPv4-mapped."""
    return str(ipaddress.IPv4Address(address[12:])) if is_ip4(address) else ip6_text(address)


def ip6_text(address: bytes) -> str:
    """The address as VPP prints an IPv6 one."""
    ip6 = ipaddress.IPv6Address(address)
    if ip6.ipv4_mapped is not None:
        return f"::ffff:{int.from_bytes(address[12:14], 'big'):x}:{int.from_bytes(address[14:], 'big'):x}"
    return str(ip6)


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix in VPP's form: `plen` counts from the first of the 128 bits; use `of` to get the host bits cleared."""

    address: bytes
    plen: int

    @classmethod
    def of(cls, address: bytes, plen: int) -> "Prefix":
        """The normalised prefix; `plen` must be in 0..128."""
        mask = ((1 << plen) - 1) << (_BITS - plen)
        return cls((int.from_bytes(address, "big") & mask).to_bytes(ADDRESS_BYTES, "big"), plen)

    @property
    def is_ip4(self) -> bool:
        """VPP's `ip46_prefix_is_ip4`."""
        return self.plen >= IP4_PLEN and is_ip4(self.address)

    @property
    def length(self) -> int:
        """The prefix length as its own family counts it."""
        return self.plen - IP4_PLEN if self.is_ip4 else self.plen

    def __str__(self) -> str:
        return f"{text(self.address) if self.is_ip4 else ip6_text(self.address)}/{self.length}"
