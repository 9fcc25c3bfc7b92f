from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from maglev.core.model import (
    TCP,
    HealthCheck,
    HttpSpec,
    IcmpSpec,
    Policy,
    ProbeSpec,
    TcpSpec,
    Timing,
    Tls,
    VipKey,
)
from maglev.rpc import mapping
from tests.rpc import statuses
from tests.rpc.parts import whole


def test_a_frontend_carries_configured_and_effective_weights() -> None:
    info = mapping.frontend_info(statuses.HEALTH.frontends["web"])

    assert (info.name, info.address, info.protocol, info.port) == ("web", "192.0.2.10/32", "tcp", 80)
    assert (info.description, info.src_ip_sticky, info.flush_on_down) == ("the website", False, True)
    assert (info.state, info.active_pool) == ("up", "primary")
    weights = [(pool.name, b.name, b.weight, b.effective_weight) for pool in info.pools for b in pool.backends]
    assert weights == [("primary", "web1", 100, 100), ("primary", "web2", 50, 0), ("fallback", "spare", 10, 0)]


def test_an_all_port_frontend_has_protocol_any_and_port_0() -> None:
    info = mapping.frontend_info(statuses.HEALTH.frontends["net"])

    assert (info.address, info.protocol, info.port) == ("198.51.100.0/25", "any", 0)


def test_active_pool_is_absent_when_no_pool_can_take_traffic() -> None:
    info = mapping.frontend_info(statuses.HEALTH.frontends["shop"])

    assert info.state == "down"
    assert not info.HasField("active_pool")
    assert [(pool.name, len(pool.backends)) for pool in info.pools] == [("only", 1), ("none", 0)]


def test_a_backend_carries_its_health_and_transitions_newest_first() -> None:
    info = mapping.backend_info(statuses.HEALTH.backends["web2"])

    assert (info.name, info.address, info.state, info.healthcheck) == ("web2", "10.1.0.2", "down", "http-check")
    assert (info.counter, info.counter_max, info.rise, info.enabled) == (0, 4, 2, True)
    assert info.changed_at_ns == statuses.NOW_NS - 630 * statuses.SECOND_NS
    seen = [(each.at_ns, getattr(each, "from"), each.to, each.code, each.detail) for each in info.transitions]
    assert seen == [
        (statuses.NOW_NS - 630 * statuses.SECOND_NS, "up", "down", "L4CON", "connection refused"),
        (statuses.NOW_NS - 40 * statuses.HOUR_NS, "unknown", "up", "L7OK", "200 OK"),
    ]


def test_an_unchecked_backend_has_no_check_and_no_counter() -> None:
    info = mapping.backend_info(statuses.HEALTH.backends["spare"])

    assert (info.healthcheck, info.counter, info.counter_max, info.rise) == ("", 0, 0, 0)


def test_a_disabled_backend_is_not_enabled() -> None:
    assert not mapping.backend_info(statuses.HEALTH.backends["spare-alias"]).enabled


EVERY_CHECK = {
    "name": "c",
    "interval_s": 2.0,
    "fast_interval_s": 0.5,
    "down_interval_s": 5.0,
    "timeout_s": 3.0,
    "rise": 4,
    "fall": 6,
    "backends": ["web1", "web2"],
}
HTTP: dict[str, Any] = {"port": 80, "path": "/healthz", "response_codes": ["200"]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (IcmpSpec(), {"type": "icmp"}),
        (TcpSpec(993, None), {"type": "tcp", "port": 993}),
        (TcpSpec(993, Tls(None, verify=False)), {"type": "tcp", "port": 993, "tls": {"insecure_skip_verify": True}}),
        (TcpSpec(1, Tls("imap.example.org", verify=True)), {"port": 1, "tls": {"server_name": "imap.example.org"}}),
        (HttpSpec(80, None, "/healthz", None, ((200, 200),), None), {"type": "http", **HTTP}),
        (HttpSpec(80, Tls(None, verify=True), "/healthz", None, ((200, 200),), None), {"type": "https", "tls": {}}),
        (
            HttpSpec(80, None, "/healthz", "www.example.org", ((200, 299), (404, 404)), "ok$"),
            {"host": "www.example.org", "response_codes": ["200-299", "404"], "response_regexp": "ok$"},
        ),
    ],
)
def test_a_health_check_has_what_its_type_has_and_nothing_else(spec: ProbeSpec, told: dict[str, Any]) -> None:
    check = HealthCheck("c", spec, Timing(2.0, 0.5, 5.0, 3.0), Policy(4, 6), None, None)
    info = MessageToDict(mapping.health_check_info(check, ["web1", "web2"]), preserving_proto_field_name=True)

    of_http = HTTP if isinstance(spec, HttpSpec) else {}
    of_tcp = {"type": "tcp"} if isinstance(spec, TcpSpec) else {}
    of_tls = {"type": "https"} if isinstance(spec, HttpSpec) and spec.tls else {"type": "http"}
    assert info == {**EVERY_CHECK, **of_http, **of_tcp, **(of_tls if of_http else {}), **told}


def test_source_addresses_of_probes_are_told_where_they_are_set() -> None:
    check = HealthCheck(
        "c", IcmpSpec(), Timing(1, 1, 1, 1), Policy(1, 1), IPv4Address("192.0.2.7"), IPv6Address("2001:db8::7")
    )
    both = mapping.health_check_info(check, [])
    only = mapping.health_check_info(replace(check, ipv4_source=None), [])

    assert (both.probe_ipv4_src, both.probe_ipv6_src) == ("192.0.2.7", "2001:db8::7")
    assert not only.HasField("probe_ipv4_src")
    assert only.HasField("probe_ipv6_src")


def test_vpp_info_is_told_field_by_field() -> None:
    info = mapping.vpp_info(statuses.VPP)

    assert (info.version, info.build_date) == ("26.10-rc0", "2026-08-21T10:00:00")
    assert (info.build_directory, info.pid) == ("/build/vpp", 4711)
    assert info.boottime_ns == statuses.VPP.boottime_ns
    assert info.connecttime_ns == statuses.VPP.connecttime_ns


def test_vips_and_application_servers_come_in_numeric_order() -> None:
    state = whole(mapping.lb_state(statuses.LB))

    assert [vip.prefix for vip in state.vips] == [
        "192.0.2.9/32",
        "192.0.2.10/32",
        "198.51.100.0/25",
        "2001:db8::1/128",
    ]
    assert [server.address for server in state.vips[1].application_servers] == [
        "10.1.0.1",
        "10.1.0.2",
        "10.1.0.3",
        "10.1.0.10",
    ]


def test_what_is_not_known_of_the_table_is_absent() -> None:
    shop, web, _, six = whole(mapping.lb_state(statuses.LB)).vips

    assert not six.HasField("src_ip_sticky")
    assert web.HasField("src_ip_sticky")
    assert web.src_ip_sticky is False
    assert not shop.application_servers[0].HasField("buckets")
    assert not shop.application_servers[0].HasField("flows")
    assert web.application_servers[1].HasField("flows")
    assert web.application_servers[1].flows == 0
    without = replace(statuses.LB, observed=replace(statuses.OBSERVED, conf=None))
    assert not whole(mapping.lb_state(without)).HasField("conf")


def test_global_parameters_encap_and_refusals_are_told() -> None:
    state = whole(mapping.lb_state(statuses.LB))

    assert (state.conf.ipv4_src_address, state.conf.ipv6_src_address) == ("10.0.0.1", "2001:db8::100")
    assert (state.conf.sticky_buckets_per_core, state.conf.flow_timeout_s) == (65536, 40)
    assert state.audited_at_ns == statuses.LB.audited_at_ns
    assert [vip.encap for vip in state.vips] == ["gre4", "gre4", "gre4", "gre6"]
    assert state.vips[0].refused == "lb_add_del_as_v2 refused (retval=-73)"
    assert not state.vips[1].HasField("refused")


def test_refused_global_parameters_are_told() -> None:
    assert not whole(mapping.lb_state(statuses.LB)).HasField("conf_refused")
    lb = replace(statuses.LB, doubtful=frozenset({statuses.WEB, statuses.NET}), held_back_s=30.0)
    trouble = whole(mapping.lb_state(lb))
    assert (trouble.doubtful, trouble.held_back_s) == (2, 30)
    assert (trouble.audit_cost_s, trouble.audit_interval_s) == (0.0125, 30)
    assert whole(mapping.lb_state(replace(statuses.LB, conf_refused="no"))).conf_refused == "no"


def test_a_vip_that_vpp_refused_to_make_is_listed_too() -> None:
    missing = VipKey(ip_network("192.0.2.200/32"), TCP, 80)
    state = whole(mapping.lb_state(replace(statuses.LB, refused={missing: "no"})))

    (listed,) = [vip for vip in state.vips if vip.HasField("refused")]
    assert (listed.prefix, listed.protocol, listed.port, listed.refused) == ("192.0.2.200/32", "tcp", 80, "no")
    assert len(state.vips) == len(statuses.LB.observed.vips) + 1
