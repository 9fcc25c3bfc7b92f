"""API definitions in VPP's JSON, made here: the shapes of the messages we use, as their CRCs promise them."""

from collections.abc import Iterable
from typing import Any

from maglev.vpp.wire import NEEDED

PREFIX = "pfx address_with_prefix"
KEY = f"{PREFIX}, protocol u8, port u16"
CONF = "ip4_src_address ip4_address, ip6_src_address ip6_address, sticky_buckets_per_core u32, flow_timeout u32"

REQUESTS = {
    "show_version": "",
    "cli_inband": "cmd string 0",
    "ip_route_lookup": "table_id u32, exact u8, prefix prefix",
    "lb_conf": CONF,
    "lb_conf_get": "",
    "lb_add_del_vip_v2": f"{KEY}, encap lb_encap_type, dscp u8, type lb_srv_type, target_port u16, node_port u16, "
    "new_flows_table_length u32, src_ip_sticky bool, is_del bool",
    "lb_add_del_as_v2": f"{KEY}, as_address address, weight u8, is_del bool, is_flush bool",
    "lb_as_set_weight": f"{KEY}, as_address address, weight u8, is_flush bool",
    "lb_vip_dump": f"{PREFIX}, pfx_matcher prefix_matcher, protocol u8, port u16",
    "lb_as_v2_dump": KEY,
}
REPLIES = {
    "show_version_reply": "retval i32, program string 32, version string 32, build_date string 32, "
    "build_directory string 256",
    "cli_inband_reply": "retval i32, reply string 0",
    "ip_route_lookup_reply": "retval i32, route ip_route",
    "lb_conf_reply": "retval i32",
    "lb_conf_get_reply": f"retval i32, {CONF}",
    "lb_add_del_vip_v2_reply": "retval i32",
    "lb_add_del_as_v2_reply": "retval i32",
    "lb_as_set_weight_reply": "retval i32",
    "lb_vip_details": "vip lb_vip, encap lb_encap_type, dscp ip_dscp, srv_type lb_srv_type, target_port u16, "
    "flow_table_length u16",
    "lb_as_v2_details": "vip lb_vip, app_srv address, flags u8, in_use_since u32, weight u8, num_buckets u32",
}
TYPES = {
    "address": "af address_family, un address_union",
    "prefix": "address address, len u8",
    "prefix_matcher": "le u8, ge u8",
    "lb_vip": "pfx address_with_prefix, protocol ip_proto, port u16",
    "mpls_label": "is_uniform u8, label u32, ttl u8, exp u8",
    "fib_path": "sw_if_index u32, weight u8, type fib_path_type, n_labels u8, label_stack mpls_label 16",
    "ip_route": "table_id u32, stats_index u32, prefix prefix, n_paths u8, paths fib_path 0 n_paths",
}
SCALARS = {"u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f64", "bool", "string"}


def rows(fields: str) -> list[Any]:
    """`name type [length [count]]`, separated by commas -> the rows of VPP's JSON."""
    found: list[Any] = []
    for field in filter(None, fields.split(", ")):
        name, kind, *length = field.split()
        spelled = kind if kind in SCALARS else f"vl_api_{kind}_t"
        found.append([spelled, name, *(int(part) if part.isdigit() else part for part in length)])
    return found


def message(name: str, crc: str, header: Iterable[str], fields: str) -> list[Any]:
    head = [["u16" if field == "_vl_msg_id" else "u32", field] for field in header]
    return [name, *head, *rows(fields), {"crc": f"0x{crc}", "options": {}, "comment": "/* none */"}]


def module(**changed: Any) -> dict[str, Any]:
    request, reply = ("_vl_msg_id", "client_index", "context"), ("_vl_msg_id", "context")
    found = {
        "module": "lb",
        "types": [[name, *rows(fields), {"comment": "/* a type */"}] for name, fields in TYPES.items()],
        "unions": [["address_union", *rows("ip4 ip4_address, ip6 ip6_address")]],
        "enums": [
            ["address_family", ["ADDRESS_IP4", 0], ["ADDRESS_IP6", 1], {"enumtype": "u8"}],
            ["ip_proto", ["TCP", 6], {"enumtype": "u8"}],
            ["ip_dscp", ["CS0", 0], {"enumtype": "u8"}],
            ["lb_encap_type", ["GRE4", 0], {"enumtype": "u32"}],
            ["lb_srv_type", ["CLUSTERIP", 0], {}],
        ],
        "enumflags": [["fib_path_type", ["NORMAL", 0], {}]],
        "aliases": {
            "ip4_address": {"type": "u8", "length": 4},
            "ip6_address": {"type": "u8", "length": 16},
            "address_with_prefix": {"type": "vl_api_prefix_t"},
        },
        "messages": [message(name, NEEDED[name], request, fields) for name, fields in REQUESTS.items()]
        + [message(name, NEEDED[name], reply, fields) for name, fields in REPLIES.items()],
    }
    return found | changed


DEFINITIONS: list[dict[str, Any]] = [module()]
