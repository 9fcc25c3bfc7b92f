import json
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.model import Encap, LbConf, VipKey
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.errors import ProtocolError, Refused
from maglev.vpp.definitions import read_definitions
from maglev.vpp.records import MAX_TABLE_LENGTH, BackendRecord, Records, VipRecord
from maglev.vpp.transport import Call
from maglev.vpp.wire import Wire
from tests.vpp.samples import DEFINITIONS

RECORDS = Records(Wire(read_definitions(json.dumps(DEFINITIONS))))
WEB = VipKey(ip_network("192.0.2.1/32"), 6, 80)
ALL = VipKey(ip_network("2001:db8::/64"), 255, 0)
IP4, IP6 = ip_address("10.1.0.1"), ip_address("2001:db8:1::1")
WEB_KEY = bytes([0, 192, 0, 2, 1]) + bytes(12) + bytes([32, 6, 0, 80])
ALL_KEY = bytes([1]) + ALL.prefix.network_address.packed + bytes([64, 255, 0, 0])
IP4_BYTES = bytes([0, 10, 1, 0, 1]) + bytes(12)
IP6_BYTES = bytes([1]) + IP6.packed


@pytest.mark.parametrize(
    ("op", "message", "body"),
    [
        (
            SetConf(LbConf(IPv4Address("10.0.0.1"), IPv6Address("2001:db8::2"), 1024, 40)),
            "lb_conf",
            bytes([10, 0, 0, 1]) + IPv6Address("2001:db8::2").packed + struct.pack(">II", 1024, 40),
        ),
        (
            AddVip(WEB, Encap.GRE4, src_ip_sticky=True, table_length=1024),
            "lb_add_del_vip_v2",
            WEB_KEY + struct.pack(">IBIHHI??", 0, 0, 0, 0, 0, 1024, True, False),
        ),
        (
            AddVip(ALL, Encap.GRE6, src_ip_sticky=False, table_length=65536),
            "lb_add_del_vip_v2",
            ALL_KEY + struct.pack(">IBIHHI??", 1, 0, 0, 0, 0, 65536, False, False),
        ),
        (DelVip(WEB, "gone"), "lb_add_del_vip_v2", WEB_KEY + struct.pack(">IBIHHI??", 0, 0, 0, 0, 0, 0, False, True)),
        (AddBackend(WEB, IP4, 100), "lb_add_del_as_v2", WEB_KEY + IP4_BYTES + bytes([100, 0, 1])),
        (DelBackend(ALL, IP6), "lb_add_del_as_v2", ALL_KEY + IP6_BYTES + bytes([0, 1, 1])),
        (SetWeight(WEB, IP6, 7, flush=False), "lb_as_set_weight", WEB_KEY + IP6_BYTES + bytes([7, 0])),
        (SetWeight(WEB, IP4, 0, flush=True), "lb_as_set_weight", WEB_KEY + IP4_BYTES + bytes([0, 1])),
    ],
)
def test_an_op_becomes_one_request_with_every_field(op: Op, message: str, body: bytes) -> None:
    assert RECORDS.op(op) == Call(message, body, f"{message}_reply")


@pytest.mark.parametrize(
    ("op", "why"),
    [
        (SetConf(LbConf(IPv4Address(0), IPv6Address(0), 0, 40)), "sticky_buckets_per_core=0"),
        (AddVip(WEB, Encap.GRE4, False, 0), "table_length=0"),
        (AddVip(WEB, Encap.GRE4, False, 2 * MAX_TABLE_LENGTH), "runs out of memory"),
        (AddVip(VipKey(ip_network("::1/128"), 6, 80), Encap.GRE6, False, 1024), "for IPv4"),
        (AddBackend(WEB, IP4, 101), "weight=101"),
        (AddBackend(WEB, IP4, -1), "weight=-1"),
        (SetWeight(WEB, IP4, 255, False), "weight=255"),
    ],
)
def test_what_would_harm_vpp_is_refused_here(op: Op, why: str) -> None:
    with pytest.raises(Refused, match=why):
        RECORDS.op(op)


def test_dumps_ask_for_everything() -> None:
    assert not any(RECORDS.vips.body)
    assert not any(RECORDS.backends.body)


def test_a_route_is_looked_up_exactly() -> None:
    assert RECORDS.route(WEB.prefix).body == bytes([0, 0, 0, 0, 1, 0, 192, 0, 2, 1]) + bytes(12) + bytes([32])


def vip_details(key: bytes, encap: int, length: int) -> bytes:
    return bytes(6) + key + struct.pack(">IBIHH", encap, 0, 0, 0, length)


def backend_details(key: bytes, address: bytes, flags: int, weight: int = 5, buckets: int = 9) -> bytes:
    return bytes(6) + key + address + struct.pack(">BIBI", flags, 0, weight, buckets)


def test_vips_are_read() -> None:
    assert RECORDS.read_vips([vip_details(WEB_KEY, 0, 1024), vip_details(ALL_KEY, 1, 0)]) == [
        VipRecord(WEB, Encap.GRE4, 1024),
        VipRecord(ALL, Encap.GRE6, 0),
    ]


def test_dead_backends_are_left_out() -> None:
    details = [backend_details(WEB_KEY, IP4_BYTES, 1), backend_details(WEB_KEY, IP6_BYTES, 0xFE)]

    assert RECORDS.read_backends(details) == {WEB: [BackendRecord(IP4, 5, 9)]}


def test_a_vip_of_the_ipv6_default_route_is_not_mistaken_for_ipv4() -> None:
    (vip,) = RECORDS.read_vips([vip_details(bytes(17) + bytes([64, 6, 0, 80]), 1, 1024)])

    assert vip.key.prefix == ip_network("::/64")


@pytest.mark.parametrize(
    ("details", "what"),
    [
        (vip_details(WEB_KEY, 5, 1024), "no encap"),
        (vip_details(bytes([2]) + WEB_KEY[1:], 0, 1024), "no family"),
        (vip_details(WEB_KEY[:17] + bytes([33, 6, 0, 80]), 0, 1024), "makes no sense"),
        (vip_details(WEB_KEY[:17] + bytes([24, 6, 0, 80]), 0, 1024), "makes no sense"),
        (vip_details(ALL_KEY[:17] + bytes([129, 6, 0, 80]), 0, 1024), "makes no sense"),
        (vip_details(WEB_KEY, 0, 1024)[:-1], "wrong length"),
    ],
)
def test_a_vip_that_makes_no_sense_is_a_protocol_error(details: bytes, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        RECORDS.read_vips([details])


@given(st.binary(min_size=34, max_size=34), st.integers(0, 5))
def test_any_vip_record_is_a_value_or_a_protocol_error(body: bytes, family: int) -> None:
    try:
        (vip,) = RECORDS.read_vips([bytes(6) + bytes([family]) + body[1:]])
    except ProtocolError:
        return
    assert vip.key.prefix.version == (4 if family == 0 else 6) or int(vip.key.prefix.network_address) == 0


def test_the_parameters_are_read() -> None:
    body = bytes(10) + bytes([10, 0, 0, 1]) + IP6.packed + struct.pack(">II", 65536, 41)

    assert RECORDS.read_conf(body) == LbConf(IPv4Address("10.0.0.1"), IPv6Address(IP6.packed), 65536, 41)


def test_parameters_that_vpp_does_not_tell_are_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="retval=-1"):
        RECORDS.read_conf(struct.pack(">HIi", 0, 0, -1) + bytes(28))
