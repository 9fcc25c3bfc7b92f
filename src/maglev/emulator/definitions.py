"""The messages we speak, as VPP describes its own through `get_api_json`; must not know what they do.

Names, types, CRCs and defaults are VPP's interface (26.10, lb API 1.2.0). As in VPP, each API carries the types it
uses.
"""

import json
from collections.abc import Iterator
from functools import cache

from maglev.emulator.apishape import Api, Message, Types, counted

_RETVAL_ONLY = "e8d4e804"


def messages() -> Iterator[Message]:
    """All messages of all APIs."""
    return (message for api in (MEMCLNT, *SERVED) for message in api.messages)


@cache
def all_json() -> str:
    """All APIs."""
    return json.dumps([api.json() for api in (MEMCLNT, *SERVED)])


@cache
def served_json() -> str:
    """The text of `get_api_json_reply`: as in VPP without memclnt, which whoever can ask has already."""
    return json.dumps([api.json() for api in SERVED])


def _request(name: str, crc: str, *fields: str) -> Message:
    return Message(name, crc, ("u32 client_index", "u32 context", *fields))


def _reply(request: str, crc: str = _RETVAL_ONLY, *fields: str) -> Message:
    return Message(f"{request}_reply", crc, ("u32 context", "i32 retval", *fields))


_IP_TYPES = Types(
    enums={
        "address_family": ("u8", {"ADDRESS_IP4": 0, "ADDRESS_IP6": 1}),
        "ip_dscp": (
            "u8",
            {
                **{f"IP_API_DSCP_CS{n}": 8 * n for n in range(7)},
                "IP_API_DSCP_CS7": 50,  # 56 everywhere else, but so it stands in VPP
                **{f"IP_API_DSCP_AF{n}{m}": 8 * n + 2 * m for n in range(1, 5) for m in range(1, 4)},
                "IP_API_DSCP_EF": 46,
            },
        ),
        "ip_proto": (
            "u8",
            {
                "IP_API_PROTO_HOPOPT": 0,
                "IP_API_PROTO_ICMP": 1,
                "IP_API_PROTO_IGMP": 2,
                "IP_API_PROTO_TCP": 6,
                "IP_API_PROTO_UDP": 17,
                "IP_API_PROTO_GRE": 47,
                "IP_API_PROTO_ESP": 50,
                "IP_API_PROTO_AH": 51,
                "IP_API_PROTO_ICMP6": 58,
                "IP_API_PROTO_EIGRP": 88,
                "IP_API_PROTO_OSPF": 89,
                "IP_API_PROTO_SCTP": 132,
                "IP_API_PROTO_RESERVED": 255,
            },
        ),
    },
    unions={"address_union": ("vl_api_ip4_address_t ip4", "vl_api_ip6_address_t ip6")},
    structs={
        "address": ("vl_api_address_family_t af", "vl_api_address_union_t un"),
        "prefix": ("vl_api_address_t address", "u8 len"),
        "prefix_matcher": ("u8 le", "u8 ge"),
    },
    aliases={
        "ip4_address": {"type": "u8", "length": 4},
        "ip6_address": {"type": "u8", "length": 16},
        "address_with_prefix": {"type": "vl_api_prefix_t"},
    },
)

_FIB_TYPES = Types(
    enums={
        "fib_path_nh_proto": ("u32", counted("FIB_API_PATH_NH_PROTO_", "IP4 IP6 MPLS ETHERNET BIER")),
        "fib_path_flags": (
            "u32",
            {
                "FIB_API_PATH_FLAG_NONE": 0,
                "FIB_API_PATH_FLAG_RESOLVE_VIA_ATTACHED": 1,
                "FIB_API_PATH_FLAG_RESOLVE_VIA_HOST": 2,
                "FIB_API_PATH_FLAG_POP_PW_CW": 4,
            },
        ),
        "fib_path_type": (
            "u32",
            counted(
                "FIB_API_PATH_TYPE_",
                "NORMAL LOCAL DROP UDP_ENCAP BIER_IMP ICMP_UNREACH ICMP_PROHIBIT SOURCE_LOOKUP DVR INTERFACE_RX"
                " CLASSIFY",
            ),
        ),
    },
    structs={
        "fib_mpls_label": ("u8 is_uniform", "u32 label", "u8 ttl", "u8 exp"),
        "fib_path_nh": ("vl_api_address_union_t address", "u32 via_label", "u32 obj_id", "u32 classify_table_index"),
        "fib_path": (
            "u32 sw_if_index",
            "u32 table_id",
            "u32 rpf_id",
            "u8 weight",
            "u8 preference",
            "vl_api_fib_path_type_t type",
            "vl_api_fib_path_flags_t flags",
            "vl_api_fib_path_nh_proto_t proto",
            "vl_api_fib_path_nh_t nh",
            "u8 n_labels",
            "vl_api_fib_mpls_label_t label_stack[16]",
        ),
    },
)

_ROUTE_TYPES = Types(
    structs={
        "ip_route": (
            "u32 table_id",
            "u32 stats_index",
            "vl_api_prefix_t prefix",
            "u8 n_paths",
            "vl_api_fib_path_t paths[n_paths]",
        )
    }
)

_LB_TYPES = Types(
    enums={
        "lb_srv_type": ("u32", counted("LB_API_SRV_", "TYPE_CLUSTERIP TYPE_NODEPORT N_TYPES")),
        "lb_encap_type": (
            "u32",
            counted("LB_API_ENCAP_", "TYPE_GRE4 TYPE_GRE6 TYPE_L3DSR TYPE_NAT4 TYPE_NAT6 N_TYPES"),
        ),
    },
    structs={"lb_vip": ("vl_api_address_with_prefix_t pfx", "vl_api_ip_proto_t protocol", "u16 port")},
)

_MEMCLNT_TYPES = Types(structs={"message_table_entry": ("u16 index", "string name[64]")})

_PFX, _AS_ADDRESS = "vl_api_address_with_prefix_t pfx", "vl_api_address_t as_address"
_AS_DETAILS = ("u32 context", "vl_api_lb_vip_t vip", "vl_api_address_t app_srv", "u8 flags", "u32 in_use_since")
_SOURCES = ("vl_api_ip4_address_t ip4_src_address", "vl_api_ip6_address_t ip6_src_address")

MEMCLNT = Api(
    "memclnt",
    "2.1.0",
    (
        Message("sockclnt_create", "455fb9c4", ("u32 context", "string name[64]")),
        Message(
            "sockclnt_create_reply",
            "35166268",
            (
                "u32 client_index",
                "u32 context",
                "i32 response",
                "u32 index",
                "u16 count",
                "vl_api_message_table_entry_t message_table[count]",
            ),
        ),
        _request("sockclnt_delete", "8ac76db6", "u32 index"),
        Message("sockclnt_delete_reply", "8f38b1ee", ("u32 context", "i32 response")),
        _request("control_ping", "51077d14"),
        _reply("control_ping", "f6b0b8ca", "u32 client_index", "u32 vpe_pid"),
        _request("get_api_json", "51077d14"),
        _reply("get_api_json", "ea715b59", "string json[]"),
    ),
    {r: f"{r}_reply" for r in ("sockclnt_create", "sockclnt_delete", "control_ping", "get_api_json")},
    (_MEMCLNT_TYPES,),
)

_VPE = Api(
    "vpe",
    "1.7.0",
    (
        _request("show_version", "51077d14"),
        _reply(
            "show_version",
            "c919bde1",
            "string program[32]",
            "string version[32]",
            "string build_date[32]",
            "string build_directory[256]",
        ),
    ),
    {"show_version": "show_version_reply"},
)

_VLIB = Api(
    "vlib",
    "1.0.0",
    (_request("cli_inband", "f8377302", "string cmd[]"), _reply("cli_inband", "05879051", "string reply[]")),
    {"cli_inband": "cli_inband_reply"},
)

_IP = Api(
    "ip",
    "3.2.0",
    (
        _request("ip_route_lookup", "710d6471", "u32 table_id", "u8 exact", "vl_api_prefix_t prefix"),
        _reply("ip_route_lookup", "5d8febcb", "vl_api_ip_route_t route"),
    ),
    {"ip_route_lookup": "ip_route_lookup_reply"},
    (_IP_TYPES, _FIB_TYPES, _ROUTE_TYPES),
)

_LB_SETTERS = (
    _request("lb_conf", "56cd3261", *_SOURCES, "u32 sticky_buckets_per_core=4294967295", "u32 flow_timeout=4294967295"),
    _request(
        "lb_add_del_vip_v2",
        "7c520e0f",
        _PFX,
        "u8 protocol=255",
        "u16 port",
        "vl_api_lb_encap_type_t encap",
        "u8 dscp",
        "vl_api_lb_srv_type_t type",
        "u16 target_port",
        "u16 node_port",
        "u32 new_flows_table_length=1024",
        "bool src_ip_sticky",
        "bool is_del",
    ),
    _request(
        "lb_add_del_as_v2",
        "2f1d3b0e",
        _PFX,
        "u8 protocol=255",
        "u16 port",
        _AS_ADDRESS,
        "u8 weight=100",
        "bool is_del",
        "bool is_flush",
    ),
    _request(
        "lb_as_set_weight",
        "2d89bdbd",
        _PFX,
        "u8 protocol=255",
        "u16 port",
        _AS_ADDRESS,
        "u8 weight",
        "bool is_flush",
    ),
    _request("lb_flush_vip", "1063f819", _PFX, "u8 protocol", "u16 port"),
)

_LB = Api(
    "lb",
    "1.2.0",
    (
        *(message for setter in _LB_SETTERS for message in (setter, _reply(setter.name))),
        _request("lb_conf_get", "51077d14"),
        _reply("lb_conf_get", "923427ac", *_SOURCES, "u32 sticky_buckets_per_core", "u32 flow_timeout"),
        _request(
            "lb_vip_dump",
            "56110cb7",
            _PFX,
            "vl_api_prefix_matcher_t pfx_matcher",
            "u8 protocol=255",
            "u16 port",
        ),
        Message(
            "lb_vip_details",
            "1329ec9b",
            (
                "u32 context",
                "vl_api_lb_vip_t vip",
                "vl_api_lb_encap_type_t encap",
                "vl_api_ip_dscp_t dscp",
                "vl_api_lb_srv_type_t srv_type",
                "u16 target_port",
                "u16 flow_table_length",
            ),
        ),
        _request("lb_as_v2_dump", "1063f819", _PFX, "u8 protocol", "u16 port"),
        Message("lb_as_v2_details", "90064aae", (*_AS_DETAILS, "u8 weight", "u32 num_buckets")),
    ),
    {
        **{setter.name: f"{setter.name}_reply" for setter in _LB_SETTERS},
        "lb_conf_get": "lb_conf_get_reply",
        "lb_vip_dump": "lb_vip_details",
        "lb_as_v2_dump": "lb_as_v2_details",
    },
    (_IP_TYPES, _LB_TYPES),
)

SERVED = (_VPE, _VLIB, _IP, _LB)
