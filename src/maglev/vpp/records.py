"""VPP's lb records <-> core values; knows neither sockets nor when to ask.

An address is a family (0 = IPv4, 1 = IPv6) and 16 bytes, IPv4 in the first 4. The lb plugin keeps IPv4 addresses as
IPv6 ones whose first 12 bytes are 0, and takes every address of that form for IPv4: so IPv6 below ::1:0:0 (2^32)
cannot be a VIP, and as a backend is refused by VPP.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple, assert_never

from maglev.core.model import MAX_WEIGHT, Encap, IPAddress, IPNetwork, LbConf, VipKey
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.errors import ProtocolError, Refused
from maglev.vpp.transport import Call, Dump
from maglev.vpp.wire import Wire

AF_IP4, AF_IP6 = 0, 1
IS_LIVE = 0x1
"""Bit of a backend's flags; without it the record is of a deleted one that VPP has not collected yet."""
MAX_TABLE_LENGTH = 1 << 24
"""The longest table we ask for (64 MB in VPP); a wrong length costs VPP its memory, and 0 its life."""

REMEMBERED = 1 << 16
"""Addresses, and keys of VIPs, that are kept from one dump to the next."""

_EVERYTHING = (AF_IP4, b"", 0)
_FIRST_UNMISTAKABLE = IPv6Address(1 << 32)


class VipRecord(NamedTuple):
    """A live VIP as lb_vip_dump tells it."""

    key: VipKey
    encap: Encap
    table_length: int


class BackendRecord(NamedTuple):
    """A live backend as lb_as_v2_dump tells it."""

    address: IPAddress
    weight: int
    buckets: int


class Records:
    """Makes requests of core values and core values of replies, with the codecs of one VPP."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._latest: tuple[VipKey | None, tuple[int, bytes, int, int, int]] = (None, (0, b"", 0, 0, 0))
        self.conf = Call("lb_conf_get", wire.conf_get(), "lb_conf_get_reply")
        # A non-zero IPv4 prefix as filter matches nothing: take everything, and filter here.
        self.vips = Dump("lb_vip_dump", wire.vip_dump(*_EVERYTHING, 0, 0, 0, 0), "lb_vip_details")
        self.backends = Dump("lb_as_v2_dump", wire.backend_dump(*_EVERYTHING, 0, 0), "lb_as_v2_details")

    def cli(self, command: str) -> Call:
        """A CLI command whose output comes back as the reply."""
        return Call("cli_inband", self._wire.cli(command.encode()), "cli_inband_reply")

    def route(self, prefix: IPNetwork) -> Call:
        """Ask for the FIB entry of exactly `prefix`, in the default table."""
        return Call("ip_route_lookup", self._wire.route(0, 1, *_prefix(prefix)), "ip_route_lookup_reply")

    def op(self, op: Op) -> Call:
        """The request for `op`. Raises Refused for what VPP would take to its harm; nothing is sent then."""
        wire = self._wire
        match op:
            case SetConf(conf):
                _check_conf(conf)
                body = wire.conf(
                    conf.ipv4_source.packed, conf.ipv6_source.packed, conf.sticky_buckets_per_core, conf.flow_timeout_s
                )
                return Call("lb_conf", body, "lb_conf_reply")
            case AddVip(vip, encap, sticky, length):
                _check_vip(vip, length)
                return self._vip(vip, encap.value, length, sticky, is_del=False)
            case DelVip(vip):
                return self._vip(vip, 0, 0, sticky=False, is_del=True)
            case AddBackend(vip, address, weight):
                _check_weight(op, weight)
                # With flush: it costs a new one little, and one that was deleted a moment ago gets a clean slate.
                return self._backend(vip, address, weight, is_del=False)
            case DelBackend(vip, address):
                return self._backend(vip, address, 0, is_del=True)
            case SetWeight(vip, address, weight, flush):
                _check_weight(op, weight)
                body = wire.weight(*self._key(vip), *_address(address), weight, flush)
                return Call("lb_as_set_weight", body, "lb_as_set_weight_reply")
            case _:
                assert_never(op)

    def _vip(self, vip: VipKey, encap: int, length: int, sticky: bool, *, is_del: bool) -> Call:
        body = self._wire.vip(*self._key(vip), encap, 0, 0, 0, 0, length, sticky, is_del)
        return Call("lb_add_del_vip_v2", body, "lb_add_del_vip_v2_reply")

    def _backend(self, vip: VipKey, address: IPAddress, weight: int, *, is_del: bool) -> Call:
        body = self._wire.backend(*self._key(vip), *_address(address), weight, is_del, True)
        return Call("lb_add_del_as_v2", body, "lb_add_del_as_v2_reply")

    def _key(self, vip: VipKey) -> tuple[int, bytes, int, int, int]:
        """As the wire has it; kept for the next op, as plans go on with the same VIP."""
        if self._latest[0] is not vip:
            self._latest = vip, _key(vip)
        return self._latest[1]

    def retval(self, reply: bytes) -> int:
        """What VPP answered to an op."""
        return int(self._wire.retval(reply)[0])

    def read_conf(self, reply: bytes) -> LbConf:
        """The global parameters."""
        retval, ip4, ip6, buckets, timeout = self._wire.conf_get_reply(reply)
        if retval:
            raise ProtocolError("VPP does not tell its lb parameters", message="lb_conf_get", retval=retval)
        return LbConf(IPv4Address(ip4), IPv6Address(ip6), buckets, timeout)

    def read_cli(self, reply: bytes) -> tuple[int, str]:
        """Retval and output of a CLI command."""
        retval, output = self._wire.cli_reply(reply)
        return retval, output.decode("utf-8", "replace")

    def read_route(self, reply: bytes) -> tuple[int, int]:
        """Retval and load-balance index of a route."""
        retval, index = self._wire.route_reply(reply)
        return retval, index

    def read_vips(self, details: list[bytes]) -> list[VipRecord]:
        """The live VIPs; VPP does not list the others."""
        return [
            VipRecord(_named(*raw), _encap(encap), table_length)
            for *raw, encap, table_length in map(self._wire.vip_details, details)
        ]

    def read_backends(self, details: list[bytes]) -> dict[VipKey, list[BackendRecord]]:
        """The live backends of each VIP that has any."""
        found: dict[tuple[int, bytes, int, int, int], list[BackendRecord]] = {}
        for af, un, length, protocol, port, family, packed, flags, weight, buckets in map(
            self._wire.backend_details, details
        ):
            if not flags & IS_LIVE:
                continue
            records = found.setdefault((af, un, length, protocol, port), [])
            records.append(BackendRecord(_unpacked(family, packed), weight, buckets))
        return {_named(*raw): records for raw, records in found.items()}


def _prefix(prefix: IPNetwork) -> tuple[int, bytes, int]:
    return (*_address(prefix.network_address), prefix.prefixlen)


def _address(address: IPAddress) -> tuple[int, bytes]:
    return AF_IP4 if address.version == 4 else AF_IP6, address.packed


def _key(vip: VipKey) -> tuple[int, bytes, int, int, int]:
    return (*_prefix(vip.prefix), vip.protocol, vip.port)


# The ipaddress module takes its time, a dump repeats the same, and the next one repeats it all: the same objects, which
# are quick to compare.
@lru_cache(maxsize=REMEMBERED)
def _named(family: int, packed: bytes, length: int, protocol: int, port: int) -> VipKey:
    return VipKey(_network(family, packed, length), protocol, port)


@lru_cache(maxsize=REMEMBERED)
def _unpacked(family: int, packed: bytes) -> IPAddress:
    match family:
        case 0:
            return IPv4Address(packed[:4])
        case 1:
            return IPv6Address(packed)
        case _:
            raise ProtocolError("an address has no family that we know", seen=family, expected="0 or 1")


def _network(family: int, packed: bytes, length: int) -> IPNetwork:
    address = _unpacked(family, packed)
    if isinstance(address, IPv4Address) and not int(address) and length > 32:
        address = IPv6Address(0)  # somebody made a VIP of ::/64: VPP's mistake about families goes both ways
    try:
        return IPv4Network((address, length)) if isinstance(address, IPv4Address) else IPv6Network((address, length))
    except ValueError as error:
        raise ProtocolError("a prefix makes no sense", seen=f"{address}/{length}") from error


def _encap(value: int) -> Encap:
    try:
        return Encap(value)
    except ValueError as error:
        raise ProtocolError("a VIP has no encap that we know", seen=value, expected="0 to 4") from error


def _check_conf(conf: LbConf) -> None:
    buckets = conf.sticky_buckets_per_core
    if buckets < 1:
        raise Refused("lb_conf was not sent", sticky_buckets_per_core=buckets, hint="VPP takes 0 and breaks on it")


def _check_vip(vip: VipKey, length: int) -> None:
    if not 1 <= length <= MAX_TABLE_LENGTH:
        raise Refused(
            "lb_add_del_vip_v2 was not sent",
            vip=vip,
            table_length=length,
            hint=f"1 to {MAX_TABLE_LENGTH} are lengths; VPP takes others and runs out of memory",
        )
    start = vip.prefix.network_address
    if isinstance(start, IPv6Address) and start < _FIRST_UNMISTAKABLE:
        raise Refused(
            "lb_add_del_vip_v2 was not sent", vip=vip, hint="VPP takes IPv6 below ::1:0:0 for IPv4: take another prefix"
        )


def _check_weight(op: AddBackend | SetWeight, weight: int) -> None:
    if not 0 <= weight <= MAX_WEIGHT:
        raise Refused(
            "a weight was not sent",
            vip=op.vip,
            backend=op.backend,
            weight=weight,
            hint=f"0 to {MAX_WEIGHT} are weights",
        )
