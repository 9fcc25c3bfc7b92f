"""What packets do to counters and flows.

The expected splits are VPP's own: they hold only if flow hash, table and sticky slots are the same as there.
"""

from dataclasses import replace

import pytest

from tests.contract.target import ROUTE_TO, ROUTE_VIA, TCP, Burst, Target, host, new_prefix

GRE4, GRE6, L3DSR, NAT4, NAT6 = range(5)
KEEP = 0xFFFFFFFF
CLIENT, CLIENT6 = "10.201.0.5", "2001:db8:78::5"
VIP = "10.202.0.1/32"  # fixed, as it is part of the hash


@pytest.fixture(autouse=True)
def no_flows(target: Target) -> None:
    target.forget_flows()


@pytest.fixture
def three(target: Target) -> list[str]:
    target.add_vip(VIP)
    backends = [f"10.1.1.{n}" for n in (1, 2, 3)]
    for address, weight in zip(backends, (100, 100, 50), strict=True):
        target.add_as(VIP, address, weight)
    return backends


HIT = [0, 1, 0, 0, 0, 1, 1, 1, 1, 2, 1, 2, 1, 1, 0, 0]


def hit(target: Target, backends: list[str]) -> list[int]:
    """Which of three backends with weights 100, 100 and 50 takes each of sixteen flows."""
    before = target.via(*backends)
    hit = []
    for sport in range(1000, 1016):
        target.send(Burst(CLIENT, host(VIP), sport, 80))
        after = target.via(*backends)
        hit.append([new - old for new, old in zip(after, before, strict=True)].index(1))
        before = after
    return hit


def test_flows_are_hashed_as_vpp_hashes_them(target: Target, three: list[str]) -> None:
    assert hit(target, three) == HIT


def test_a_table_is_the_same_whatever_made_it(target: Target) -> None:
    """So that two routers, or one that was started anew, send a flow to the same backend."""
    target.add_vip(VIP)
    for n, weight in ((4, 9), (3, 1), (1, 100), (2, 255)):
        target.add_as(VIP, f"10.1.1.{n}", weight)
    target.del_as(VIP, "10.1.1.4")
    target.set_weight(VIP, "10.1.1.2", 100)
    target.set_weight(VIP, "10.1.1.3", 50)

    assert hit(target, [f"10.1.1.{n}" for n in (1, 2, 3)]) == HIT


def test_first_and_next_packets_and_all_volumes_are_counted(target: Target, three: list[str]) -> None:
    index = target.index(VIP)
    before, routed, forwarded = target.lb_counters(index), target.route(ROUTE_TO, VIP), target.via(*three)

    target.send(Burst(CLIENT, host(VIP), 2000, 80, count=300, last_sport=2099, length=120))

    counted = [new - old for new, old in zip(target.lb_counters(index), before, strict=True)]
    assert counted == [200, 100, 0, 0]
    packets, octets = target.route(ROUTE_TO, VIP)
    assert (packets - routed[0], octets - routed[1]) == (300, 300 * 120)
    shares = [new - old for new, old in zip(target.via(*three), forwarded, strict=True)]
    assert sum(shares) == 300
    assert target.flows(VIP) == {address: share // 3 for address, share in zip(three, shares, strict=True)}


@pytest.mark.parametrize(
    ("version", "encap", "inner", "overhead"),
    [(4, GRE4, 4, 24), (4, GRE6, 6, 44), (6, GRE4, 4, 24), (6, GRE6, 6, 44), (4, L3DSR, 4, 0), (4, NAT4, 4, 0)],
)
def test_bytes_forwarded_include_the_tunnel_header(
    target: Target, version: int, encap: int, inner: int, overhead: int
) -> None:
    prefix, client = new_prefix(version), CLIENT if version == 4 else CLIENT6
    # Never the same backend twice: VPP dies of collecting two NAT VIPs' ASes with equal address and target port.
    backend = new_prefix(inner)
    target.add_vip(prefix, encap=encap, target_port=80)
    target.add_as(prefix, host(backend))

    target.send(Burst(client, host(prefix), 3000, 80, count=10, length=200))

    assert target.route(ROUTE_VIA, backend) == (10, 10 * (200 + overhead))
    assert target.route(ROUTE_TO, prefix) == (10, 2000)


def test_packets_past_the_vip_count_as_direct(target: Target, three: list[str]) -> None:
    via, (packets, octets) = target.via(three[0]), target.route(ROUTE_TO, f"{three[0]}/32")

    target.send(Burst(CLIENT, three[0], 3000, 80, count=7))

    assert target.via(three[0]) == via
    assert target.route(ROUTE_TO, f"{three[0]}/32") == (packets + 7, octets + 700)


def test_a_port_without_vip_falls_to_index_0_which_has_no_server(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.1.1")
    before = target.lb_counters(0)

    target.send(Burst(CLIENT, host(prefix), 4000, 81, count=10))
    target.send(Burst(CLIENT, host(prefix), 4000, 80, protocol=TCP))

    # Each such packet takes another slot of its bucket, until that is full.
    counted = [new - old for new, old in zip(target.lb_counters(0), before, strict=True)]
    assert counted == [0, 0, 6, 5]
    assert target.route(ROUTE_TO, prefix)[0] == 11


def test_a_vip_without_servers_is_a_black_hole(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix)

    target.send(Burst(CLIENT, host(prefix), 5000, 80))

    assert target.lb_counters(target.index(prefix)) == [0, 0, 0, 1]


@pytest.mark.parametrize(("version", "encap"), [(4, NAT4), (6, NAT6)])
def test_nat_for_all_ports_takes_no_packet(target: Target, version: int, encap: int) -> None:
    prefix, client = new_prefix(version), CLIENT if version == 4 else CLIENT6
    target.add_vip(prefix, port=0, encap=encap)

    target.send(Burst(client, host(prefix), 5000, 80, count=3))

    assert target.lb_counters(target.index(prefix)) == [0, 0, 0, 0]
    assert target.route(ROUTE_TO, prefix) == (3, 300)
    assert target.route(ROUTE_VIA, prefix) == (0, 0)


def test_weight_for_nobody_is_a_black_hole_for_new_flows(target: Target) -> None:
    prefix = new_prefix()
    known = Burst(CLIENT, host(prefix), 5001, 80)
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.3.4")
    target.send(known)
    target.set_weight(prefix, "10.1.3.4", 0)

    target.send(known)
    target.send(replace(known, sport=5002))

    assert target.lb_counters(target.index(prefix)) == [1, 1, 0, 1]


def test_only_the_thread_that_saw_a_packet_counts_it(target: Target, three: list[str]) -> None:
    assert three
    target.send(Burst(CLIENT, host(VIP), 9500, 80))

    threads = [thread[target.index(VIP)] for thread in target.stats["first session packet"]]
    assert threads[0] == 0
    assert threads[1] >= 1


def test_system_figures_are_there(target: Target) -> None:
    assert target.stats["/sys/num_worker_threads"] >= 1
    assert target.stats["/sys/boottime"] > 1_700_000_000
    before = target.stats["/sys/heartbeat"]
    target.pass_time(11)
    assert target.stats["/sys/heartbeat"] > before
