"""Answers of maglevd made by hand, of one small site in a bad night; for the tests of what is made of them."""

from typing import Any

from maglev.rpc._pb import maglev_pb2 as pb

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
LONG_SIX = "2001:db8:1234:5678:9abc:def0:1234:5678"


def transition(age_ns: int, before: str, after: str, code: str, detail: str = "") -> pb.TransitionInfo:
    return pb.TransitionInfo(at_ns=NOW - age_ns, **{"from": before}, to=after, code=code, detail=detail)


def backend(
    name: str, address: str, state: str, age_ns: int, *transitions: pb.TransitionInfo, counter: int = 0, check: str = ""
) -> pb.BackendInfo:
    return pb.BackendInfo(
        name=name,
        address=address,
        state=state,
        healthcheck=check,
        enabled=state != "disabled",
        counter=counter,
        counter_max=4 if check else 0,
        rise=2 if check else 0,
        changed_at_ns=NOW - age_ns,
        transitions=transitions,
    )


BACKENDS = (
    backend(
        "web1",
        "10.1.0.1",
        "up",
        40 * HOUR,
        transition(40 * HOUR, "unknown", "up", "L7OK", "200 OK"),
        counter=4,
        check="http-check",
    ),
    backend(
        "web2",
        "10.1.0.2",
        "down",
        630 * SECOND,
        transition(630 * SECOND, "up", "down", "L4CON", "connection refused"),
        transition(40 * HOUR, "unknown", "up", "L7OK", "200 OK"),
        transition(40 * HOUR + SECOND, "disabled", "unknown", "enable"),
        transition(
            41 * HOUR,
            "down",
            "disabled",
            "L7STS",
            "503 Service Unavailable, which is what the application says while it moves its database to another host",
        ),
        counter=0,
        check="http-check",
    ),
    backend("web3", "10.1.0.3", "up", 9 * DAY, counter=4, check="http-check"),
    backend("spare", "10.1.0.4", "up", 5 * SECOND, transition(5 * SECOND, "unknown", "up", "reload")),
    backend("spare-alias", "10.1.0.4", "disabled", 3 * HOUR, transition(3 * HOUR, "up", "disabled", "disable")),
    backend("six", "2001:db8:1::6", "paused", 2 * DAY, transition(2 * DAY, "up", "paused", "pause"), check="tcp-tls"),
)


def member(
    name: str,
    weight: int,
    effective: int,
    buckets: int | None = None,
    flows: int | None = None,
    file_weight: int | None = None,
    address: str = "",
) -> pb.PoolBackendInfo:
    known = {each.name: each for each in BACKENDS}[name]
    return pb.PoolBackendInfo(
        name=name,
        weight=weight,
        effective_weight=effective,
        file_weight=file_weight,
        address=address or known.address,
        state=known.state,
        changed_at_ns=known.changed_at_ns,
        buckets=buckets,
        flows=flows,
    )


WEB = pb.FrontendInfo(
    name="web",
    address="192.0.2.10/32",
    protocol="tcp",
    port=80,
    pools=[
        pb.PoolInfo(
            name="primary",
            backends=[
                member("web1", 100, 100, 1024, 39812),
                member("web2", 50, 0, 0, 7),
                member("web3", 0, 0, 0, 398, file_weight=100),
            ],
        ),
        pb.PoolInfo(name="fallback", backends=[member("spare", 10, 0)]),
        pb.PoolInfo(name="last"),
    ],
    description="the website, for all who come by IPv4; ask the web team before its weights are changed",
    flush_on_down=True,
    state="up",
    active_pool="primary",
    changed_at_ns=NOW - 40 * HOUR,
)
SHOP = pb.FrontendInfo(
    name="shop",
    address="192.0.2.9/32",
    protocol="tcp",
    port=443,
    pools=[pb.PoolInfo(name="only", backends=[member("web2", 100, 0, 0, 0)])],
    src_ip_sticky=True,
    state="down",
    refused="lb_add_del_as_v2 refused (retval=-73); is every backend of this address in the same family?",
    changed_at_ns=NOW - 630 * SECOND,
)
NET = pb.FrontendInfo(
    name="net",
    address="198.51.100.0/25",
    protocol="any",
    pools=[pb.PoolInfo(name="all", backends=[member("web1", 7, 7, 1024, 12), member("spare-alias", 100, 0, 0, 0)])],
    state="up",
    active_pool="all",
    changed_at_ns=NOW - DAY,
)
SIX = pb.FrontendInfo(
    name="six",
    address=f"{LONG_SIX}/128",
    protocol="tcp",
    port=8443,
    pools=[pb.PoolInfo(name="p", backends=[member("six", 100, 0, 0, 3, address=LONG_SIX)])],
    state="unknown",
    changed_at_ns=NOW - 2 * DAY,
)
FRONTENDS = (WEB, SHOP, NET)

HEALTH_CHECKS = (
    pb.HealthCheckInfo(
        name="http-check",
        type="http",
        port=80,
        interval_s=2.0,
        timeout_s=0.5,
        rise=2,
        fall=3,
        fast_interval_s=0.5,
        down_interval_s=90.0,
        path="/healthz",
        response_codes=["200", "300-399"],
        backends=["web1", "web2", "web3"],
    ),
    pb.HealthCheckInfo(
        name="tcp-tls",
        type="tcp",
        port=8443,
        interval_s=10.0,
        timeout_s=3.0,
        rise=2,
        fall=3,
        fast_interval_s=10.0,
        down_interval_s=10.0,
        probe_ipv6_src="2001:db8::100",
        tls=pb.TLSInfo(server_name="six.example", insecure_skip_verify=True),
        backends=["six"],
    ),
    pb.HealthCheckInfo(
        name="ping",
        type="icmp",
        interval_s=1.0,
        timeout_s=1.0,
        rise=1,
        fall=1,
        fast_interval_s=1.0,
        down_interval_s=1.0,
    ),
)

VPP = pb.VPPInfo(
    version="26.10-rc0",
    build_date="2026-08-21T10:00:00",
    build_directory="/build/vpp",
    pid=4711,
    boottime_ns=NOW - 2 * DAY,
    connecttime_ns=NOW - 90 * SECOND,
)
LB_STATE = pb.VPPLBState(
    conf=pb.VPPLBConf(
        ipv4_src_address="10.0.0.1", ipv6_src_address="2001:db8::100", sticky_buckets_per_core=65536, flow_timeout_s=40
    ),
    vips=[
        pb.VPPLBVIP(prefix="192.0.2.9/32", protocol="tcp", port=443, refused="VPP says no"),
        pb.VPPLBVIP(
            prefix="192.0.2.10/32",
            protocol="tcp",
            port=80,
            encap="gre4",
            src_ip_sticky=False,
            flow_table_length=1024,
            application_servers=[
                pb.VPPLBAS(address="10.1.0.1", weight=100, buckets=1024, flows=39812),
                pb.VPPLBAS(address="10.1.0.2", flows=7),
                pb.VPPLBAS(address="10.1.0.3"),
            ],
        ),
        pb.VPPLBVIP(prefix="198.51.100.0/25", protocol="any", encap="gre4", src_ip_sticky=True, flow_table_length=1024),
        pb.VPPLBVIP(
            prefix=f"{LONG_SIX}/128",
            protocol="tcp",
            port=8443,
            encap="gre6",
            flow_table_length=1024,
            application_servers=[pb.VPPLBAS(address="2001:db8:1::6", weight=0, buckets=0, flows=3)],
        ),
    ],
    audited_at_ns=NOW - 3 * SECOND,
    audit_cost_s=0.0125,
    audit_interval_s=30.0,
)


def counters(*, at_ns: int = NOW - 2 * SECOND, grown: int = 0, big: int = 1) -> pb.VPPLBCounters:
    """The site's counters; `grown` is what each has got more, `big` what each is multiplied by."""

    def vip(prefix: str, protocol: str, port: int, *figures: int) -> pb.VPPLBVIPCounters:
        names = ("first", "next", "untracked", "no_server", "fib_packets", "fib_bytes")
        since: dict[str, Any] = dict.fromkeys(("since_ns", "fib_since_ns")[: 1 + (len(figures) > 4)], NOW - HOUR)
        known: dict[str, Any] = {name: (figure + grown) * big for name, figure in zip(names, figures, strict=False)}
        return pb.VPPLBVIPCounters(prefix=prefix, protocol=protocol, port=port, **known, **(since if figures else {}))

    def of_backend(names: str, address: str, *figures: int) -> pb.VPPLBBackendCounters:
        fields = ("forwarded_packets", "forwarded_bytes", "direct_packets", "direct_bytes")
        known = {name: (figure + grown) * big for name, figure in zip(fields, figures, strict=False)}
        since = NOW - HOUR if figures else None
        return pb.VPPLBBackendCounters(backends=names.split(), address=address, **known, since_ns=since)

    return pb.VPPLBCounters(
        taken_at_ns=at_ns,
        vips=[
            vip("192.0.2.9/32", "tcp", 443, 1, 5, 0, 9, 15, 900),
            vip("192.0.2.10/32", "tcp", 80, 789, 123456, 3, 0, 124248, 98765432),
            vip("198.51.100.0/25", "any", 0),
            vip("2001:db8::1/128", "tcp", 80, 0, 0, 0, 26),
        ],
        backends=[
            of_backend("web1", "10.1.0.1", 124241, 101747000, 0, 0),
            of_backend("web2", "10.1.0.2"),
            of_backend("spare spare-alias", "10.1.0.4", 7, 700, 1, 60),
            of_backend("", "10.1.0.10", 2, 200, 0, 0),
        ],
        unmatched_packets=33 + grown,
        unmatched_since_ns=NOW - 2 * DAY,
        audited_at_ns=NOW - 30 * SECOND,
        interval_s=5.0,
    )


def operation(kind: str, address: str = "", names: str = "", **facts: Any) -> pb.VPPLBOperation:
    """One on the VIP of `web`."""
    return pb.VPPLBOperation(
        kind=kind, prefix="192.0.2.10/32", protocol="tcp", port=80, address=address, backends=names.split(), **facts
    )


PLAN = pb.VPPLBPlan(
    audited_at_ns=NOW - 12 * SECOND,
    operations=[
        pb.VPPLBOperation(kind="set-parameters", breaks_flows=True),
        pb.VPPLBOperation(
            kind="add-backend",
            prefix="192.0.2.9/32",
            protocol="tcp",
            port=443,
            address="10.1.0.2",
            backends=["web2"],
            weight=100,
            waits="refused",
        ),
        operation("add-vip"),
        operation("add-backend", "10.1.0.1", "web1", weight=100, moves=0.00391),
        operation("set-weight", "10.1.0.2", "web2", weight=0, flush=True, moves=0.334, breaks_flows=True, flows=398),
        operation("set-weight", "10.1.0.4", "spare spare-alias", weight=0, drops=0.5, moves=0.25, waits="doubt"),
        operation("del-backend", "10.1.0.10", breaks_flows=True, flows=3),
        pb.VPPLBOperation(
            kind="set-weight",
            prefix=f"{LONG_SIX}/128",
            protocol="tcp",
            port=8443,
            address="2001:db8:1::6",
            backends=["six"],
            weight=100,
            drops=1.0,
            waits="refused",
        ),
        pb.VPPLBOperation(kind="del-vip", prefix="203.0.113.0/24", protocol="any", waits="warmup"),
    ],
)
