"""The messages' meaning: fields of a request -> call of the engine -> answers; must not know connections or bytes.

A handler runs in one go, as in VPP's main thread; the answers of a dump are values taken at that moment.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from maglev.emulator import ip46, listing
from maglev.emulator.definitions import served_json
from maglev.emulator.fib import Route
from maglev.emulator.lb import Retval
from maglev.emulator.vip import Vip, VipKey, VipRequest
from maglev.emulator.vpp import VERSION, Vpp
from maglev.emulator.wire import Fields, address_fields, prefix_fields

Answers = Iterable[tuple[str, Fields]]
"""Message names and fields, without id and context."""

_CLI_FAILED = -1
_NOT_AN_INTERFACE = 0xFFFFFFFF
_PATH_NORMAL, _PATH_DROP = 0, 2
_LABELS = [{"is_uniform": 0, "label": 0, "ttl": 0, "exp": 0}] * 16


class Api:
    """All requests but the handshake. `answer` raises lb.Died where VPP would die."""

    def __init__(self, vpp: Vpp) -> None:
        self._vpp = vpp
        self._handlers: dict[str, Callable[[Fields], Answers]] = {
            "control_ping": self._control_ping,
            "get_api_json": lambda _: _reply("get_api_json", json=served_json()),
            "show_version": self._show_version,
            "cli_inband": self._cli_inband,
            "ip_route_lookup": self._ip_route_lookup,
            "lb_conf": self._lb_conf,
            "lb_conf_get": self._lb_conf_get,
            "lb_add_del_vip_v2": self._lb_add_del_vip_v2,
            "lb_add_del_as_v2": self._lb_add_del_as_v2,
            "lb_as_set_weight": self._lb_as_set_weight,
            "lb_flush_vip": self._lb_flush_vip,
            "lb_vip_dump": self._lb_vip_dump,
            "lb_as_v2_dump": self._lb_as_v2_dump,
        }

    def answer(self, name: str, request: Fields) -> Answers | None:
        """Do what is asked; None for a message that is no request."""
        handler = self._handlers.get(name)
        return None if handler is None else handler(request)

    def _control_ping(self, request: Fields) -> Answers:
        pid = self._vpp.identity.pid
        return _reply("control_ping", client_index=request["client_index"], vpe_pid=pid)

    def _show_version(self, _: Fields) -> Answers:
        return _reply(
            "show_version",
            program=VERSION.program,
            version=VERSION.version,
            build_date=VERSION.build_date,
            build_directory=VERSION.build_directory,
        )

    def _cli_inband(self, request: Fields) -> Answers:
        text = self._cli(request["cmd"].split())
        if text is None:
            return _reply("cli_inband", _CLI_FAILED, reply=f"unknown input `{request['cmd'].strip()}'\n")
        return _reply("cli_inband", reply=text)

    def _cli(self, words: list[str]) -> str | None:
        vpp = self._vpp
        match words:
            case ["show", "version"]:
                return listing.show_version(VERSION)
            case ["show", "lb", "vips", "verbose", *_]:
                return listing.show_vips_verbose(vpp.lb, vpp.workers)
            case ["show", "lb", "vips", *_]:
                return listing.show_vips(vpp.lb)
            case ["show", "lb", *_]:
                return listing.show_lb(vpp.lb, vpp.workers, vpp.uptime_s())
            case ["show", "ip" | "ip6", "fib", prefix]:
                return listing.show_fib(vpp.fib, prefix)
            case _:
                return None

    def _ip_route_lookup(self, request: Fields) -> Answers:
        prefix = request["prefix"]
        version = 6 if prefix.address.af else 4
        address = int.from_bytes(prefix.address.un.ip6 if version == 6 else prefix.address.un.ip4, "big")
        if request["table_id"] != 0:
            return _reply("ip_route_lookup", Retval.NO_SUCH_FIB, route=_NO_ROUTE)
        if prefix.len > (128 if version == 6 else 32):
            return _reply("ip_route_lookup", Retval.NO_SUCH_ENTRY, route=_NO_ROUTE)
        look_up = self._vpp.fib.exact if request["exact"] else self._vpp.fib.longest
        route = look_up(version, address, prefix.len)
        if route is None:
            return _reply("ip_route_lookup", Retval.NO_SUCH_ENTRY, route=_NO_ROUTE)
        return _reply("ip_route_lookup", route=_route_fields(route))

    def _lb_conf(self, request: Fields) -> Answers:
        retval = self._vpp.lb.configure(
            request["ip4_src_address"],
            request["ip6_src_address"],
            request["sticky_buckets_per_core"],
            request["flow_timeout"],
        )
        return _reply("lb_conf", retval)

    def _lb_conf_get(self, _: Fields) -> Answers:
        return _reply(
            "lb_conf_get",
            ip4_src_address=self._vpp.lb.ip4_source,
            ip6_src_address=self._vpp.lb.ip6_source,
            sticky_buckets_per_core=self._vpp.workers.buckets,
            flow_timeout=self._vpp.workers.flow_timeout_s,
        )

    def _lb_add_del_vip_v2(self, request: Fields) -> Answers:
        key = _vip_key(request)
        if key is None:
            return _reply("lb_add_del_vip_v2", Retval.INVALID_VALUE)
        if request["is_del"]:
            return _reply("lb_add_del_vip_v2", self._vpp.lb.delete_vip(key))
        asked = VipRequest(
            key,
            encap=request["encap"],
            table_length=request["new_flows_table_length"],
            src_ip_sticky=request["src_ip_sticky"],
            dscp=request["dscp"],
            srv_type=request["type"],
            target_port=request["target_port"],
        )
        return _reply("lb_add_del_vip_v2", self._vpp.lb.add_vip(asked))

    def _lb_add_del_as_v2(self, request: Fields) -> Answers:
        key, address = _vip_key(request), _address(request["as_address"])
        if key is None:
            return _reply("lb_add_del_as_v2", Retval.NO_SUCH_ENTRY)
        lb, flush = self._vpp.lb, request["is_flush"]
        if request["is_del"]:
            return _reply("lb_add_del_as_v2", lb.delete_server(key, address, flush=flush))
        return _reply("lb_add_del_as_v2", lb.add_server(key, address, request["weight"], flush=flush))

    def _lb_as_set_weight(self, request: Fields) -> Answers:
        key, address = _vip_key(request), _address(request["as_address"])
        if key is None:
            return _reply("lb_as_set_weight", Retval.NO_SUCH_ENTRY)
        retval = self._vpp.lb.set_weight(key, address, request["weight"], flush=request["is_flush"])
        return _reply("lb_as_set_weight", retval)

    def _lb_flush_vip(self, request: Fields) -> Answers:
        key = _vip_key(request)
        return _reply("lb_flush_vip", self._vpp.lb.flush_vip(key) if key else Retval.OK)

    def _lb_vip_dump(self, _: Fields) -> Answers:
        # VPP does not look at the filter here.
        return [("lb_vip_details", _vip_details(vip)) for vip in self._vpp.lb.vips if vip.used]

    def _lb_as_v2_dump(self, request: Fields) -> Answers:
        wanted = request["pfx"].address.un.ip6, request["protocol"], request["port"]
        return [
            ("lb_as_v2_details", details)
            for vip in self._vpp.lb.vips
            # VPP compares the bytes as they came, so that no IPv4 VIP ever matches a filter.
            if wanted[0] == ip46.ZERO or wanted == (vip.key.prefix.address, vip.key.protocol, vip.key.port)
            for details in self._as_details(vip)
        ]

    def _as_details(self, vip: Vip) -> Iterator[Fields]:
        key, buckets = _vip_key_fields(vip.key), vip.buckets()
        for index, server in self._vpp.lb.servers(vip):
            yield {
                "vip": key,
                "app_srv": address_fields(*ip46.encode(server.address)),
                "flags": int(server.used),
                "in_use_since": self._vpp.lb.last_used(index),
                "weight": server.weight,
                "num_buckets": buckets.get(index, 0),
            }


def _reply(request: str, retval: int = Retval.OK, **fields: object) -> Answers:
    return [(f"{request}_reply", {"retval": retval, **fields})]


def _address(wire: Any) -> bytes:
    return ip46.decode(wire.af, wire.un.ip6)


def _vip_key(request: Fields) -> VipKey | None:
    pfx = request["pfx"]
    return _made_key(int(pfx.address.af), pfx.address.un.ip6, pfx.len, request["protocol"], request["port"])


@lru_cache(maxsize=1 << 16)
def _made_key(family: int, union: bytes, length: int, protocol: int, port: int) -> VipKey | None:
    plen = length + (ip46.IP4_PLEN if family == 0 else 0)
    if plen > 128:
        return None  # VPP shifts by a negative number of bits here, and finds or makes who knows what
    return VipKey.of(ip46.Prefix.of(ip46.decode(family, union), plen), protocol, port)


def _vip_key_fields(key: VipKey) -> Fields:
    family, union = ip46.encode(key.prefix.address)
    return {"pfx": prefix_fields(family, union, key.prefix.length), "protocol": key.protocol, "port": key.port}


def _vip_details(vip: Vip) -> Fields:
    port = vip.encap_args.target_port
    return {
        "vip": _vip_key_fields(vip.key),
        "encap": vip.type.encap,
        "dscp": vip.encap_args.first,
        # VPP forgets to turn the next two into network order, and cuts the third off.
        "srv_type": vip.encap_args.first << 24,
        "target_port": (port & 0xFF) << 8 | port >> 8,
        "flow_table_length": vip.table_length & 0xFFFF,
    }


def _route_fields(route: Route) -> Fields:
    path: Fields = {
        "sw_if_index": _NOT_AN_INTERFACE,
        "table_id": 0,
        "rpf_id": 0,
        "weight": 1,
        "preference": 0,
        "type": _PATH_DROP if route.is_drop else _PATH_NORMAL,
        "flags": 0,
        "proto": 0 if route.version == 4 else 1,
        "nh": {},
        "n_labels": 0,
        "label_stack": _LABELS,
    }
    prefix = prefix_fields(0 if route.version == 4 else 1, route.packed.ljust(16, b"\0"), route.length)
    return {"table_id": 0, "stats_index": route.index, "prefix": prefix, "n_paths": 1, "paths": [path]}


_NO_ROUTE: Fields = {
    "table_id": 0,
    "stats_index": 0,
    "prefix": prefix_fields(0, ip46.ZERO, 0),
    "n_paths": 0,
    "paths": [],
}
