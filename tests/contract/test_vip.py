"""What VPP answers about VIPs, and lists."""

import ipaddress

import pytest

from tests.contract.target import TCP, UDP, Target, host, new_prefix

OK, NO_ENTRY, BAD_LENGTH, OTHER_ENCAP, EXISTS, BAD_FAMILY = 0, -6, -70, -73, -81, -97
GRE4, GRE6, L3DSR, NAT4, NAT6 = range(5)


def test_enums_and_versions_reach_a_plain_client(target: Target) -> None:
    version = target.api.show_version()

    assert version.retval == OK
    assert version.program == "vpe"
    assert version.version.startswith("26.10")
    assert target.cli("show version").startswith(f"vpp v{version.version} built by ")
    assert target.papi.get_type("vl_api_address_family_t").enum.ADDRESS_IP6 == 1
    assert target.papi.get_type("vl_api_lb_encap_type_t").enum.LB_API_ENCAP_TYPE_NAT6 == NAT6
    assert target.api.control_ping().vpe_pid > 0


def test_a_vip_is_dumped_as_it_was_added(target: Target) -> None:
    prefix = new_prefix()

    assert target.add_vip(prefix, TCP, 8080, encap=GRE6, new_flows_table_length=256) == OK

    (vip,) = target.api.lb_vip_dump()
    assert (str(vip.vip.pfx), vip.vip.protocol, vip.vip.port) == (prefix, TCP, 8080)
    assert (vip.encap, vip.dscp, vip.srv_type, vip.target_port) == (GRE6, 0, 0, 0)
    assert vip.flow_table_length == 256


def test_api_defaults_are_a_table_of_1024_for_all_ports(target: Target) -> None:
    assert target.api.lb_add_del_vip_v2(pfx=new_prefix()).retval == OK

    (vip,) = target.api.lb_vip_dump()
    assert (vip.vip.protocol, vip.vip.port, vip.flow_table_length) == (255, 0, 1024)


def test_without_a_port_the_protocol_says_nothing(target: Target) -> None:
    prefix = new_prefix()

    assert target.add_vip(prefix, TCP, 0) == OK

    (vip,) = target.api.lb_vip_dump()
    assert (vip.vip.protocol, vip.vip.port) == (255, 0)
    assert target.add_as(prefix, "10.1.0.1", protocol=UDP, port=0) == OK
    assert target.del_vip(prefix, UDP, 0) == OK


def test_no_binary_message_tells_an_index_or_what_sticks_to_its_source(target: Target) -> None:
    told = {name: target.papi.messages[name].fields[2:] for name in ("lb_vip_details", "lb_as_v2_details")}

    assert told == {
        "lb_vip_details": ["vip", "encap", "dscp", "srv_type", "target_port", "flow_table_length"],
        "lb_as_v2_details": ["vip", "app_srv", "flags", "in_use_since", "weight", "num_buckets"],
    }


def test_a_table_of_65536_reads_back_as_0(target: Target) -> None:
    prefix = new_prefix()

    assert target.add_vip(prefix, new_flows_table_length=65536) == OK

    assert target.api.lb_vip_dump()[0].flow_table_length == 0
    assert "  new_size:65536\n" in target.blocks(prefix)[0]


@pytest.mark.parametrize("version", [4, 6])
def test_host_bits_are_cleared(target: Target, version: int) -> None:
    given, kept = {4: ("10.210.1.130/25", "10.210.1.128/25"), 6: ("2001:db8:79::1:1/112", "2001:db8:79::1:0/112")}[
        version
    ]

    assert target.add_vip(given) == OK

    assert str(target.api.lb_vip_dump()[0].vip.pfx) == kept
    assert target.add_vip(kept) == EXISTS
    assert target.stats_index(given) == target.stats_index(kept)
    assert target.del_vip(given) == OK


def test_a_vip_cannot_be_added_twice(target: Target) -> None:
    prefix = new_prefix()

    assert [target.add_vip(prefix), target.add_vip(prefix)] == [OK, EXISTS]
    assert target.add_vip(prefix, new_flows_table_length=1000) == EXISTS


def test_all_ports_and_one_port_exclude_each_other(target: Target) -> None:
    ports, everything = new_prefix(), new_prefix()

    assert target.add_vip(ports, UDP, 80) == OK
    assert target.add_vip(ports, UDP, 0) == EXISTS
    assert target.add_vip(ports, TCP, 80) == OK
    assert target.add_vip(everything, UDP, 0) == OK
    assert target.add_vip(everything, TCP, 0) == EXISTS
    assert target.add_vip(everything, UDP, 80) == EXISTS


def test_all_ports_of_a_prefix_have_one_encap(target: Target) -> None:
    prefix = new_prefix()

    assert target.add_vip(prefix, UDP, 80, encap=GRE4) == OK
    assert target.add_vip(prefix, UDP, 81, encap=GRE6) == OTHER_ENCAP
    assert target.add_vip(prefix, UDP, 81, encap=GRE4) == OK


def test_another_encap_waits_for_the_last_vip_of_its_prefix_to_go(target: Target) -> None:
    prefix = new_prefix()
    for port in (80, 81):
        target.add_vip(prefix, UDP, port, encap=GRE4)
        target.add_as(prefix, "10.1.0.1", port=port)

    assert target.del_vip(prefix, UDP, 80) == OK
    assert target.add_vip(prefix, UDP, 80, encap=GRE6) == OTHER_ENCAP
    assert target.del_vip(prefix, UDP, 81) == OK
    assert [target.add_vip(prefix, UDP, port, encap=GRE6) for port in (80, 81)] == [OK, OK]

    heads = [block.splitlines()[0].split() for block in target.blocks(prefix)]
    assert sorted((words[0], words[3:]) for words in heads) == [
        ("ip4-gre4", ["removed"]),
        ("ip4-gre4", ["removed"]),
        ("ip4-gre6", []),
        ("ip4-gre6", []),
    ]
    assert target.add_as(prefix, "fd00::1") == OK


@pytest.mark.parametrize("length", [1000, 3, 65535])
def test_a_table_must_be_a_power_of_two(target: Target, length: int) -> None:
    assert target.add_vip(new_prefix(), new_flows_table_length=length) == BAD_LENGTH


@pytest.mark.parametrize(("version", "encap"), [(4, NAT6), (4, 99)])
def test_a_family_that_the_encap_cannot_carry_is_refused(target: Target, version: int, encap: int) -> None:
    assert target.add_vip(new_prefix(version), encap=encap) == BAD_FAMILY


def test_an_encap_unknown_to_ip6_becomes_gre6(target: Target) -> None:
    assert target.add_vip(new_prefix(6), encap=L3DSR) == OK

    assert target.api.lb_vip_dump()[0].encap == GRE6


def test_what_is_not_there_cannot_be_touched(target: Target) -> None:
    prefix, known = new_prefix(), new_prefix()
    target.add_vip(known)

    assert target.del_vip(prefix) == NO_ENTRY
    assert target.add_as(prefix, "10.1.0.1") == NO_ENTRY
    assert target.del_as(prefix, "10.1.0.1") == NO_ENTRY
    assert target.set_weight(prefix, "10.1.0.1", 1) == NO_ENTRY
    assert target.del_as(known, "10.1.0.1") == NO_ENTRY
    assert target.set_weight(known, "10.1.0.1", 1) == NO_ENTRY
    assert target.del_vip(known, TCP) == NO_ENTRY
    assert target.del_vip(known, UDP, 81) == NO_ENTRY


def test_dumps_list_the_backends_of_deleted_vips_as_unused(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.0.1", weight=77)
    target.del_vip(prefix)

    details = target.details(prefix)["10.1.0.1"]
    assert (details.flags, details.weight, details.num_buckets) == (0, 77, 0)


def test_dump_filter_matches_no_ip4_vip_and_only_whole_ip6_keys(target: Target) -> None:
    four, six = new_prefix(4), new_prefix(6)
    for prefix in (four, six):
        target.add_vip(prefix)
        target.add_as(prefix, "10.1.0.1")

    def live(pfx: str, protocol: int, port: int) -> list[str]:
        dumped = target.api.lb_as_v2_dump(pfx=pfx, protocol=protocol, port=port)
        return [str(d.vip.pfx) for d in dumped if d.flags]

    assert sorted(live("0.0.0.0/0", 0, 0)) == [four, six]
    assert live(four, UDP, 80) == []
    assert live(six, UDP, 80) == [six]
    assert live(six, UDP, 81) == []
    assert len(target.api.lb_vip_dump(pfx=six)) == 2


def test_ports_of_a_prefix_share_one_route_that_goes_with_the_last(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix, UDP, 80)
    index = target.stats_index(prefix)
    target.add_vip(prefix, UDP, 81)
    target.del_vip(prefix, UDP, 80)
    target.add_vip(prefix, UDP, 80)

    assert target.stats_index(prefix) == index
    target.del_vip(prefix, UDP, 80)
    target.del_vip(prefix, UDP, 81)
    assert target.api.ip_route_lookup(exact=1, prefix=prefix).retval == NO_ENTRY


def test_route_lookup_exact_longest_and_absent(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix)
    lookup = target.api.ip_route_lookup

    exact, default = lookup(exact=1, prefix=prefix), lookup(exact=0, prefix="10.222.0.1/32")
    assert (exact.route.prefix, exact.route.n_paths, len(exact.route.paths)) == (ipaddress.ip_network(prefix), 1, 1)
    assert (str(default.route.prefix), default.retval) == ("0.0.0.0/0", OK)
    assert lookup(exact=0, prefix=f"{host(prefix)}/31").route.stats_index == default.route.stats_index
    assert lookup(exact=0, prefix=prefix).route.stats_index == exact.route.stats_index
    missing = lookup(exact=1, prefix="10.222.0.1/32")
    assert (missing.retval, missing.route.n_paths) == (NO_ENTRY, 0)
    assert lookup(table_id=5, exact=1, prefix=prefix).retval == -3
    assert str(lookup(exact=0, prefix="2001:db8:ffff::1/128").route.prefix) == "::/0"


def test_global_parameters_are_kept_or_changed(target: Target) -> None:
    sources = "10.0.0.9", "fd00::9"

    assert target.configure(*sources, 1024, 40) == OK
    assert target.configure(*sources, 1000, 30) == BAD_LENGTH
    assert target.configure(*sources, 0xFFFFFFFF, 0xFFFFFFFF) == OK
    now = target.api.lb_conf_get()
    assert (str(now.ip4_src_address), str(now.ip6_src_address)) == ("10.0.0.9", "fd00::9")
    assert (now.sticky_buckets_per_core, now.flow_timeout) == (1024, 40)


def test_flushing_is_never_refused(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix)

    assert target.api.lb_flush_vip(pfx=prefix, protocol=UDP, port=80).retval == OK


def test_an_unknown_command_is_named(target: Target) -> None:
    reply = target.api.cli_inband(cmd="foo bar")

    assert (reply.retval, reply.reply) == (-1, "unknown input `foo bar'\n")
