from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.events import Event
from maglev.core.model import (
    ANY,
    TCP,
    UDP,
    Encap,
    HealthCheck,
    HttpSpec,
    IcmpSpec,
    Policy,
    ProbeSpec,
    TcpSpec,
    Timing,
    Tls,
    VipKey,
    address_order,
    probe_type,
)

addresses = st.ip_addresses()
TLS = Tls(None, verify=True)


@given(st.lists(addresses, max_size=8))
def test_addresses_are_ordered_numerically_with_ipv4_first(found: list[IPv4Address | IPv6Address]) -> None:
    ipv4 = sorted(address for address in found if isinstance(address, IPv4Address))
    ipv6 = sorted(address for address in found if isinstance(address, IPv6Address))

    assert sorted(found, key=address_order) == [*ipv4, *ipv6]


IN_ORDER = [
    VipKey(ip_network(prefix), TCP, port)
    for prefix, port in (
        ("192.0.2.9/32", 80),
        ("192.0.2.10/32", 80),
        ("192.0.2.10/32", 443),
        ("2001:db8::1/128", 80),
    )
]


@given(st.permutations(IN_ORDER))
def test_vips_are_ordered_numerically_and_not_as_text(keys: list[VipKey]) -> None:
    assert sorted(keys, key=lambda key: key.order) == IN_ORDER


@given(addresses, addresses, st.integers(0, 255), st.integers(0, 65535))
def test_the_order_of_vips_is_total(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address, protocol: int, port: int
) -> None:
    first, second = VipKey(ip_network(one), protocol, port), VipKey(ip_network(other), protocol, port)

    assert (first.order == second.order) == (first == second)


@pytest.mark.parametrize(
    ("protocol", "port", "shown"),
    [(TCP, 80, "tcp/80"), (UDP, 53, "udp/53"), (132, 9, "132/9"), (ANY, 0, "any")],
)
def test_a_vip_is_shown_with_its_protocol_and_port(protocol: int, port: int, shown: str) -> None:
    assert str(VipKey(ip_network("192.0.2.0/24"), protocol, port)) == f"192.0.2.0/24 {shown}"


def test_the_encap_follows_the_family_of_the_backends() -> None:
    assert (Encap.for_backends(4), Encap.for_backends(6)) == (Encap.GRE4, Encap.GRE6)
    assert [encap.value for encap in Encap] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (IcmpSpec(), "icmp"),
        (TcpSpec(80, None), "tcp"),
        (TcpSpec(443, TLS), "tcp"),
        (HttpSpec(80, None, "/", None, (), None), "http"),
        (HttpSpec(443, TLS, "/", None, (), None), "https"),
    ],
)
def test_a_probe_is_called_what_the_config_calls_it(spec: ProbeSpec, word: str) -> None:
    assert probe_type(spec) == word


def test_the_source_of_a_probe_is_of_the_family_of_its_target() -> None:
    ipv4, ipv6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
    check = HealthCheck("c", IcmpSpec(), Timing(1, 1, 1, 1), Policy(1, 1), ipv4, None)

    assert check.source_for(ip_address("10.0.0.1")) == ipv4
    assert check.source_for(ip_address("fd00::1")) is None
    assert HealthCheck("c", IcmpSpec(), Timing(1, 1, 1, 1), Policy(1, 1), None, ipv6).source_for(ipv6) == ipv6


def test_every_event_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in Event.__args__]

    assert len(set(names)) == len(names)
