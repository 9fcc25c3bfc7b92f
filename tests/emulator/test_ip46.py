import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator import ip46

raw = st.binary(min_size=16, max_size=16)


@given(st.ip_addresses(v=4))
def test_ip4_survives_the_wire(address: ipaddress.IPv4Address) -> None:
    form = ip46.decode(0, address.packed + b"\xff" * 12)

    assert ip46.encode(form) == (0, address.packed + bytes(12))
    assert ip46.text(form) == str(address)


@given(raw.filter(lambda r: any(r[:12])))
def test_ip6_survives_the_wire(union: bytes) -> None:
    assert ip46.encode(ip46.decode(1, union)) == (1, union)


def test_low_ip6_turns_into_ip4_as_in_vpp() -> None:
    assert ip46.encode(ip46.decode(1, ipaddress.IPv6Address("::1").packed)) == (0, bytes([0, 0, 0, 1]) + bytes(12))


def test_an_unknown_family_is_zero() -> None:
    assert ip46.decode(7, b"\xff" * 16) == bytes(16)


@pytest.mark.parametrize(
    "text", ["2001:db8::1", "fe80::", "1:0:0:2::3", "1:2:3:4:5:6:7:8", "::ffff:7f00:1", "::ffff:0:0"]
)
def test_ip6_is_written_as_vpp_writes_it(text: str) -> None:
    assert ip46.text(ipaddress.IPv6Address(text).packed) == text


@given(address=raw, plen=st.integers(0, 128))
def test_prefixes_are_normalised_once_and_for_all(address: bytes, plen: int) -> None:
    prefix = ip46.Prefix.of(address, plen)

    assert ip46.Prefix.of(prefix.address, plen) == prefix
    assert prefix.address == ipaddress.IPv6Network((address, plen), strict=False).network_address.packed


def test_a_short_prefix_of_zeros_is_ip6() -> None:
    assert str(ip46.Prefix.of(bytes(16), 95)) == "::/95"
    assert str(ip46.Prefix.of(bytes(16), 96)) == "0.0.0.0/0"
