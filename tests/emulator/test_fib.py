import ipaddress
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator import ip46
from maglev.emulator.fib import Fib, Source
from maglev.emulator.segment import SegmentWriter
from tests.emulator.engine import vip_key

networks = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.integers(0, 0xFFFF).map(lambda n: ipaddress.IPv4Address(0x0A010000 + n * 0x101)),
    st.integers(0, 32),
)


@pytest.fixture
def segment() -> Iterator[SegmentWriter]:
    writer = SegmentWriter(1 << 20)
    yield writer
    writer.close()


def prefix(text: str) -> ip46.Prefix:
    return vip_key(text).prefix


def number(text: str) -> int:
    return int(ipaddress.ip_address(text))


def test_a_new_fib_has_vpps_default_routes(segment: SegmentWriter) -> None:
    fib = Fib(segment, threads=1)

    assert fib.longest(4, number("192.0.2.1")).index == 1
    assert fib.longest(4, number("224.0.0.1")).index == 4
    assert fib.longest(6, number("2001:db8::1")).index == 6
    assert fib.longest(6, number("fe80::1")).index == 7


def test_an_index_freed_is_used_again_with_counters_at_zero(segment: SegmentWriter) -> None:
    fib = Fib(segment, threads=2)
    gone = fib.want(prefix("192.0.2.1/32"), Source.LB)
    fib.to.add(1, gone.index, 3, 300)
    fib.via.add(0, gone.index, 3, 300)
    fib.release(gone, Source.LB)

    new = fib.want(prefix("2001:db8::1/128"), Source.LB)

    assert new.index == gone.index
    assert (fib.to.get(new.index), fib.via.get(new.index)) == ((0, 0), (0, 0))


def test_a_route_stays_as_long_as_anyone_wants_it(segment: SegmentWriter) -> None:
    fib = Fib(segment, threads=1)
    route = fib.want(prefix("192.0.2.1/32"), Source.BACKEND)
    assert fib.want(prefix("192.0.2.1/32"), Source.BACKEND) is route
    assert route.is_drop
    assert fib.want(prefix("192.0.2.1/32"), Source.LB) is route
    assert not route.is_drop

    for source in (Source.BACKEND, Source.LB):
        fib.release(route, source)
        assert fib.exact(4, number("192.0.2.1"), 32) is route
    fib.release(route, Source.BACKEND)
    assert fib.exact(4, number("192.0.2.1"), 32) is None


def test_filler_routes_come_before_all_others(segment: SegmentWriter) -> None:
    fib = Fib(segment, threads=2, filler=1000)

    assert fib.exact(4, number("100.64.0.0"), 32) is fib.longest(4, number("100.64.0.0"))
    assert fib.longest(4, number("100.64.3.231")).index == 7 + 1000
    assert fib.longest(4, number("100.64.3.232")).index == 1
    assert fib.want(prefix("192.0.2.1/32"), Source.LB).index == 7 + 1001


def test_too_many_filler_routes_are_refused(segment: SegmentWriter) -> None:
    with pytest.raises(ValueError, match="filler routes"):
        Fib(segment, threads=1, filler=10_000_000)


@given(st.lists(networks, max_size=8), st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(0, 32))
def test_the_longest_covering_route_is_found(
    wanted: list[ipaddress.IPv4Network], target: ipaddress.IPv4Address, length: int
) -> None:
    writer = SegmentWriter(1 << 20)
    fib = Fib(writer, threads=1)
    for network in wanted:
        fib.want(prefix(str(network)), Source.LB)
    asked = ipaddress.IPv4Network((target, length), strict=False)

    best = max((n.prefixlen for n in wanted if asked.subnet_of(n)), default=0)

    assert fib.longest(4, int(target), length).length == best
    writer.close()
