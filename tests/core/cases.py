"""What the tests of plans share: small tables, and questions to ask of them."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TypeGuard

from maglev.core.desired import DesiredVip, Effective
from maglev.core.model import TABLE_LENGTH, TCP, Encap, IPAddress, VipKey
from maglev.core.plan import DelVip, Observed, ObservedBackend, ObservedVip, Op

KEY = VipKey(ip_network("192.0.2.1/32"), TCP, 80)
A: IPAddress = ip_address("10.0.0.1")
B: IPAddress = ip_address("10.0.0.2")
C: IPAddress = ip_address("10.0.0.3")


def wished(backends: Mapping[IPAddress, Effective]) -> DesiredVip:
    return DesiredVip(Encap.GRE4, False, TABLE_LENGTH, backends)


def table(backend: ObservedBackend) -> Observed:
    return Observed(None, {KEY: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, {A: backend})})


def without_memory(table: Observed) -> Observed:
    """The table as an audit would show it: weights, and nothing that moves or that only we know."""
    return Observed(
        table.conf,
        {
            key: replace(vip, backends={a: ObservedBackend(b.weight) for a, b in vip.backends.items()})
            for key, vip in table.vips.items()
        },
    )


def is_making_room(op: Op) -> TypeGuard[DelVip]:
    """Whether a VIP leaves because it is in the way, be it of itself."""
    return isinstance(op, DelVip) and op.reason != "not configured"
