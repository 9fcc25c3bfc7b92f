"""The text of `show lb vips verbose` -> records; pure. Strict on what it uses, blind to lines it does not know.

It is the only place where VPP tells the pool index (which the per-VIP counters are indexed by), src_ip_sticky, the
true length of a table, and the load-balance index of a backend (`dpo`, which /net/route/via is indexed by). The form
is that of format_lb_vip_detailed in VPP's src/plugins/lb/lb.c.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from maglev.core.model import ANY, Encap, IPAddress, VipKey
from maglev.errors import ProtocolError


class ListedBackend(NamedTuple):
    """A backend of a listed VIP; `dpo` is its load-balance index."""

    address: IPAddress
    weight: int
    buckets: int
    flows: int
    dpo: int
    is_live: bool


@dataclass(frozen=True, slots=True)
class ListedVip:
    """A VIP by its pool index; a deleted one stays listed, not live, until VPP has collected it."""

    index: int
    key: VipKey
    encap: Encap
    src_ip_sticky: bool
    is_live: bool
    table_length: int
    backends: tuple[ListedBackend, ...]


_HEADS = ("ip4-", "ip6-")
_VIP = re.compile(r" *ip[46]-(\w+) \[(\d{1,10})\] ([0-9a-fA-F:.]+/\d{1,3})( src_ip_sticky)?( removed)?", re.ASCII)
_FIELDS = {
    "new_size": re.compile(r" *new_size:(\d{1,10})", re.ASCII),
    "protocol": re.compile(r" *protocol:(\d{1,3}) port:(\d{1,5})", re.ASCII),
    "#as": re.compile(r" *#as:(\d{1,10})", re.ASCII),
}
_BACKEND = re.compile(
    r" *([0-9a-fA-F:.]+) weight:(\d{1,3}) buckets:(\d{1,10}) flows:(\d{1,20}) dpo:(\d{1,10}) (used| removed)",
    re.ASCII,
)
_ENCAPS = {encap.name.lower(): encap for encap in Encap}

REMEMBERED = 1 << 16
"""Addresses, and keys of VIPs, that are kept from one listing to the next."""

_Line = tuple[int, str]


def parse_listing(text: str) -> tuple[ListedVip, ...]:
    """All VIPs in the order of their index, the dead among them. Raises ProtocolError naming line and text."""
    lines = text.split("\n")
    heads = [at for at, line in enumerate(lines) if line.lstrip(" ").startswith(_HEADS)]
    ends = [*heads[1:], len(lines)]
    for at, line in enumerate(lines[: heads[0]] if heads else lines):
        if line.strip():
            raise _fault((at + 1, line), "the head of a VIP")
    return tuple(_vip(at + 1, lines[at:end]) for at, end in zip(heads, ends, strict=False))


def _vip(number: int, block: list[str]) -> ListedVip:
    """The VIP of these lines, the first of which has this number."""
    head = number, block[0]
    found = _VIP.fullmatch(block[0])
    if found is None:
        raise _fault(head, "type, [index], prefix, src_ip_sticky, removed")
    encap, index, prefix, sticky, removed = found.groups()
    fields: dict[str, tuple[str, ...]] = {}
    backends: list[ListedBackend] = []
    for at, line in enumerate(block):
        if " weight:" in line:
            backends.append(_backend((number + at, line)))
            continue
        name = line.lstrip(" ").partition(":")[0]
        pattern = _FIELDS.get(name)
        if pattern is not None and name not in fields and (seen := pattern.fullmatch(line)):
            fields[name] = seen.groups()
    length, count = fields.get("new_size"), fields.get("#as")
    protocol, port = map(int, fields.get("protocol", (ANY, 0)))
    if length is None or count is None or protocol > 255 or port > 65535:
        raise _fault(head, "new_size and #as behind it, protocol below 256 and port below 65536")
    if len(backends) != int(count[0]):
        raise _fault(head, f"{count[0]} backends and not {len(backends)}")
    try:
        key = _key(prefix, protocol, port)
        kind = _ENCAPS[encap]
    except (ValueError, KeyError) as error:
        raise _fault(head, "a prefix and an encap that we know") from error
    return ListedVip(int(index), key, kind, bool(sticky), not removed, int(length[0]), tuple(backends))


def _backend(line: _Line) -> ListedBackend:
    found = _BACKEND.fullmatch(line[1])
    if found is None:
        raise _fault(line, "address, weight, buckets, flows, dpo, used or removed")
    address, weight, buckets, flows, dpo, state = found.groups()
    try:
        parsed = _address(address)
    except ValueError as error:
        raise _fault(line, "an address") from error
    return ListedBackend(parsed, int(weight), int(buckets), int(flows), int(dpo), state == "used")


# The ipaddress module takes its time, and one listing after the other says the same.
@lru_cache(maxsize=REMEMBERED)
def _key(prefix: str, protocol: int, port: int) -> VipKey:
    return VipKey(ip_network(prefix), protocol, port)


@lru_cache(maxsize=REMEMBERED)
def _address(text: str) -> IPAddress:
    return ip_address(text)


def _fault(line: _Line, expected: str) -> ProtocolError:
    number, text = line
    return ProtocolError("cannot read VPP's listing of VIPs", line=number, seen=repr(text[:200]), expected=expected)
