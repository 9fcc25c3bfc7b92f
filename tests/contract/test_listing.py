"""What VPP's command line lists of VIPs, to the letter."""

import pytest

from tests.contract.target import TCP, Target, new_prefix

OK = 0
GRE4, GRE6, L3DSR, NAT4, NAT6 = range(5)


def test_a_deleted_vip_stays_listed_and_its_successor_gets_another_index(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.0.1")
    first = target.index(prefix)

    assert target.del_vip(prefix) == OK
    assert target.api.lb_vip_dump() == []
    assert target.add_vip(prefix) == OK

    # Listed by index, and an index freed long ago may be lower.
    live, dead = sorted(target.blocks(prefix), key=lambda block: block.splitlines()[0].endswith(" removed"))
    assert dead.splitlines()[0] == f" ip4-gre4 [{first}] {prefix} removed"
    assert live.splitlines()[0] == f" ip4-gre4 [{target.index(prefix)}] {prefix}"
    assert target.index(prefix) != first
    assert "10.1.0.1 weight:100 buckets:0 flows:0" in dead
    assert "#as:0" in live


def test_the_verbose_listing_is_vpps_to_the_letter(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix, TCP, 443, src_ip_sticky=True)
    target.add_as(prefix, "10.1.0.1", weight=10, protocol=TCP, port=443)
    target.add_as(prefix, "10.1.0.2", weight=20, protocol=TCP, port=443)
    target.del_as(prefix, "10.1.0.2", protocol=TCP, port=443)

    dpo = [target.stats_index(f"10.1.0.{n}/32") for n in (1, 2)]
    assert target.blocks(prefix) == [
        f""" ip4-gre4 [{target.index(prefix)}] {prefix} src_ip_sticky
  new_size:1024
  protocol:6 port:443
  counters:
    packet from existing sessions: 0
    first session packet: 0
    untracked packet: 0
    no server configured: 0
  #as:2
    10.1.0.1 weight:10 buckets:1024 flows:0 dpo:{dpo[0]} used
    10.1.0.2 weight:20 buckets:0 flows:0 dpo:{dpo[1]}  removed"""
    ]
    assert target.cli("show lb vips verbose").endswith("\n\n")


def test_a_listing_for_all_ports_names_no_port(target: Target) -> None:
    prefix = new_prefix(6)
    target.add_vip(prefix, port=0, encap=GRE6)

    head, size, counters, *_ = target.blocks(prefix)[0].splitlines()
    assert head == f" ip6-gre6 [{target.index(prefix)}] {prefix}"
    assert (size, counters) == ("  new_size:1024", "  counters:")


@pytest.mark.parametrize(
    ("version", "encap", "word"),
    [
        (4, GRE4, "ip4-gre4"),
        (4, GRE6, "ip4-gre6"),
        (4, L3DSR, "ip4-l3dsr"),
        (4, NAT4, "ip4-nat4"),
        (6, GRE4, "ip6-gre4"),
        (6, GRE6, "ip6-gre6"),
        (6, NAT6, "ip6-nat6"),
    ],
)
def test_family_and_encap_have_their_words(target: Target, version: int, encap: int, word: str) -> None:
    prefix = new_prefix(version)

    assert target.add_vip(prefix, encap=encap, target_port=80) == OK

    assert target.blocks(prefix)[0].split()[0] == word
    assert target.api.lb_vip_dump()[0].encap == encap


def test_the_short_listing(target: Target) -> None:
    prefix, everything = new_prefix(), new_prefix()
    target.add_vip(prefix)
    target.add_vip(everything, port=0)
    target.del_vip(everything, port=0)

    lines = [line for line in target.cli("show lb vips").splitlines() if prefix in line or everything in line]
    assert sorted(lines) == [
        f"ip4-gre4 {prefix} new_size:1024 #as:0  protocol:17 port:80 ",
        f"ip4-gre4 {everything} new_size:1024 #as:0 removed",
    ]


def test_l3dsr_shows_its_dscp_in_two_places(target: Target) -> None:
    prefix = new_prefix()

    assert target.add_vip(prefix, encap=L3DSR, dscp=71) == OK

    vip = target.api.lb_vip_dump()[0]
    assert (vip.encap, vip.dscp, vip.srv_type) == (L3DSR, 7, 7 << 24)
    assert target.blocks(prefix)[0].splitlines()[3] == "  dscp:7"


def test_nat_lists_its_ports_as_vpp_slips(target: Target) -> None:
    prefix = new_prefix()

    assert target.add_vip(prefix, encap=NAT4, target_port=8080) == OK

    assert target.api.lb_vip_dump()[0].target_port == 0x901F
    assert "  type:clusterip port:20480 target_port:8080  counters:\n" in target.blocks(prefix)[0]
