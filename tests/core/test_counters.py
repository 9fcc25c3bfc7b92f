from ipaddress import ip_address, ip_network

from maglev.core.counters import Indexes, Moved
from maglev.core.model import TCP, UDP, Encap, VipKey
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, Op, SetWeight

WEB, DNS, OTHER = (
    VipKey(ip_network(prefix), protocol, port)
    for prefix, protocol, port in (("192.0.2.1/32", TCP, 80), ("192.0.2.1/32", UDP, 53), ("2001:db8::1/128", TCP, 80))
)
ONE, TWO = ip_address("10.1.0.1"), ip_address("10.1.0.2")
KNOWN = Indexes({WEB: 1, DNS: 2, OTHER: 3}, {WEB.prefix: 40, OTHER.prefix: 41}, {ONE: 50, TWO: 51}, 1000)


def left(*ops: Op) -> Indexes:
    return KNOWN.without(Moved(ops))


def test_a_vip_that_comes_or_goes_takes_its_own_index_and_its_prefixs_with_it() -> None:
    rest = Indexes({DNS: 2, OTHER: 3}, {OTHER.prefix: 41}, {ONE: 50, TWO: 51})

    assert left(DelVip(WEB, "")) == rest
    assert left(AddVip(WEB, Encap.GRE4, False, 1024)) == rest


def test_a_backend_that_leaves_takes_its_own_index_with_it() -> None:
    rest = Indexes(KNOWN.vips, KNOWN.routes, {TWO: 51})

    assert left(DelBackend(OTHER, ONE)) == rest
    assert left(DelBackend(OTHER, ONE), AddBackend(OTHER, ONE, 1)) == rest


def test_a_backend_that_joins_one_more_vip_keeps_its_index_and_asks_for_an_audit() -> None:
    assert left(AddBackend(OTHER, ONE, 1)) is KNOWN
    assert Moved([AddBackend(OTHER, ONE, 1)])


def test_what_moves_nothing_known_leaves_the_very_same_indexes() -> None:
    new = VipKey(ip_network("192.0.2.9/32"), TCP, 80)

    assert left() is KNOWN
    assert left(SetWeight(WEB, ONE, 3, True)) is KNOWN
    assert left(AddVip(new, Encap.GRE4, False, 1024), AddBackend(new, ip_address("10.1.0.9"), 1)) is KNOWN
    assert not Moved([SetWeight(WEB, ONE, 3, True)])


def test_maps_that_lose_nothing_are_not_copied() -> None:
    rest = left(DelBackend(OTHER, ONE))

    assert rest.vips is KNOWN.vips
    assert rest.routes is KNOWN.routes
    assert rest.audited_at_ns == KNOWN.audited_at_ns
    assert KNOWN.is_whole
    assert not rest.is_whole
