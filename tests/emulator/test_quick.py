"""The layouts written down in `quick` are those of vpp_papi's serializer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator import quick
from maglev.emulator.wire import Fields, Wire
from maglev.errors import ProtocolError

WIRE = Wire()
U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
I32 = st.integers(-(2**31), 2**31 - 1)
BYTES16 = st.binary(min_size=16, max_size=16)
KINDS = st.integers(0, 1)

addresses = st.fixed_dictionaries({"af": KINDS, "un": st.fixed_dictionaries({"ip6": BYTES16})})
prefixes = st.fixed_dictionaries({"address": addresses, "len": U8})
keys = {"pfx": prefixes, "protocol": U8, "port": U16}
header = {"client_index": U32, "context": U32}
vips = st.fixed_dictionaries(keys)

REQUESTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "lb_add_del_vip_v2": st.fixed_dictionaries(
        header
        | keys
        | {
            "encap": st.integers(0, 4),
            "dscp": U8,
            "type": KINDS,
            "target_port": U16,
            "node_port": U16,
            "new_flows_table_length": U32,
            "src_ip_sticky": st.booleans(),
            "is_del": st.booleans(),
        }
    ),
    "lb_add_del_as_v2": st.fixed_dictionaries(
        header | keys | {"as_address": addresses, "weight": U8, "is_del": st.booleans(), "is_flush": st.booleans()}
    ),
    "lb_as_set_weight": st.fixed_dictionaries(
        header | keys | {"as_address": addresses, "weight": U8, "is_flush": st.booleans()}
    ),
    "ip_route_lookup": st.fixed_dictionaries(header | {"table_id": U32, "exact": U8, "prefix": prefixes}),
}
RETVAL = st.fixed_dictionaries({"context": U32, "retval": I32})
REPLIES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "lb_add_del_vip_v2_reply": RETVAL,
    "lb_add_del_as_v2_reply": RETVAL,
    "lb_as_set_weight_reply": RETVAL,
    "lb_vip_details": st.fixed_dictionaries(
        {
            "context": U32,
            "vip": vips,
            "encap": st.integers(0, 4),
            "dscp": U8,
            "srv_type": U32,
            "target_port": U16,
            "flow_table_length": U16,
        }
    ),
    "lb_as_v2_details": st.fixed_dictionaries(
        {
            "context": U32,
            "vip": vips,
            "app_srv": addresses,
            "flags": U8,
            "in_use_since": U32,
            "weight": U8,
            "num_buckets": U32,
        }
    ),
}


def test_no_message_is_left_out_here() -> None:
    assert REQUESTS.keys() == quick.UNPACK.keys()
    assert REPLIES.keys() == quick.PACK.keys()


@given(data=st.data())
@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_read_as_vpp_papi_reads_them(name: str, data: st.DataObject) -> None:
    payload = WIRE.packed(name, 7, data.draw(REQUESTS[name])) + data.draw(st.binary(max_size=3))

    assert WIRE.unpack(name, payload) == WIRE.unpacked(name, payload)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_is_cut_short_is_no_request(name: str) -> None:
    payload = WIRE.packed(name, 7, {})

    assert WIRE.unpack(name, payload)
    with pytest.raises(ProtocolError, match="truncated"):
        WIRE.unpack(name, payload[:-1])


@given(data=st.data())
@pytest.mark.parametrize("name", REPLIES)
def test_replies_are_written_as_vpp_papi_writes_them(name: str, data: st.DataObject) -> None:
    fields = data.draw(REPLIES[name])

    assert quick.PACK[name](7, fields) == WIRE.packed(name, 7, fields)


def route(prefix: Fields, index: int, *, kind: int, proto: int, paths: int) -> dict[str, Any]:
    path = {"sw_if_index": 0xFFFFFFFF, "weight": 1, "type": kind, "proto": proto, "nh": {}, "label_stack": [{}] * 16}
    return {"table_id": 0, "stats_index": index, "prefix": prefix, "n_paths": paths, "paths": [path][:paths]}


@given(
    prefixes=st.lists(prefixes, min_size=1, max_size=4),
    index=U32,
    retval=I32,
    kind=st.sampled_from([0, 2]),
    proto=KINDS,
    paths=KINDS,
)
def test_routes_are_written_as_vpp_papi_writes_them(
    prefixes: list[Fields], index: int, retval: int, kind: int, proto: int, paths: int
) -> None:
    pack = quick.RoutePacker(lambda number, fields: WIRE.packed("ip_route_lookup_reply", number, fields))

    for prefix in prefixes:
        fields = {"context": 5, "retval": retval, "route": route(prefix, index, kind=kind, proto=proto, paths=paths)}
        assert pack(7, fields) == WIRE.packed("ip_route_lookup_reply", 7, fields)
