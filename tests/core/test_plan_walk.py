"""Every table of a set to every other, on one VPP that remembers: each way ends as desired, with nothing left to do."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from maglev.core.desired import Desired, DesiredVip, Effective
from maglev.core.model import ANY, TCP, UDP, Encap, IPNetwork, LbConf, VipKey
from maglev.core.observed import Observed, ObservedBackend, ObservedVip, advance, carry_flushed
from maglev.core.plan import plan
from tests.core.cases import without_memory
from tests.core.driving import send, steps_of
from tests.core.simulator import Vpp

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
ONE, NET, SIX, SIXES = (
    ip_network(text) for text in ("192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/64")
)
WEB, TLS, DNS = (TCP, 80), (TCP, 443), (UDP, 53)
UP, HALF, STANDBY, DEAD = (
    Effective(100, flush=False),
    Effective(50, flush=False),
    Effective(0, flush=False),
    Effective(0, flush=True),
)


def vip(
    weights: Mapping[int, Effective], encap: Encap = Encap.GRE4, *, sticky: bool = False, length: int = 1024
) -> DesiredVip:
    base = "fd00::" if encap in (Encap.GRE6, Encap.NAT6) else "10.0.0."
    return DesiredVip(encap, sticky, length, {ip_address(f"{base}{number}"): cell for number, cell in weights.items()})


def table(vips: Mapping[tuple[IPNetwork, tuple[int, int]], DesiredVip], conf: LbConf | None = CONF) -> Desired:
    return Desired(conf, {VipKey(prefix, *port): wish for (prefix, port), wish in vips.items()})


ALL_PORTS = (ANY, 0)
BASE = {
    (ONE, WEB): vip({1: UP, 2: HALF, 3: STANDBY}),
    (ONE, TLS): vip({1: UP}),
    (SIX, WEB): vip({1: UP, 2: UP}, Encap.GRE6),
}

TABLES: dict[str, Desired] = {
    "nothing": table({}),
    "base": table(BASE),
    "failed over": table({**BASE, (ONE, WEB): vip({1: DEAD, 2: DEAD, 3: UP}), (ONE, TLS): vip({1: DEAD})}),
    "all dead": table({key: replace(wish, backends=dict.fromkeys(wish.backends, DEAD)) for key, wish in BASE.items()}),
    "no backends": table({key: replace(wish, backends={}) for key, wish in BASE.items()}),
    "other backends": table({**BASE, (ONE, WEB): vip({4: UP, 5: UP}), (SIX, WEB): vip({9: UP}, Encap.GRE6)}),
    "sticky": table({key: replace(wish, src_ip_sticky=True) for key, wish in BASE.items()}),
    "longer": table({key: replace(wish, table_length=65536) for key, wish in BASE.items()}),
    "other encaps": table(
        {(ONE, WEB): vip({1: UP}, Encap.GRE6), (ONE, DNS): vip({1: UP}, Encap.GRE6), (SIX, WEB): vip({1: UP})}
    ),
    "found": table(  # by somebody else: encaps and lengths that we never ask for
        {(ONE, WEB): vip({1: UP}, Encap.L3DSR, length=512), (NET, DNS): vip({1: HALF}, Encap.NAT4, sticky=True)},
        replace(CONF, sticky_buckets_per_core=65536),
    ),
    "all ports": table({(ONE, ALL_PORTS): vip({1: UP, 2: DEAD}), (SIX, ALL_PORTS): vip({1: UP}, Encap.GRE6)}),
    "prefixes": table(
        {(NET, WEB): vip({1: UP}), (NET, DNS): vip({2: UP}), (SIXES, ALL_PORTS): vip({1: UP}, sticky=True)},
        replace(CONF, flow_timeout_s=7),
    ),
    "much": table(
        {(prefix, port): vip({1: UP, 2: STANDBY}) for prefix in (ONE, NET, SIX, SIXES) for port in (WEB, TLS, DNS)}
    ),
}


def found(wish: Desired) -> Observed:
    vips = {}
    for key, wished in wish.vips.items():
        backends = {address: ObservedBackend(cell.weight) for address, cell in wished.backends.items()}
        vips[key] = ObservedVip(wished.encap, wished.src_ip_sticky, wished.table_length, backends)
    return Observed(wish.conf, vips)


class Walker:
    """Goes from table to table; knows of VPP what was acknowledged since it last looked."""

    def __init__(self) -> None:
        self.shadow = Observed(None, {})
        self.vpp = Vpp(self.shadow)

    def go(self, wish: Desired) -> None:
        ops = plan(wish, self.shadow)
        assert send(self.vpp, steps_of(wish, self.shadow), lambda _: False) == []
        self.shadow = advance(self.shadow, ops)

    def look(self) -> None:
        self.shadow = carry_flushed(self.vpp.audit(), self.shadow)

    def is_there(self, wish: Desired) -> None:
        assert self.vpp.differences(wish) == []
        assert without_memory(self.shadow) == self.vpp.audit()
        assert plan(wish, self.shadow) == ()
        assert plan(wish, carry_flushed(self.vpp.audit(), self.shadow)) == ()


@pytest.mark.parametrize("looks", [False, True])
def test_every_table_becomes_every_other(looks: bool) -> None:
    walker = Walker()
    for start in TABLES.values():
        for end in TABLES.values():
            for wish in (start, end):
                walker.go(wish)
                walker.is_there(wish)
                if looks:
                    walker.look()


@pytest.mark.parametrize("start", TABLES)
def test_every_table_that_is_found_becomes_every_other(start: str) -> None:
    for end in TABLES.values():
        walker = Walker()
        walker.vpp = Vpp(found(TABLES[start]))
        walker.look()
        walker.go(end)
        walker.is_there(end)


@pytest.mark.parametrize("start", TABLES)
def test_every_way_may_be_left_behind_any_operation_and_gone_on_from_there(start: str) -> None:
    for end in TABLES.values():
        ops = plan(end, found(TABLES[start]))
        for count in range(0, len(ops), max(1, len(ops) // 8)):
            walker = Walker()
            walker.vpp = Vpp(Vpp(found(TABLES[start])).run(ops[:count]).audit())  # who goes on knows of no flush
            walker.look()
            walker.go(end)
            walker.is_there(end)
