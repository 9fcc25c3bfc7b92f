"""The text of `show lb vips verbose` -> records; pure. Strict on what it uses, blind to lines it does not know.

It is the only place where VPP tells the pool index (which the per-VIP counters are indexed by), src_ip_sticky, the
true length of a table, and the load-balance index of a backend (`dpo`, which /net/route/via is indexed by). The form
is that of format_lb_vip_detailed in VPP's src/plugins/lb/lb.c.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from maglev.core.model import ANY, Encap, IPAddress, VipKey
from maglev.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class ListedBackend:
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


_HEAD = re.compile(r" *ip[46]-")
_VIP = re.compile(r" *ip[46]-(\w+) \[(\d{1,10})\] ([0-9a-fA-F:.]+/\d{1,3})( src_ip_sticky)?( removed)?", re.ASCII)
_LENGTH = re.compile(r" *new_size:(\d{1,10})", re.ASCII)
_PORT = re.compile(r" *protocol:(\d{1,3}) port:(\d{1,5})", re.ASCII)
_COUNT = re.compile(r" *#as:(\d{1,10})", re.ASCII)
_BACKEND = re.compile(
    r" *([0-9a-fA-F:.]+) weight:(\d{1,3}) buckets:(\d{1,10}) flows:(\d{1,20}) dpo:(\d{1,10}) (used| removed)",
    re.ASCII,
)

_Line = tuple[int, str]


def parse_listing(text: str) -> tuple[ListedVip, ...]:
    """All VIPs in the order of their index, the dead among them. Raises ProtocolError naming line and text."""
    blocks: list[list[_Line]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if _HEAD.match(line):
            blocks.append([])
        elif not blocks:
            raise _fault((number, line), "the head of a VIP")
        blocks[-1].append((number, line))
    return tuple(_vip(block) for block in blocks)


def _vip(block: list[_Line]) -> ListedVip:
    head, *rest = block
    found = _VIP.fullmatch(head[1])
    if found is None:
        raise _fault(head, "type, [index], prefix, src_ip_sticky, removed")
    encap, index, prefix, sticky, removed = found.groups()
    port = _first(_PORT, rest)
    protocol, number = (int(port[0]), int(port[1])) if port else (ANY, 0)
    length = _first(_LENGTH, rest)
    count = _first(_COUNT, rest)
    if length is None or count is None or protocol > 255 or number > 65535:
        raise _fault(head, "new_size and #as behind it, protocol below 256 and port below 65536")
    backends = tuple(_backends(rest))
    if len(backends) != int(count[0]):
        raise _fault(head, f"{count[0]} backends and not {len(backends)}")
    try:
        key = VipKey(ip_network(prefix), protocol, number)
        kind = Encap[encap.upper()]
    except (ValueError, KeyError) as error:
        raise _fault(head, "a prefix and an encap that we know") from error
    return ListedVip(int(index), key, kind, bool(sticky), not removed, int(length[0]), backends)


def _backends(lines: list[_Line]) -> Iterator[ListedBackend]:
    for line in lines:
        found = _BACKEND.fullmatch(line[1])
        if found is None:
            if " weight:" in line[1]:
                raise _fault(line, "address, weight, buckets, flows, dpo, used or removed")
            continue
        address, weight, buckets, flows, dpo, state = found.groups()
        try:
            parsed = ip_address(address)
        except ValueError as error:
            raise _fault(line, "an address") from error
        yield ListedBackend(parsed, int(weight), int(buckets), int(flows), int(dpo), state == "used")


def _first(pattern: re.Pattern[str], lines: list[_Line]) -> tuple[str, ...] | None:
    for _, line in lines:
        found = pattern.fullmatch(line)
        if found is not None:
            return found.groups()
    return None


def _fault(line: _Line, expected: str) -> ProtocolError:
    number, text = line
    return ProtocolError("cannot read VPP's listing of VIPs", line=number, seen=repr(text[:200]), expected=expected)
