"""The section `frontends`, one frontend at a time; what frontends owe each other is in rules.py."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from maglev.config.document import Node, Scalar
from maglev.config.faults import Place, quoted, shown
from maglev.config.fields import Fields
from maglev.config.names import check_name, name
from maglev.config.values import Wrong, boolean, integer, one_of, parsed_address, string, taken_for_ipv4, unicast
from maglev.core.model import (
    ANY,
    MAX_WEIGHT,
    TCP,
    UDP,
    Backend,
    Encap,
    Frontend,
    HealthCheck,
    IPAddress,
    IPNetwork,
    Pool,
    VipKey,
)

_KEYS = ("description", "address", "protocol", "port", "src-ip-sticky", "flush-on-down", "pools")
_POOL_KEYS = ("name", "backends")
_BACKEND_KEYS = ("weight",)
_PROTOCOLS = {"tcp": TCP, "udp": UDP}
_protocol = one_of(*_PROTOCOLS)
_port = integer(0, 65535)
_weight = integer(0, MAX_WEIGHT)


@dataclass(frozen=True, slots=True)
class Draft:
    """A frontend as read: `vip` is None where it could not be made out, `version` where no backend says it."""

    name: str
    place: Place
    description: str
    vip: VipKey | None
    pools: tuple[Pool, ...]
    version: int | None
    src_ip_sticky: bool
    flush_on_down: bool

    def finished(self, encap: Encap) -> Frontend | None:
        """The frontend, once its encap is settled."""
        if self.vip is None:
            return None
        return Frontend(
            self.name, self.description, self.vip, self.pools, encap, self.src_ip_sticky, self.flush_on_down
        )


def read_frontends(section: Fields, backends: Mapping[str, Backend | None]) -> list[Draft]:
    """All frontends, whatever their faults; `backends` holds None for a backend that has faults of its own."""
    drafts = []
    for key in section.named():
        check_name(section, key)
        drafts.append(_draft(key, section.section(key, _KEYS), backends))
    return drafts


def checks_in_use(drafts: Iterable[Draft], backends: Mapping[str, Backend | None]) -> tuple[HealthCheck, ...]:
    """The health checks of enabled backends of any frontend."""
    members = (backends.get(key) for draft in drafts for pool in draft.pools for key in pool.weights)
    checks = (backend.check for backend in members if backend and backend.enabled)
    return tuple({check.name: check for check in checks if check}.values())


def _draft(key: str, fields: Fields, backends: Mapping[str, Backend | None]) -> Draft:
    vip = _vip(fields)
    pools, version = _pools(fields, backends)
    return Draft(
        key,
        fields.place_of("address"),
        fields.get("description", string, ""),
        vip,
        pools,
        version,
        src_ip_sticky=fields.get("src-ip-sticky", boolean, default=False),
        flush_on_down=fields.get("flush-on-down", boolean, default=True),
    )


def _vip(fields: Fields) -> VipKey | None:
    prefix = fields.need("address", vip_prefix, "192.0.2.1")
    port = fields.find("port", _port)
    protocol = fields.find("protocol", _protocol)
    if port and "protocol" not in fields:
        fields.fault("port", "needs a protocol: add `protocol: tcp` or `protocol: udp`")
    if protocol and not port and (port == 0 or "port" not in fields):
        remedy = "add a port, or remove the protocol: a VIP for all ports takes every protocol"
        fields.fault("protocol", f"means nothing without a port: {remedy}")
    if prefix is None or (port is None and "port" in fields) or (protocol is None and "protocol" in fields):
        return None
    if not port:
        return VipKey(prefix, ANY, 0)
    return VipKey(prefix, _PROTOCOLS[protocol], port) if protocol else None


def vip_prefix(node: Node) -> IPNetwork:
    """An address or a prefix without host bits, as VPP takes for a VIP."""
    expected = "an IPv4 or IPv6 address or prefix"
    if not isinstance(node, Scalar) or node.is_null:
        raise Wrong(expected, node)
    text, slash, length = node.text.partition("/")
    address = parsed_address(text, node)
    if not slash:
        prefix = ip_network(address)
    elif length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= address.max_prefixlen:
        prefix = ip_network((address, int(length)), strict=False)
    else:
        raise Wrong(expected, node, f"the prefix length is a number from 0 to {address.max_prefixlen}")
    if prefix.network_address != address:
        raise Wrong("a prefix without host bits", node, f"write {prefix} for the prefix, or {address} for the address")
    unicast(prefix.network_address, node)
    if taken_for_ipv4(prefix.network_address):
        raise Wrong("an address outside ::/96", node, "VPP takes these for IPv4")
    return prefix


def _pools(fields: Fields, backends: Mapping[str, Backend | None]) -> tuple[tuple[Pool, ...], int | None]:
    """The pools, and the IP version of their backends: None when they hold none."""
    pools: list[Pool] = []
    members: list[tuple[Fields, str]] = []
    for item in fields.need_list("pools", _POOL_KEYS):
        label = item.need("name", name, "primary") or ""
        if label and any(label == pool.name for pool in pools):
            item.fault("name", f"another pool of this frontend is called {quoted(label)} too: give each its own name")
        if "backends" not in item:
            item.fault_missing("backends", "`backends: {}` if the pool is to have none")
        section = item.section("backends", known=None)
        weights = {}
        for key in section.named():
            weights[key] = section.section(key, _BACKEND_KEYS).get("weight", _weight, MAX_WEIGHT)
            members.append((section, key))
        pools.append(Pool(label, weights))
    return tuple(pools), _version(members, backends)


def _version(members: list[tuple[Fields, str]], backends: Mapping[str, Backend | None]) -> int | None:
    first: Backend | None = None
    by_address: dict[IPAddress, str] = {}
    for section, key in members:
        if key not in backends:
            section.fault_unknown(key, "backend", key, backends, "backends")
        if (backend := backends.get(key)) is None:
            continue
        first = first or backend
        if backend.address.version != first.address.version:
            pair = f"is IPv{backend.address.version} and {shown(first.name)} is IPv{first.address.version}"
            section.fault(key, f"{pair}: all backends of a frontend must be of one address family")
        other = by_address.setdefault(backend.address, key)
        if other != key:
            section.fault(
                key, f"has the address {backend.address} of {shown(other)}: a frontend may use an address once"
            )
    return first.address.version if first else None
