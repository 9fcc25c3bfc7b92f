"""The messages we use, by name and CRC, and their compiled codecs; knows their fields, not what they mean to us.

VPP pins the shape of a message, types included, by a CRC: where name and CRC are there, the shape is the one below.
"""

from collections.abc import Mapping
from types import MappingProxyType

from maglev.errors import ProtocolError
from maglev.vpp.codec import REPLY_HEADER, REQUEST_HEADER, Decoder, Encoder, decoder, encoder
from maglev.vpp.definitions import Shape, bootstrap_definitions

NEEDED_VERSION = "26.10"
"""The first VPP whose lb plugin has weights and a binary API that can make an IPv4 VIP (lb API 1.2.0)."""

RETVAL_ONLY = "e8d4e804"
BOOTSTRAP: Mapping[str, str] = MappingProxyType(
    {
        "sockclnt_create": "455fb9c4",
        "sockclnt_create_reply": "35166268",
        "sockclnt_delete": "8ac76db6",
        "sockclnt_delete_reply": "8f38b1ee",
        "get_api_json": "51077d14",
        "get_api_json_reply": "ea715b59",
        "control_ping": "51077d14",
        "control_ping_reply": "f6b0b8ca",
    }
)
"""What is defined by VPP's src/vlibmemory/memclnt.api, which is not among the definitions that VPP hands over."""
NEEDED: Mapping[str, str] = MappingProxyType(
    {
        **BOOTSTRAP,
        "show_version": "51077d14",
        "show_version_reply": "c919bde1",
        "cli_inband": "f8377302",
        "cli_inband_reply": "05879051",
        "ip_route_lookup": "710d6471",
        "ip_route_lookup_reply": "5d8febcb",
        "lb_conf": "56cd3261",
        "lb_conf_reply": RETVAL_ONLY,
        "lb_conf_get": "51077d14",
        "lb_conf_get_reply": "923427ac",
        "lb_add_del_vip_v2": "7c520e0f",
        "lb_add_del_vip_v2_reply": RETVAL_ONLY,
        "lb_add_del_as_v2": "2f1d3b0e",
        "lb_add_del_as_v2_reply": RETVAL_ONLY,
        "lb_as_set_weight": "2d89bdbd",
        "lb_as_set_weight_reply": RETVAL_ONLY,
        "lb_vip_dump": "56110cb7",
        "lb_vip_details": "1329ec9b",
        "lb_as_v2_dump": "1063f819",
        "lb_as_v2_details": "90064aae",
    }
)


class Bootstrap:
    """Codecs of the messages that come before VPP's own definitions."""

    def __init__(self) -> None:
        shapes = bootstrap_definitions()
        create, reply = _shape(shapes, "sockclnt_create"), _shape(shapes, "sockclnt_create_reply")
        # These two have each other's header.
        self.create = encoder(create, "name", header=REPLY_HEADER)
        self.create_reply = decoder(reply, "response", "index", "message_table", header=REQUEST_HEADER)
        self.delete = encoder(_shape(shapes, "sockclnt_delete"), "index")
        self.api_json = encoder(_shape(shapes, "get_api_json"))
        self.api_json_reply = decoder(_shape(shapes, "get_api_json_reply"), "retval", "json")
        self.ping = encoder(_shape(shapes, "control_ping"))
        self.ping_reply = decoder(_shape(shapes, "control_ping_reply"), "retval", "vpe_pid")


class Version:
    """Codecs of show_version alone: what tells the version of a VPP that lacks something else."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.request = encoder(_shape(shapes, "show_version"))
        self.reply = decoder(_shape(shapes, "show_version_reply"), "retval", "version", "build_date", "build_directory")


class Wire:
    """Codecs of all other messages; an encoder takes, and a decoder gives, the fields named here in their order."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        def encodes(name: str, *paths: str) -> Encoder:
            return encoder(_shape(shapes, name), *paths)

        def decodes(name: str, *paths: str) -> Decoder:
            return decoder(_shape(shapes, name), *paths)

        prefix = ("pfx.address.af", "pfx.address.un", "pfx.len")
        key = (*prefix, "protocol", "port")
        vip = ("vip.pfx.address.af", "vip.pfx.address.un", "vip.pfx.len", "vip.protocol", "vip.port")
        address = ("as_address.af", "as_address.un")
        conf = ("ip4_src_address", "ip6_src_address", "sticky_buckets_per_core", "flow_timeout")

        self.version = Version(shapes)
        self.cli = encodes("cli_inband", "cmd")
        self.cli_reply = decodes("cli_inband_reply", "retval", "reply")
        self.route = encodes(
            "ip_route_lookup", "table_id", "exact", "prefix.address.af", "prefix.address.un", "prefix.len"
        )
        self.route_reply = decodes("ip_route_lookup_reply", "retval", "route.stats_index")
        self.conf = encodes("lb_conf", *conf)
        self.conf_get = encodes("lb_conf_get")
        self.conf_get_reply = decodes("lb_conf_get_reply", "retval", *conf)
        self.vip = encodes(
            "lb_add_del_vip_v2",
            *key,
            "encap",
            "dscp",
            "type",
            "target_port",
            "node_port",
            "new_flows_table_length",
            "src_ip_sticky",
            "is_del",
        )
        self.backend = encodes("lb_add_del_as_v2", *key, *address, "weight", "is_del", "is_flush")
        self.weight = encodes("lb_as_set_weight", *key, *address, "weight", "is_flush")
        self.vip_dump = encodes("lb_vip_dump", *prefix, "pfx_matcher.le", "pfx_matcher.ge", "protocol", "port")
        self.vip_details = decodes("lb_vip_details", *vip, "encap", "flow_table_length")
        self.backend_dump = encodes("lb_as_v2_dump", *key)
        self.backend_details = decodes(
            "lb_as_v2_details", *vip, "app_srv.af", "app_srv.un", "flags", "weight", "num_buckets"
        )
        # Every reply that is nothing but a retval has the same CRC, so one decoder reads them all.
        self.retval = decodes("lb_conf_reply", "retval")


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    shape = shapes.get(name)
    if shape is None or shape.crc != NEEDED[name]:
        raise ProtocolError(
            "a message is not defined as its CRC promises",
            message=name,
            seen=shape.crc if shape else "no definition",
            expected=NEEDED[name],
        )
    return shape
