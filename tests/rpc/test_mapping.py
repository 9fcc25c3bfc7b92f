from dataclasses import replace
from ipaddress import ip_network

from maglev.core.model import TCP, VipKey
from maglev.rpc import mapping
from tests.rpc import statuses


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


def test_vpp_info_is_told_field_by_field() -> None:
    info = mapping.vpp_info(statuses.VPP)

    assert (info.version, info.build_date) == ("26.10-rc0", "2026-08-21T10:00:00")
    assert (info.build_directory, info.pid) == ("/build/vpp", 4711)
    assert info.boottime_ns == statuses.VPP.boottime_ns
    assert info.connecttime_ns == statuses.VPP.connecttime_ns


def test_vips_and_application_servers_come_in_numeric_order() -> None:
    state = mapping.lb_state(statuses.LB)

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
    shop, web, _, six = mapping.lb_state(statuses.LB).vips

    assert not six.HasField("src_ip_sticky")
    assert web.HasField("src_ip_sticky")
    assert web.src_ip_sticky is False
    assert not shop.application_servers[0].HasField("buckets")
    assert not shop.application_servers[0].HasField("flows")
    assert web.application_servers[1].HasField("flows")
    assert web.application_servers[1].flows == 0
    assert not mapping.lb_state(replace(statuses.LB, observed=replace(statuses.OBSERVED, conf=None))).HasField("conf")


def test_global_parameters_encap_and_refusals_are_told() -> None:
    state = mapping.lb_state(statuses.LB)

    assert (state.conf.ipv4_src_address, state.conf.ipv6_src_address) == ("10.0.0.1", "2001:db8::100")
    assert (state.conf.sticky_buckets_per_core, state.conf.flow_timeout_s) == (65536, 40)
    assert state.audited_at_ns == statuses.LB.audited_at_ns
    assert [vip.encap for vip in state.vips] == ["gre4", "gre4", "gre4", "gre6"]
    assert state.vips[0].refused == "lb_add_del_as_v2 refused (retval=-73)"
    assert not state.vips[1].HasField("refused")


def test_refused_global_parameters_are_told() -> None:
    assert not mapping.lb_state(statuses.LB).HasField("conf_refused")
    trouble = mapping.lb_state(replace(statuses.LB, doubtful=2, held_back_s=30.0))
    assert (trouble.doubtful, trouble.held_back_s) == (2, 30)
    assert (trouble.audit_cost_s, trouble.audit_interval_s) == (0.0125, 30)
    assert mapping.lb_state(replace(statuses.LB, conf_refused="no")).conf_refused == "no"


def test_a_vip_that_vpp_refused_to_make_is_listed_too() -> None:
    missing = VipKey(ip_network("192.0.2.200/32"), TCP, 80)
    state = mapping.lb_state(replace(statuses.LB, refused={missing: "no"}))

    (listed,) = [vip for vip in state.vips if vip.HasField("refused")]
    assert (listed.prefix, listed.protocol, listed.port, listed.refused) == ("192.0.2.200/32", "tcp", 80, "no")
    assert len(state.vips) == len(statuses.LB.observed.vips) + 1
