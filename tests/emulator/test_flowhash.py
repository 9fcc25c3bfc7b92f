import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator.flowhash import Packet, flow_hash

addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
)
ports = st.integers(0, 65535)


def packet(src: str, dst: str, sport: int, dport: int, protocol: int = 17) -> Packet:
    ends = [ipaddress.ip_address(end).packed for end in (src, dst)]
    return Packet(ends[0], ends[1], protocol, sport, dport, 100)


def bitwise_crc32c(data: bytes) -> int:
    crc = 0
    for bit in (byte >> n & 1 for byte in data for n in range(8)):
        crc = crc >> 1 ^ (0x82F63B78 if (crc ^ bit) & 1 else 0)
    return crc


@given(addresses, ports, ports)
def test_the_hash_is_crc32c_over_five_words(
    pair: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...], sport: int, dport: int
) -> None:
    src, dst = pair
    words = src.packed + dst.packed + dport.to_bytes(2, "big") + sport.to_bytes(2, "big")

    hashed = flow_hash(packet(str(src), str(dst), sport, dport), by_source=False)
    assert hashed == bitwise_crc32c(words + bytes(40 - len(words)))


@pytest.mark.parametrize("protocol", [6, 17])
def test_a_source_sticky_vip_leaves_the_ports_out(protocol: int) -> None:
    one, other = (packet("10.0.0.1", "10.0.0.2", sport, 80, protocol) for sport in (1, 2))

    assert flow_hash(one, by_source=True) == flow_hash(other, by_source=True)
    assert flow_hash(one, by_source=False) != flow_hash(other, by_source=False)


def test_only_tcp_and_udp_have_ports() -> None:
    one, other = (packet("fd00::1", "fd00::2", sport, 80, protocol=132) for sport in (1, 2))

    assert flow_hash(one, by_source=False) == flow_hash(other, by_source=False)
