from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.counters import Sample, VipCounters, Volume
from maglev.core.status import LbStatus
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.counters import lb_counters
from tests.rpc import statuses
from tests.rpc.parts import whole

COUNT = st.integers(0, 2**64 - 1)
FIGURES = ("next", "first", "untracked", "no_server", "fib_packets", "fib_bytes", "since_ns", "fib_since_ns")
VOLUMES = ("forwarded_packets", "forwarded_bytes", "direct_packets", "direct_bytes", "since_ns")


def counters(sample: Sample = statuses.SAMPLE, lb: LbStatus = statuses.LB) -> pb.VPPLBCounters:
    return whole(lb_counters(sample, lb, statuses.HEALTH.backends, 5.0))


def told(entry: pb.VPPLBVIPCounters | pb.VPPLBBackendCounters | pb.VPPLBAS) -> dict[str, object]:
    """What is there, so that a zero that is told and a figure that is not are two things."""
    return {field.name: value for field, value in entry.ListFields()}


def test_each_vip_of_the_table_is_told_and_no_other_in_numeric_order() -> None:
    gone = replace(
        statuses.LB, observed=replace(statuses.OBSERVED, vips={statuses.NET: statuses.OBSERVED.vips[statuses.NET]})
    )

    assert [vip.prefix for vip in counters().vips] == [
        "192.0.2.9/32",
        "192.0.2.10/32",
        "198.51.100.0/25",
        "2001:db8::1/128",
    ]
    assert [vip.prefix for vip in counters(lb=gone).vips] == ["198.51.100.0/25"]


def test_what_has_no_index_yet_comes_without_figures_rather_than_with_zeros() -> None:
    net = counters().vips[2]
    six = counters().vips[3]

    assert told(net).keys() == {"prefix", "protocol"}
    assert {name: told(six).get(name) for name in FIGURES[:6]} == {
        "next": 0,
        "first": 0,
        "untracked": 0,
        "no_server": 26,
        "fib_packets": None,
        "fib_bytes": None,
    }
    nothing = counters(replace(statuses.SAMPLE, vips={}, backends={}))
    assert all(told(vip).keys().isdisjoint(FIGURES) for vip in nothing.vips)
    assert all(told(backend).keys().isdisjoint(VOLUMES) for backend in nothing.backends)
    assert len(nothing.vips) == 4
    assert len(nothing.backends) == 5


def test_a_vip_and_its_route_say_since_when_each_on_its_own() -> None:
    web = counters().vips[1]

    assert (web.since_ns, web.fib_since_ns) == tuple(statuses.NOW_NS - s * statuses.SECOND_NS for s in (120, 240))
    assert (web.fib_packets, web.fib_bytes) == (124248, 98765432)
    six = counters().vips[3]
    assert not six.HasField("fib_since_ns")


def test_servers_have_the_weight_of_now_and_the_buckets_and_flows_of_the_last_audit() -> None:
    answer = counters()

    assert [told(server) for server in answer.vips[1].application_servers] == [
        {"address": "10.1.0.1", "weight": 100, "buckets": 9, "flows": 5},
        {"address": "10.1.0.2", "buckets": 9, "flows": 5},
        {"address": "10.1.0.3", "buckets": 9, "flows": 5},
        {"address": "10.1.0.10", "weight": 1, "buckets": 9, "flows": 5},
    ]
    assert answer.audited_at_ns == statuses.LB.audited_at_ns
    assert answer.taken_at_ns == statuses.SAMPLE.taken_at_ns


def test_a_server_that_came_after_the_audit_has_a_weight_alone() -> None:
    unread = replace(statuses.LB, audited=replace(statuses.OBSERVED, vips={}))

    servers = counters(lb=unread).vips[1].application_servers
    assert [(server.weight, server.HasField("buckets"), server.HasField("flows")) for server in servers] == [
        (100, False, False),
        (0, False, False),
        (0, False, False),
        (1, False, False),
    ]


def test_every_backend_of_an_address_is_named_and_none_for_a_strange_one() -> None:
    answer = counters()

    assert [(each.address, list(each.backends)) for each in answer.backends] == [
        ("10.1.0.1", ["web1"]),
        ("10.1.0.2", ["web2"]),
        ("10.1.0.3", ["spare", "spare-alias"]),
        ("10.1.0.10", []),
        ("2001:db8:1::6", ["six"]),
    ]
    assert {name: told(answer.backends[2])[name] for name in VOLUMES} == {
        "forwarded_packets": 7,
        "forwarded_bytes": 700,
        "direct_packets": 1,
        "direct_bytes": 60,
        "since_ns": statuses.NOW_NS - 30 * statuses.SECOND_NS,
    }


def test_packets_that_nobody_serves_are_told_with_their_own_life() -> None:
    answer = counters()

    assert (answer.unmatched_packets, answer.unmatched_since_ns) == (33, statuses.VPP.boottime_ns)
    assert not counters(replace(statuses.SAMPLE, unmatched_since_ns=None)).HasField("unmatched_since_ns")


@given(COUNT, COUNT, COUNT, COUNT, st.none() | st.tuples(COUNT, COUNT))
def test_every_counter_vpp_can_hold_goes_through_unchanged(
    known: int, first: int, untracked: int, no_server: int, route: tuple[int, int] | None
) -> None:
    counted = VipCounters(1, known, first, untracked, no_server, Volume(*route) if route else None, 7)

    vip = counters(Sample(1, 1, {statuses.WEB: counted})).vips[1]

    assert (vip.next, vip.first, vip.untracked, vip.no_server, vip.since_ns) == (known, first, untracked, no_server, 7)
    assert ((vip.fib_packets, vip.fib_bytes) if vip.HasField("fib_bytes") else None) == route
