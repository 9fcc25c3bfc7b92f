"""The messages that come by the ten thousand, packed and unpacked by `struct`; must not know what they mean.

vpp_papi's serializer takes 30 to 400 us for one of them, about as long as VPP takes to carry it out. These layouts are
written down from the message definitions and held to that serializer by a test; whatever has no layout here, or does
not fit it, goes the long way.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

Fields = Mapping[str, Any]
Unpack = Callable[[bytes], Fields]
"""A request's fields, as `wire` gives them. Raises struct.error for one that is too short."""


class Union(NamedTuple):
    """`vl_api_address_union_t`: the same bytes twice."""

    ip4: bytes
    ip6: bytes


class Address(NamedTuple):
    """`vl_api_address_t`."""

    af: int
    un: Union


class Prefix(NamedTuple):
    """`vl_api_prefix_t`."""

    address: Address
    len: int


_HEADER, _KEY, _ADDRESS = "HII", "B16sBBH", "B16s"
_VIP = struct.Struct(f">{_HEADER}{_KEY}IBIHHI??")
_AS = struct.Struct(f">{_HEADER}{_KEY}{_ADDRESS}B??")
_WEIGHT = struct.Struct(f">{_HEADER}{_KEY}{_ADDRESS}B?")
_LOOKUP = struct.Struct(f">{_HEADER}IBB16sB")
_RETVAL = struct.Struct(">HIi")
_VIP_DETAILS = struct.Struct(f">HI{_KEY}IBIHH")
_AS_DETAILS = struct.Struct(f">HI{_KEY}{_ADDRESS}BIBI")
_ROUTE = struct.Struct(">HIiIIB16sBB")


@lru_cache(maxsize=1 << 16)
def _address(family: int, union: bytes) -> Address:
    return Address(family, Union(union[:4], union))


@lru_cache(maxsize=1 << 16)
def _prefix(family: int, union: bytes, length: int) -> Prefix:
    return Prefix(_address(family, union), length)


def _vip(payload: bytes) -> Fields:
    (number, client, context, af, un, length, protocol, port, encap, dscp, kind, target, node, size, sticky, is_del) = (
        _VIP.unpack_from(payload)
    )
    return {
        "_vl_msg_id": number,
        "client_index": client,
        "context": context,
        "pfx": _prefix(af, un, length),
        "protocol": protocol,
        "port": port,
        "encap": encap,
        "dscp": dscp,
        "type": kind,
        "target_port": target,
        "node_port": node,
        "new_flows_table_length": size,
        "src_ip_sticky": sticky,
        "is_del": is_del,
    }


def _as(payload: bytes) -> Fields:
    number, client, context, af, un, length, protocol, port, as_af, as_un, weight, is_del, is_flush = _AS.unpack_from(
        payload
    )
    return {
        "_vl_msg_id": number,
        "client_index": client,
        "context": context,
        "pfx": _prefix(af, un, length),
        "protocol": protocol,
        "port": port,
        "as_address": _address(as_af, as_un),
        "weight": weight,
        "is_del": is_del,
        "is_flush": is_flush,
    }


def _weight(payload: bytes) -> Fields:
    number, client, context, af, un, length, protocol, port, as_af, as_un, weight, is_flush = _WEIGHT.unpack_from(
        payload
    )
    return {
        "_vl_msg_id": number,
        "client_index": client,
        "context": context,
        "pfx": _prefix(af, un, length),
        "protocol": protocol,
        "port": port,
        "as_address": _address(as_af, as_un),
        "weight": weight,
        "is_flush": is_flush,
    }


def _lookup(payload: bytes) -> Fields:
    number, client, context, table, exact, af, un, length = _LOOKUP.unpack_from(payload)
    return {
        "_vl_msg_id": number,
        "client_index": client,
        "context": context,
        "table_id": table,
        "exact": exact,
        "prefix": _prefix(af, un, length),
    }


UNPACK: Mapping[str, Unpack] = {
    "lb_add_del_vip_v2": _vip,
    "lb_add_del_as_v2": _as,
    "lb_as_set_weight": _weight,
    "ip_route_lookup": _lookup,
}

Pack = Callable[[int, Fields], bytes]
"""Message id and fields to bytes. Raises KeyError for fields that this layout does not know."""


def _retval(number: int, fields: Fields) -> bytes:
    return _RETVAL.pack(number, fields["context"], fields["retval"])


def _key(vip: Fields) -> tuple[int, bytes, int, int, int]:
    address = vip["pfx"]["address"]
    return address["af"], address["un"]["ip6"], vip["pfx"]["len"], vip["protocol"], vip["port"]


def _vip_details(number: int, fields: Fields) -> bytes:
    return _VIP_DETAILS.pack(
        number,
        fields["context"],
        *_key(fields["vip"]),
        fields["encap"],
        fields["dscp"],
        fields["srv_type"],
        fields["target_port"],
        fields["flow_table_length"],
    )


def _as_details(number: int, fields: Fields) -> bytes:
    server = fields["app_srv"]
    return _AS_DETAILS.pack(
        number,
        fields["context"],
        *_key(fields["vip"]),
        server["af"],
        server["un"]["ip6"],
        fields["flags"],
        fields["in_use_since"],
        fields["weight"],
        fields["num_buckets"],
    )


PACK: Mapping[str, Pack] = {
    "lb_add_del_vip_v2_reply": _retval,
    "lb_add_del_as_v2_reply": _retval,
    "lb_as_set_weight_reply": _retval,
    "lb_vip_details": _vip_details,
    "lb_as_v2_details": _as_details,
}


class RoutePacker:
    """`ip_route_lookup_reply`: its paths, 240 bytes that are nearly always the same, are packed the `long_way` once."""

    def __init__(self, long_way: Pack) -> None:
        self._long_way = long_way
        self._paths: dict[tuple[int, int, int], bytes] = {}

    def __call__(self, number: int, fields: Fields) -> bytes:
        """The reply; a route has one path or none."""
        route = fields["route"]
        path = route["paths"][0] if route["n_paths"] else {"type": 0, "proto": 0}
        kind = route["n_paths"], path["type"], path["proto"]
        if kind not in self._paths:
            self._paths[kind] = self._long_way(number, fields)[_ROUTE.size :]
        prefix = route["prefix"]
        head = _ROUTE.pack(
            number,
            fields["context"],
            fields["retval"],
            route["table_id"],
            route["stats_index"],
            prefix["address"]["af"],
            prefix["address"]["un"]["ip6"],
            prefix["len"],
            route["n_paths"],
        )
        return head + self._paths[kind]
