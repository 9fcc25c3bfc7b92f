"""What is to be in VPP's table, plan by plan, and what is: read out of the engine, no session is asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

from maglev.core.desired import Desired, desired, resolve
from maglev.core.health import Health, State
from maglev.core.model import TCP, Backend, Encap, Frontend, IPAddress, IPNetwork, LbConf, VipKey
from maglev.core.observed import Observed, ObservedBackend, ObservedVip
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus
from maglev.emulator import ip46
from maglev.emulator.vpp import Vpp
from tests.control.fakes import CONF, VIP, backend, frontend

TLS = replace(VIP, port=443)  # on the prefix of VIP
SIX = VipKey(IPv6Network("2001:db8::1/128"), TCP, 80)
BACKENDS: Sequence[Backend] = (
    *(backend(number, check=None) for number in range(1, 5)),
    *(Backend(f"s{number}", IPv6Address(f"2001:db8:1::{number}"), None, True) for number in (1, 2)),
)
FRONTENDS: Sequence[Frontend] = (
    frontend("web", VIP, {"b1": 100, "b2": 50}, {"b3": 10}),
    frontend("tls", TLS, {"b1": 100}, {"b3": 100}),
    replace(frontend("six", SIX, {"s1": 100, "s2": 1}), encap=Encap.GRE6),
)
# Another src-ip-sticky, another encap, another weight: two VIPs have to be made again, the third must not be.
REMADE: Sequence[Frontend] = (
    frontend("web", VIP, {"b1": 90, "b2": 50}, {"b3": 10}),
    replace(FRONTENDS[1], src_ip_sticky=True),
    frontend("six", SIX, {"b4": 100}),
)
RECREATED = frozenset({TLS, SIX})
FEWER: Sequence[Frontend] = (frontend("web", VIP, {"b1": 100}, {"b3": 10}), FRONTENDS[2])
FAILOVER = ("b1", "b2", "s1")


def health(
    down: Iterable[str] = (), frontends: Iterable[Frontend] = FRONTENDS, backends: Iterable[Backend] = BACKENDS
) -> HealthStatus:
    states = {b.name: State.UP for b in backends} | dict.fromkeys(down, State.DOWN)
    return HealthStatus(
        {b.name: BackendStatus(b, Health(states[b.name], 0), 0, ()) for b in backends},
        {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends},
    )


# What the table is to become, and in how many writes.
PLANS: Mapping[str, tuple[HealthStatus, int]] = {
    "build": (health(), 11),
    "failover": (health(FAILOVER), 6),
    "recreate": (health((), REMADE), 12),
    "remove": (health((), FEWER), 4),
}
EACH_WRITE = [(name, k) for name, (_, count) in PLANS.items() for k in range(1, count + 1)]


def wish_of(status: HealthStatus, conf: LbConf = CONF) -> Desired:
    return desired(
        conf,
        [f.frontend for f in status.frontends.values()],
        {name: f.resolved for name, f in status.frontends.items()},
        {name: b.backend for name, b in status.backends.items()},
    )


def as_table(wish: Desired) -> Observed:
    """The table that is as `wish` wants it."""
    vips = {
        key: ObservedVip(
            vip.encap,
            vip.src_ip_sticky,
            vip.table_length,
            {address: ObservedBackend(cell.weight) for address, cell in vip.backends.items()},
        )
        for key, vip in wish.vips.items()
    }
    return Observed(wish.conf, vips)


def table_of(vpp: Vpp) -> Observed:
    """The live table, out of the engine: no session is asked."""
    vips = {}
    for vip in vpp.lb.vips:
        if vip.used:
            servers = (server for _, server in vpp.lb.servers(vip) if server.used)
            vips[VipKey(_prefix(vip.key.prefix), vip.key.protocol, vip.key.port)] = ObservedVip(
                Encap(vip.type.encap.value),
                vip.src_ip_sticky,
                vip.table_length,
                {_address(server.address): ObservedBackend(server.weight) for server in servers},
            )
    lb, workers = vpp.lb, vpp.workers
    sources = IPv4Address(lb.ip4_source), IPv6Address(lb.ip6_source)
    return Observed(LbConf(*sources, workers.buckets, workers.flow_timeout_s), vips)


def _prefix(prefix: ip46.Prefix) -> IPNetwork:
    return ip_network((_address(prefix.address), prefix.length))


def _address(address: bytes) -> IPAddress:
    return IPv4Address(address[12:]) if ip46.is_ip4(address) else IPv6Address(address)
