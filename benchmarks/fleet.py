"""A large site for the benchmarks: 10,000 VIPs with four backends each, every backend used by ten VIPs."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

from maglev.core.desired import Desired, desired, resolve
from maglev.core.health import State
from maglev.core.model import (
    TCP,
    Backend,
    Encap,
    Frontend,
    HealthCheck,
    LbConf,
    Policy,
    Pool,
    TcpSpec,
    Timing,
    VipKey,
)
from maglev.core.plan import Observed, Op, plan

VIPS = 10_000
EACH = 4
SHARE = 10  # VIPs that use the same backends

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
CHECK = HealthCheck("tcp", TcpSpec(80, None), Timing(1e6, 1e6, 1e6, 1), Policy(1, 1), None, None)
NOTHING = Observed(CONF, {})


def backends(vips: int = VIPS) -> dict[str, Backend]:
    """All that `frontends` use; one failure brings them down."""
    count = vips // SHARE * EACH
    first = int(IPv4Address("10.0.0.1"))
    made = (Backend(f"b{n:05}", IPv4Address(first + n), CHECK, enabled=True) for n in range(count))
    return {backend.name: backend for backend in made}


def frontends(vips: int = VIPS) -> dict[str, Frontend]:
    """One pool each."""
    first = int(IPv4Address("172.16.0.0"))
    made = {}
    for n in range(vips):
        names = (f"b{n // SHARE * EACH + i:05}" for i in range(EACH))
        vip = VipKey(IPv4Network((first + n, 32)), TCP, 80)
        pool = Pool("primary", dict.fromkeys(names, 100))
        made[f"f{n:05}"] = Frontend(f"f{n:05}", "", vip, (pool,), Encap.GRE4, src_ip_sticky=False, flush_on_down=True)
    return made


def wish(vips: int = VIPS) -> Desired:
    """The table of that site with every backend up."""
    servers, sites = backends(vips), frontends(vips)
    states = dict.fromkeys(servers, State.UP)
    return desired(CONF, sites.values(), {f.name: resolve(f, states) for f in sites.values()}, servers)


def building(vips: int = VIPS) -> tuple[Op, ...]:
    """What makes that table from none."""
    return plan(wish(vips), NOTHING)
