from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from maglev.config.model import LbSettings
from maglev.config.parse import parse
from maglev.core.model import (
    Backend,
    Encap,
    Frontend,
    HealthCheck,
    HttpSpec,
    IcmpSpec,
    LbConf,
    Policy,
    Pool,
    ProbeSpec,
    TcpSpec,
    Timing,
    Tls,
    VipKey,
)
from tests.config.samples import VALID, changed, faults_of

MINIMAL = """\
maglev:
  vpp: {lb: {ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe"}}
  healthchecks: {web: {type: http, port: 80}}
  backends: {one: {address: 198.51.100.1}}
  frontends: {www: {address: 192.0.2.1, pools: [{name: only, backends: {one: {}}}]}}
"""


def test_every_key_is_read() -> None:
    config = parse(VALID)

    assert (config.transition_history, config.netns) == (7, "probes")
    sources = IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe")
    assert config.lb == LbSettings(LbConf(*sources, 1024, 120), 90.0, 1.0, 2.0, 4.0)
    web = HealthCheck(
        "web",
        HttpSpec(80, None, "/healthz", "www.example.org", ((200, 200), (301, 302)), "ok (yes|no)"),
        Timing(4.0, 0.5, 10.0, 0.2),
        Policy(1, 2),
        IPv4Address("192.0.2.253"),
        None,
    )
    assert config.healthchecks["web"] == web
    assert config.backends["one"] == Backend("one", IPv4Address("198.51.100.1"), web, enabled=True)
    assert config.backends["three"] == Backend("three", IPv4Address("198.51.100.3"), None, enabled=True)
    assert not config.backends["two"].enabled
    assert config.frontends["www"] == Frontend(
        "www",
        "the web",
        VipKey(ip_network("192.0.2.1/32"), 6, 80),
        (Pool("primary", {"one": 10, "two": 100}), Pool("fallback", {"three": 0})),
        Encap.GRE4,
        src_ip_sticky=True,
        flush_on_down=False,
    )


def test_order_of_the_file_is_kept() -> None:
    config = parse(VALID)

    assert list(config.healthchecks) == ["web", "secure", "imaps", "ping"]
    assert list(config.backends) == ["one", "two", "three", "six"]
    assert list(config.frontends) == ["www", "mail", "wide"]


def test_defaults_stand_in_for_what_is_left_out() -> None:
    config = parse(MINIMAL)

    assert (config.transition_history, config.netns) == (5, None)
    assert config.lb.conf is not None
    assert (config.lb.conf.sticky_buckets_per_core, config.lb.conf.flow_timeout_s) == (65536, 40)
    assert config.lb == LbSettings(config.lb.conf, 30.0, 5.0, 5.0, 30.0)
    web = config.healthchecks["web"]
    assert web.spec == HttpSpec(80, None, "/", None, ((200, 299),), None)
    assert (web.timing, web.policy) == (Timing(2.0, 2.0, 2.0, 3.0), Policy(2, 3))
    www = config.frontends["www"]
    assert (www.description, www.src_ip_sticky, www.flush_on_down) == ("", False, True)


def test_fast_and_down_interval_follow_the_interval() -> None:
    config = parse(MINIMAL.replace("port: 80", "port: 80, interval: 7s"))

    assert config.healthchecks["web"].timing == Timing(7.0, 7.0, 7.0, 3.0)


@pytest.mark.parametrize(
    ("definition", "spec"),
    [
        ("type: icmp", IcmpSpec()),
        ("type: tcp, port: 22", TcpSpec(22, None)),
        ("type: tcp, port: 22, params: {}", TcpSpec(22, None)),
        ("type: tcp, port: 993, params: {ssl: true}", TcpSpec(993, Tls(None, verify=True))),
        (
            "type: tcp, port: 993, params: {ssl: true, server-name: a.example, insecure-skip-verify: true}",
            TcpSpec(993, Tls("a.example", verify=False)),
        ),
        ("type: https, port: 443", HttpSpec(443, Tls(None, verify=True), "/", None, ((200, 299),), None)),
        (
            "type: https, port: 443, params: {host: 'a.example:8443'}",
            HttpSpec(443, Tls("a.example", verify=True), "/", "a.example:8443", ((200, 299),), None),
        ),
        (
            "type: https, port: 443, params: {host: 192.0.2.1}",
            HttpSpec(443, Tls(None, verify=True), "/", "192.0.2.1", ((200, 299),), None),
        ),
        (
            "type: https, port: 443, params: {host: '[2001:db8::1]'}",
            HttpSpec(443, Tls(None, verify=True), "/", "[2001:db8::1]", ((200, 299),), None),
        ),
        (
            "type: https, port: 443, params: {host: a.example, server-name: b.example}",
            HttpSpec(443, Tls("b.example", verify=True), "/", "a.example", ((200, 299),), None),
        ),
    ],
)
def test_probe_specs(definition: str, spec: ProbeSpec) -> None:
    assert parse(MINIMAL.replace("type: http, port: 80", definition)).healthchecks["web"].spec == spec


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("200", ((200, 200),)),
        ('"200"', ((200, 200),)),
        ("200-299", ((200, 299),)),
        ("'200, 204,300-399'", ((200, 200), (204, 204), (300, 399))),
        ("[200, 300-302, '401,403']", ((200, 200), (300, 302), (401, 401), (403, 403))),
    ],
)
def test_response_codes(written: str, codes: tuple[tuple[int, int], ...]) -> None:
    spec = parse(changed("200,301-302", written)).healthchecks["web"].spec

    assert isinstance(spec, HttpSpec)
    assert spec.codes == codes


def test_unused_checks_and_backends_are_fine() -> None:
    assert set(parse(VALID).healthchecks) > {"secure", "imaps"}


def test_an_address_without_length_is_a_host_prefix() -> None:
    config = parse(VALID)

    assert config.frontends["www"].vip.prefix == config.frontends["mail"].vip.prefix == ip_network("192.0.2.1/32")


def test_without_port_or_with_port_0_a_vip_takes_all_ports() -> None:
    for port in ("", "port: 0, "):
        config = parse(MINIMAL.replace("{address: 192.0.2.1,", "{" + port + "address: 192.0.2.1,"))
        assert config.frontends["www"].vip == VipKey(ip_network("192.0.2.1/32"), 255, 0)


def test_encap_follows_the_backends_not_the_vip() -> None:
    text = changed("backends: {six: {weight: 1}}", "backends: {one: {}}")

    assert parse(VALID).frontends["wide"].encap is Encap.GRE6
    assert parse(text).frontends["wide"].encap is Encap.GRE4


def test_a_frontend_without_backends_gets_the_encap_of_its_own_family() -> None:
    assert parse(changed("backends: {six: {weight: 1}}", "backends: {}")).frontends["wide"].encap is Encap.GRE6
    assert parse(MINIMAL.replace("{one: {}}", "{}")).frontends["www"].encap is Encap.GRE4


def test_a_frontend_without_backends_takes_the_encap_of_its_neighbours_on_the_prefix() -> None:
    text = changed("backends: {three: }", "backends: {six: }").replace(
        """\
            one: {weight: 10}
            two: {}
        - name: fallback
          backends:
            three: {weight: 0}
""",
        "            {}\n",
    )
    assert parse(text).frontends["www"].encap is parse(text).frontends["mail"].encap is Encap.GRE6


def test_a_backend_may_stand_in_several_pools_of_a_frontend() -> None:
    config = parse(changed("three: {weight: 0}", "one: {weight: 0}"))

    assert [pool.weights.get("one") for pool in config.frontends["www"].pools] == [10, 0]


def test_a_backend_named_without_a_weight_has_the_default() -> None:
    assert parse(VALID).frontends["mail"].pools[0].weights == {"three": 100}


def test_prefixes_that_overlap_do_not_disturb_each_other() -> None:
    config = parse(changed("address: 192.0.2.1/32", "address: 192.0.2.0/24"))

    assert config.frontends["mail"].vip.prefix == ip_network("192.0.2.0/24")


def test_no_warmup_is_written_as_two_zeroes() -> None:
    for zero in ("0", "0s", "0ms"):
        text = changed("startup-min-delay: 2s", f"startup-min-delay: {zero}")
        lb = parse(text.replace("startup-max-delay: 4s", f"startup-max-delay: {zero}")).lb
        assert (lb.startup_min_delay_s, lb.startup_max_delay_s) == (0, 0)


def test_without_vpp_the_source_addresses_may_be_missing_but_not_one_of_them() -> None:
    without = VALID.replace("      ipv4-src-address: 192.0.2.254\n", "")
    neither = without.replace("      ipv6-src-address: 2001:db8::fe\n", "")

    assert parse(neither, vpp_in_use=False).lb.conf is None
    assert parse(VALID, vpp_in_use=False) == parse(VALID)
    one = faults_of(without, vpp_in_use=False)
    both = faults_of(neither)
    assert one is not None
    assert both is not None
    assert [fault.path for fault in one.faults] == ["maglev.vpp.lb.ipv4-src-address"]
    assert [fault.path for fault in both.faults] == ["maglev.vpp.lb.ipv4-src-address", "maglev.vpp.lb.ipv6-src-address"]


def test_a_configuration_may_be_empty_of_frontends() -> None:
    config = parse("maglev:\n  frontends:\n  backends: {}\n", vpp_in_use=False)

    assert not config.frontends
    assert not config.backends


def test_names_that_yaml_takes_for_something_else_are_fine_in_quotes() -> None:
    config = parse(MINIMAL.replace("one:", '"on":'))

    assert list(config.backends) == ["on"]
    assert config.frontends["www"].pools[0].weights == {"on": 100}


def test_an_address_is_an_address_even_where_yaml_sees_a_number() -> None:
    config = parse(MINIMAL.replace("198.51.100.1", "1:2:3:4:5:6:7:8").replace("{one: {}}", "{}"))

    assert config.backends["one"].address == IPv6Address("1:2:3:4:5:6:7:8")


def test_anchors_and_aliases_stand_for_what_they_name() -> None:
    text = changed("backends: {three: }", "backends: &mail {three: {weight: 3}}").replace(
        "backends: {six: {weight: 1}}", "backends: *mail"
    )
    frontends = parse(text).frontends

    assert frontends["wide"].pools[0].weights == frontends["mail"].pools[0].weights == {"three": 3}
