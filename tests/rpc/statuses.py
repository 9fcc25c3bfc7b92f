"""A Status made by hand, with one of everything that the outside can see; shared by the tests of all three faces."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from maglev.core.counters import BackendCounters, Sample, VipCounters, Volume
from maglev.core.desired import resolve
from maglev.core.health import Health, State, Transition
from maglev.core.model import (
    ANY,
    TCP,
    Backend,
    Encap,
    Frontend,
    HealthCheck,
    HttpSpec,
    LbConf,
    Policy,
    Pool,
    Timing,
    VipKey,
    VppInfo,
)
from maglev.core.plan import Observed, ObservedBackend, ObservedVip
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus, LbStatus, Status

SECOND_NS = 1_000_000_000
NOW_NS = 1_790_000_000 * SECOND_NS  # 2026-09-21T14:13:20Z
MINUTE_NS, HOUR_NS, DAY_NS = 60 * SECOND_NS, 3600 * SECOND_NS, 86400 * SECOND_NS

CHECK = HealthCheck(
    "http-check",
    HttpSpec(80, None, "/healthz", None, ((200, 200),), None),
    Timing(2.0, 0.5, 5.0, 3.0),
    Policy(rise=2, fall=3),
    None,
    None,
)


def vip(prefix: str, protocol: int = TCP, port: int = 80) -> VipKey:
    return VipKey(ip_network(prefix), protocol, port)


WEB = vip("192.0.2.10/32")
SHOP = vip("192.0.2.9/32", port=443)  # before WEB in numeric order, after it in the config
NET = vip("198.51.100.0/25", ANY, 0)
SIX = vip("2001:db8::1/128")


def backend(
    name: str, address: str, state: State, counter: int, age_ns: int, *transitions: Transition, checked: bool = True
) -> BackendStatus:
    made = Backend(name, ip_address(address), CHECK if checked else None, state is not State.DISABLED)
    return BackendStatus(made, Health(state, counter), NOW_NS - age_ns, transitions)


BACKENDS = (
    backend(
        "web2",
        "10.1.0.2",
        State.DOWN,
        0,
        10 * MINUTE_NS + 30 * SECOND_NS,
        Transition(NOW_NS - 630 * SECOND_NS, State.UP, State.DOWN, "L4CON", "connection refused"),
        Transition(NOW_NS - 40 * HOUR_NS, State.UNKNOWN, State.UP, "L7OK", "200 OK"),
    ),
    backend("web1", "10.1.0.1", State.UP, 4, 40 * HOUR_NS),
    backend("spare", "10.1.0.3", State.UP, 0, 5 * SECOND_NS, checked=False),
    backend("spare-alias", "10.1.0.3", State.DISABLED, 1, 3 * HOUR_NS),
    backend("six", "2001:db8:1::6", State.UNKNOWN, 1, 2 * DAY_NS),
)
STATES = {status.backend.name: status.health.state for status in BACKENDS}


def frontend(
    name: str, key: VipKey, *pools: Pool, encap: Encap = Encap.GRE4, description: str = "", age_ns: int = DAY_NS
) -> FrontendStatus:
    made = Frontend(name, description, key, pools, encap, src_ip_sticky=name == "shop", flush_on_down=name != "shop")
    return FrontendStatus(made, resolve(made, STATES), NOW_NS - age_ns)


FRONTENDS = (
    frontend(
        "web",
        WEB,
        Pool("primary", {"web1": 100, "web2": 50}, file_weights={"web2": 80}),
        Pool("fallback", {"spare": 10}),
        description="the website",
        age_ns=40 * HOUR_NS,
    ),
    frontend("shop", SHOP, Pool("only", {"web2": 100}), Pool("none", {}), age_ns=10 * MINUTE_NS + 30 * SECOND_NS),
    frontend("net", NET, Pool("all", {"web1": 7, "spare-alias": 100})),
    frontend("six", SIX, Pool("p", {"six": 100}), encap=Encap.GRE6, age_ns=2 * DAY_NS),
)

VPP = VppInfo("26.10-rc0", "2026-08-21T10:00:00", "/build/vpp", 4711, NOW_NS - 2 * DAY_NS, NOW_NS - 90 * SECOND_NS)

OBSERVED = Observed(
    LbConf(IPv4Address("10.0.0.1"), IPv6Address("2001:db8::100"), 65536, 40),
    {
        SIX: ObservedVip(Encap.GRE6, None, 1024, {ip_address("2001:db8:1::6"): ObservedBackend(0)}),
        WEB: ObservedVip(
            Encap.GRE4,
            False,
            1024,
            {
                ip_address("10.1.0.10"): ObservedBackend(1, buckets=2, flows=3),
                ip_address("10.1.0.3"): ObservedBackend(0, buckets=0, flows=7),
                ip_address("10.1.0.2"): ObservedBackend(0, is_flushed=True, buckets=0, flows=0),
                ip_address("10.1.0.1"): ObservedBackend(100, buckets=1024, flows=398),
            },
        ),
        SHOP: ObservedVip(Encap.GRE4, True, 1024, {ip_address("10.1.0.2"): ObservedBackend(0)}),
        NET: ObservedVip(Encap.GRE4, False, 1024, {}),
    },
)
AUDITED = Observed(
    OBSERVED.conf,
    {
        key: replace(vip, backends={a: replace(b, buckets=9, flows=5) for a, b in vip.backends.items()})
        for key, vip in OBSERVED.vips.items()
        if key != NET
    },
)
LB = LbStatus(
    OBSERVED,
    NOW_NS - 3 * SECOND_NS,
    {SHOP: "lb_add_del_as_v2 refused (retval=-73)"},
    audited=AUDITED,
    audit_cost_s=0.0125,
    audit_interval_s=30.0,
    wish=OBSERVED.conf,
)
"""Left to do: a backend of WEB goes, by which flows break, and NET gets its two, of which one takes new flows."""

SAMPLE = Sample(
    NOW_NS - 2 * SECOND_NS,
    VPP.boottime_ns,
    {
        SIX: VipCounters(4, 0, 0, 0, 26, None, NOW_NS - 60 * SECOND_NS),
        WEB: VipCounters(
            1, 123456, 789, 3, 0, Volume(124248, 98765432), NOW_NS - 120 * SECOND_NS, NOW_NS - 240 * SECOND_NS
        ),
        SHOP: VipCounters(2, 5, 1, 0, 9, Volume(15, 900), NOW_NS - 60 * SECOND_NS),
    },
    {
        ip_address("10.1.0.3"): BackendCounters(21, Volume(7, 700), Volume(1, 60), NOW_NS - 30 * SECOND_NS),
        ip_address("10.1.0.1"): BackendCounters(20, Volume(124241, 101747000), Volume(0, 0), NOW_NS - 90 * SECOND_NS),
        ip_address("10.1.0.99"): BackendCounters(22, Volume(2, 200), Volume(0, 0), NOW_NS - 10 * SECOND_NS),
    },
    33,
    VPP.boottime_ns,
)

HEALTH = HealthStatus(
    {status.backend.name: status for status in BACKENDS}, {status.frontend.name: status for status in FRONTENDS}
)
CHECKS = {CHECK.name: CHECK}
FULL = Status(HEALTH, VPP, LB, SAMPLE, CHECKS, 5.0)
NO_VPP = Status(HEALTH, checks=CHECKS)
JUST_CONNECTED = Status(HEALTH, VPP, checks=CHECKS)
EMPTY = Status()
