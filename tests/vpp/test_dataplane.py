import json
import struct
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest

from maglev.core.counters import Indexes
from maglev.core.events import Event, ListingUnreadable
from maglev.core.model import Encap, LbConf, VipKey
from maglev.core.plan import AddBackend, AddVip, ObservedBackend, ObservedVip, SetConf, SetWeight
from maglev.errors import ProtocolError, Refused
from maglev.vpp.dataplane import LISTING, LbTable
from maglev.vpp.definitions import read_definitions
from maglev.vpp.records import Records
from maglev.vpp.transport import Answer, Ask, Call
from maglev.vpp.wire import Wire
from tests.vpp.samples import DEFINITIONS

RECORDS = Records(Wire(read_definitions(json.dumps(DEFINITIONS))))
WEB = VipKey(ip_network("192.0.2.1/32"), 6, 80)
ALL = VipKey(ip_network("2001:db8::/64"), 255, 0)
ONE, TWO, SIX = ip_address("10.1.0.1"), ip_address("10.1.0.2"), ip_address("2001:db8:1::1")
CONF = LbConf(IPv4Address("10.0.0.1"), IPv6Address("2001:db8::2"), 1024, 40)

LISTED_WEB = """ ip4-gre4 [2] 192.0.2.1/32 src_ip_sticky
  new_size:1024
  protocol:6 port:80
  #as:2
    10.1.0.1 weight:10 buckets:1024 flows:398 dpo:9 used
    10.1.0.2 weight:20 buckets:0 flows:405 dpo:10  removed
"""
LISTED_DEAD_WEB = LISTED_WEB.replace("[2]", "[1]").replace("src_ip_sticky", "removed").replace("used", " removed")
LISTED_ALL = """ ip6-gre6 [3] 2001:db8::/64
  new_size:65536
  #as:1
    2001:db8:1::1 weight:0 buckets:0 flows:0 dpo:13 used
"""
LISTED = f"{LISTED_DEAD_WEB}\n{LISTED_WEB}\n{LISTED_ALL}\n"


def key(vip: VipKey) -> bytes:
    return (
        address(vip.prefix.network_address) + bytes([vip.prefix.prefixlen, vip.protocol]) + struct.pack(">H", vip.port)
    )


def address(one: IPv4Address | IPv6Address) -> bytes:
    return bytes([one.version == 6]) + one.packed.ljust(16, b"\0")


def vip(one: VipKey, encap: Encap, length: int) -> bytes:
    return bytes(6) + key(one) + struct.pack(">IBIHH", encap.value, 0, 0, 0, length)


def backend(one: VipKey, where: IPv4Address | IPv6Address, flags: int, weight: int, buckets: int) -> bytes:
    return bytes(6) + key(one) + address(where) + struct.pack(">BIBI", flags, 0, weight, buckets)


def retval(number: int, body: bytes = b"") -> bytes:
    return struct.pack(">HIi", 0, 0, number) + body


def route(index: int, number: int = 0) -> bytes:
    return retval(number, struct.pack(">IIB16sBB", 0, index, 0, b"", 32, 0))


def text(output: str, number: int = 0) -> bytes:
    return retval(number, struct.pack(">I", len(output)) + output.encode())


TABLE: Mapping[str, Answer] = {
    "lb_conf_get": [retval(0, CONF.ipv4_source.packed + CONF.ipv6_source.packed + struct.pack(">II", 1024, 40))],
    "lb_vip_dump": [vip(WEB, Encap.GRE4, 1024), vip(ALL, Encap.GRE6, 0)],
    "lb_as_v2_dump": [
        backend(WEB, TWO, 0, 20, 0),  # of the dead VIP of this key
        backend(WEB, ONE, 1, 10, 1024),
        backend(WEB, TWO, 0, 20, 0),
        backend(ALL, SIX, 1, 0, 0),
    ],
    "cli_inband": [text(LISTED)],
    "ip_route_lookup": [route(8), route(12)],
}


class Canned:
    """A transport that answers what it was given for a message, in order, and refuses all else."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = {message: list(frames) for message, frames in answers.items()}
        self.asked: list[Ask] = []

    async def exchange(self, asks: Iterable[Ask], sent: Callable[[], None] = lambda: None) -> list[Answer]:
        asked = list(asks)
        sent()
        self.asked += asked
        return [self._one(ask) for ask in asked]

    async def stream(self, calls: Iterable[Call]) -> AsyncGenerator[list[bytes], None]:
        for call in calls:
            ((reply,),) = await self.exchange([call])
            yield [reply]

    def _one(self, ask: Ask) -> Answer:
        frames = self._answers[ask.message]
        return frames if ask.message.endswith("dump") else [frames.pop(0)]


def table(events: list[Event] | None = None, **changed: Answer) -> tuple[LbTable, Canned]:
    canned = Canned({**TABLE, **changed})
    return LbTable(canned, RECORDS, ([] if events is None else events).append), canned


async def test_an_audit_puts_dumps_listing_and_routes_together() -> None:
    lb, canned = table()

    audit = await lb.audit()

    assert audit.observed.conf == CONF
    assert audit.observed.vips == {
        WEB: ObservedVip(Encap.GRE4, True, 1024, {ONE: ObservedBackend(10, buckets=1024, flows=398)}),
        ALL: ObservedVip(Encap.GRE6, False, 65536, {SIX: ObservedBackend(0, buckets=0, flows=0)}),
    }
    assert audit.indexes == Indexes({WEB: 2, ALL: 3}, {WEB.prefix: 8, ALL.prefix: 12}, {ONE: 9, SIX: 13})
    assert audit.indexes is not None
    assert audit.indexes.users == {ONE: [1, 2], TWO: [1, 2], SIX: [3]}  # the dead, too
    assert RECORDS.cli(LISTING) in canned.asked


async def test_vips_of_one_prefix_share_one_lookup() -> None:
    tls = replace(WEB, port=443)
    listed = LISTED_WEB + "\n" + LISTED_WEB.replace("port:80", "port:443").replace("[2]", "[4]")
    lb, canned = table(
        lb_vip_dump=[vip(WEB, Encap.GRE4, 1024), vip(tls, Encap.GRE4, 1024)],
        lb_as_v2_dump=[],
        cli_inband=[text(listed)],
        ip_route_lookup=[route(8)],
    )

    audit = await lb.audit()

    assert audit.indexes == Indexes({WEB: 2, tls: 4}, {WEB.prefix: 8}, {ONE: 9})
    assert [ask.message for ask in canned.asked].count("ip_route_lookup") == 1


async def test_a_known_route_is_not_looked_up_again_until_a_vip_moves() -> None:
    """WEB is made again, so that its route may be another one; ALL stays where it was."""
    moved = LISTED.replace("[2]", "[7]")
    lb, canned = table(
        lb_conf_get=TABLE["lb_conf_get"] * 3,
        cli_inband=[text(LISTED), text(LISTED), text(moved)],
        ip_route_lookup=[route(8), route(12), route(20)],
    )

    first, second, third = (await lb.audit()).indexes, (await lb.audit()).indexes, (await lb.audit()).indexes

    assert first == second
    assert third == Indexes({WEB: 7, ALL: 3}, {WEB.prefix: 20, ALL.prefix: 12}, {ONE: 9, SIX: 13})
    assert [ask.message for ask in canned.asked].count("ip_route_lookup") == 3


async def test_without_a_listing_no_route_is_looked_up() -> None:
    lb, canned = table(cli_inband=[text("nonsense")])

    assert (await lb.audit()).indexes is None
    assert "ip_route_lookup" not in [ask.message for ask in canned.asked]


async def test_an_empty_table_is_known_to_be_empty() -> None:
    events: list[Event] = []
    lb, _ = table(events, lb_vip_dump=[], lb_as_v2_dump=[], cli_inband=[text("")])

    audit = await lb.audit()

    assert audit.observed.vips == {}
    assert audit.indexes == Indexes({}, {}, {})
    assert events == []


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        (text("Bonjour"), "line=1"),
        (text("unknown input", -1), "retval=-1"),
        (text(LISTED_WEB), "different VIPs (listed=1 dumped=2 first=2001:db8::/64 any)"),
        (text(LISTED + LISTED_WEB.replace("port:80", "port:81")), "different VIPs (listed=3 dumped=2"),
        (text(LISTED + LISTED_WEB.replace("[2]", "[4]")), "one VIP twice (vip=192.0.2.1/32 tcp/80)"),
        (text(LISTED.replace("[2]", "[two]")), "line=8"),
        (
            text(LISTED.replace("  removed\n\n ip6", " used\n\n ip6").replace("10.1.0.2", "10.1.0.1")),
            "two load-balance indexes (backend=10.1.0.1)",
        ),
    ],
)
async def test_a_listing_that_cannot_be_used_is_told_and_what_it_tells_is_unknown(listing: bytes, why: str) -> None:
    events: list[Event] = []
    lb, _ = table(events, cli_inband=[listing])

    audit = await lb.audit()

    assert audit.indexes is None
    assert audit.observed.vips == {
        WEB: ObservedVip(Encap.GRE4, None, 1024, {ONE: ObservedBackend(10, buckets=1024, flows=None)}),
        ALL: ObservedVip(Encap.GRE6, None, 65536, {SIX: ObservedBackend(0, buckets=0, flows=None)}),
    }
    (event,) = events
    assert isinstance(event, ListingUnreadable)
    assert why in event.reason


async def test_a_route_that_is_gone_is_left_out() -> None:
    lb, _ = table(ip_route_lookup=[route(0, -6), route(12)])

    audit = await lb.audit()

    assert audit.indexes is not None
    assert audit.indexes.routes == {ALL.prefix: 12}


@pytest.mark.parametrize(
    "changed",
    [
        {"ip_route_lookup": [route(0, -1), route(12)]},
        {"lb_vip_dump": [b"short"]},
        {"lb_as_v2_dump": [b"short"]},
        {"lb_conf_get": [retval(-1, bytes(28))]},
    ],
)
async def test_an_audit_of_what_makes_no_sense_is_a_protocol_error(changed: dict[str, Any]) -> None:
    lb, _ = table(**changed)

    with pytest.raises(ProtocolError):
        await lb.audit()


async def test_each_op_gets_its_own_answer_also_those_that_are_not_sent() -> None:
    lb, canned = table(
        lb_conf=[retval(0)],
        lb_add_del_vip_v2=[retval(-81)],
        lb_as_set_weight=[retval(0)],
        lb_add_del_as_v2=[retval(-97)],
    )

    answers = await lb.execute(
        [
            SetConf(CONF),
            AddVip(WEB, Encap.GRE4, False, 1024),
            AddVip(WEB, Encap.GRE4, False, 0),
            SetWeight(WEB, ONE, 1, flush=False),
            AddBackend(WEB, SIX, 1),
        ]
    )

    done, exists, harmful, also_done, family = answers
    assert done is None
    assert also_done is None
    assert isinstance(exists, Refused)
    assert exists.fields == {"retval": -81, "vip": WEB}
    assert isinstance(harmful, Refused)
    assert "not sent" in harmful.what
    assert isinstance(family, Refused)
    assert family.fields == {"retval": -97, "vip": WEB, "backend": SIX}
    assert [ask.message for ask in canned.asked] == [
        "lb_conf",
        "lb_add_del_vip_v2",
        "lb_as_set_weight",
        "lb_add_del_as_v2",
    ]


async def test_refused_parameters_are_told_without_a_vip() -> None:
    lb, _ = table(lb_conf=[retval(-70)])

    (refused,) = await lb.execute([SetConf(CONF)])

    assert isinstance(refused, Refused)
    assert refused.fields == {"retval": -70}


async def test_a_command_gives_its_output() -> None:
    lb, _ = table(cli_inband=[text("vpp v26.10\n")])

    assert await lb.cli("show version") == "vpp v26.10\n"


async def test_a_command_that_vpp_does_not_know_is_refused() -> None:
    lb, _ = table(cli_inband=[text("unknown input `weather'\n", -1)])

    with pytest.raises(Refused, match="unknown input"):
        await lb.cli("show weather")
