import contextlib
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.model import Encap, VipKey
from maglev.errors import ProtocolError
from maglev.vpp.listing import ListedBackend, ListedVip, parse_listing

COUNTERS = """  counters:
    packet from existing sessions: 0
    first session packet: 1000
    untracked packet: 0
    no server configured: 0
"""
STICKY = f""" ip4-gre4 [4] 192.0.2.1/32 src_ip_sticky
  new_size:1024
  protocol:6 port:80
{COUNTERS}  #as:2
    10.1.0.1 weight:10 buckets:342 flows:398 dpo:9 used
    10.1.0.2 weight:20 buckets:682 flows:405 dpo:10  removed
"""
REMOVED = f""" ip6-gre6 [5] 2001:db8::/64 removed
  new_size:65536
{COUNTERS}  #as:0
"""
NAT = """ ip4-nat4 [6] 192.0.2.9/32
  new_size:1024
  protocol:17 port:53
  type:clusterip port:53 target_port:5353  counters:
    packet from existing sessions: 0
  #as:0
"""
DSR = f""" ip4-l3dsr [7] 192.0.2.10/32
  new_size:1024
  protocol:6 port:443
  dscp:7
{COUNTERS}  #as:0
"""


def test_a_listing_is_read_with_index_key_and_backends() -> None:
    assert parse_listing(STICKY) == (
        ListedVip(
            4,
            VipKey(ip_network("192.0.2.1/32"), 6, 80),
            Encap.GRE4,
            src_ip_sticky=True,
            is_live=True,
            table_length=1024,
            backends=(
                ListedBackend(ip_address("10.1.0.1"), 10, 342, 398, 9, is_live=True),
                ListedBackend(ip_address("10.1.0.2"), 20, 682, 405, 10, is_live=False),
            ),
        ),
    )


def test_a_removed_all_port_vip_is_read_as_not_live() -> None:
    (vip,) = parse_listing(REMOVED)

    assert vip.key == VipKey(ip_network("2001:db8::/64"), 255, 0)
    assert not vip.is_live
    assert vip.table_length == 65536


def test_vips_follow_each_other_and_vpp_ends_with_blank_lines() -> None:
    found = parse_listing("\n".join([STICKY, REMOVED, NAT, DSR]) + "\n\n")

    assert [(vip.index, vip.encap) for vip in found] == [
        (4, Encap.GRE4),
        (5, Encap.GRE6),
        (6, Encap.NAT4),
        (7, Encap.L3DSR),
    ]


def test_an_empty_listing_has_no_vips() -> None:
    assert parse_listing("") == ()


def test_lines_that_are_not_known_do_not_matter() -> None:
    assert parse_listing(STICKY.replace("  counters:", "  punt:yes\n  counters:\n    a new one: 7")) == parse_listing(
        STICKY
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("[4]", "[four]", 1),
        ("192.0.2.1/32", "192.0.2.1/24", 1),
        ("192.0.2.1/32", "192.0.2.1/99", 1),
        ("ip4-gre4", "ip4-geneve", 1),
        ("src_ip_sticky", "src_ip_stuck", 1),
        ("  new_size:1024\n", "", 1),
        ("port:80", "port:99999", 1),
        ("#as:2", "#as:3", 1),
        ("#as:2", "#ases:2", 1),
        ("weight:10 buckets:342", "weight:10", 10),
        ("dpo:9 used", "dpo:9 unused", 10),
        ("10.1.0.1 ", "10.1.0.256 ", 10),
    ],
)
def test_a_listing_that_is_wrong_in_what_we_use_names_line_and_text(old: str, new: str, line: int) -> None:
    assert old in STICKY

    with pytest.raises(ProtocolError) as caught:
        parse_listing(STICKY.replace(old, new))

    assert caught.value.fields["line"] == line
    assert caught.value.fields["seen"]


def test_text_before_the_first_vip_is_a_fault() -> None:
    with pytest.raises(ProtocolError, match="line=1"):
        parse_listing("show: unknown input `lb vips verbose'")


@given(st.text())
def test_any_text_is_a_listing_or_a_protocol_error(text: str) -> None:
    with contextlib.suppress(ProtocolError):
        parse_listing(text)


@given(st.data())
def test_any_damage_to_a_listing_is_noticed_or_harmless(data: st.DataObject) -> None:
    whole = STICKY + "\n" + REMOVED
    at = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(at, min(at + 30, len(whole))))
    with contextlib.suppress(ProtocolError):
        parse_listing(whole[:at] + data.draw(st.text(max_size=5)) + whole[end:])


BACKENDS = st.builds(
    ListedBackend, st.ip_addresses(), st.integers(0, 100), st.integers(0, 2**32 - 1), st.integers(0, 2**40),
    st.integers(0, 2**32 - 1), st.booleans(),
)  # fmt: skip
VIPS = st.builds(
    ListedVip,
    st.integers(1, 2**32 - 1),
    st.builds(VipKey, st.ip_addresses().map(ip_network), st.integers(0, 254), st.integers(1, 65535))
    | st.builds(VipKey, st.ip_addresses().map(ip_network), st.just(255), st.just(0)),
    st.sampled_from(Encap),
    st.booleans(),
    st.booleans(),
    st.integers(0, 24).map(lambda power: 1 << power),
    st.lists(BACKENDS, max_size=4).map(tuple),
)


def rendered(vip: ListedVip) -> str:
    """As VPP's format_lb_vip_detailed prints it."""
    head = f" ip{vip.key.prefix.version}-{vip.encap.name.lower()} [{vip.index}] {vip.key.prefix}"
    lines = [head + " src_ip_sticky" * vip.src_ip_sticky + " removed" * (not vip.is_live)]
    lines.append(f"  new_size:{vip.table_length}")
    if vip.key.port:
        lines.append(f"  protocol:{vip.key.protocol} port:{vip.key.port}")
    lines.append(f"{COUNTERS}  #as:{len(vip.backends)}")
    for one in vip.backends:
        state = "used" if one.is_live else " removed"
        lines.append(
            f"    {one.address} weight:{one.weight} buckets:{one.buckets} flows:{one.flows} dpo:{one.dpo} {state}"
        )
    return "\n".join(lines) + "\n"


@given(st.lists(VIPS, max_size=4))
def test_every_listing_is_read_back_as_it_was_meant(vips: list[ListedVip]) -> None:
    assert parse_listing("\n".join(rendered(vip) for vip in vips)) == tuple(vips)
