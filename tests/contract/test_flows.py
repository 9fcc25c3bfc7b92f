"""How long VPP knows a flow, and what makes it forget: sticky slots, flushes, deletions."""

import pytest

from tests.contract.target import UDP, Burst, Target, host, new_prefix

KEEP = 0xFFFFFFFF
CLIENT = "10.201.0.5"


@pytest.fixture(autouse=True)
def no_flows(target: Target) -> None:
    target.forget_flows()


def test_a_full_bucket_leaves_flows_untracked_but_forwarded(target: Target) -> None:
    prefix, backend = new_prefix(), "10.1.3.1"
    target.set_sticky_buckets(128)
    target.add_vip(prefix)
    target.add_as(prefix, backend)
    before = target.via(backend)[0]

    target.send(Burst(CLIENT, host(prefix), 10000, 80, count=1024, last_sport=11023))

    assert target.lb_counters(target.index(prefix)) == [0, 512, 512, 0]
    assert target.via(backend)[0] == before + 1024
    assert target.flows(prefix) == {backend: 512}


def test_flushed_slots_stay_taken_until_they_expire(target: Target) -> None:
    prefix = new_prefix()
    flow = Burst(CLIENT, host(prefix), 12000, 80)
    target.set_sticky_buckets(1)
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.3.2")

    for _ in range(6):
        target.send(flow)
        target.api.lb_flush_vip(pfx=prefix, protocol=UDP, port=80)
    assert target.lb_counters(target.index(prefix)) == [0, 4, 2, 0]

    target.pass_time(42)
    target.send(flow)
    assert target.lb_counters(target.index(prefix)) == [0, 5, 2, 0]


def test_an_idle_flow_is_listed_until_another_takes_its_slot(target: Target) -> None:
    prefix, (old, new) = new_prefix(), ("10.1.3.5", "10.1.3.6")
    target.configure("10.0.0.1", "fd00::1", 1, 1)
    target.add_vip(prefix)
    target.add_as(prefix, old)
    target.send(Burst(CLIENT, host(prefix), 14000, 80))
    target.add_as(prefix, new)
    target.set_weight(prefix, old, 0)

    target.pass_time(3)
    assert target.flows(prefix) == {old: 1, new: 0}
    target.send(Burst(CLIENT, host(prefix), 14001, 80))
    assert target.flows(prefix) == {old: 0, new: 1}


def test_sources_and_timeout_change_without_a_flow_lost(target: Target) -> None:
    prefix = new_prefix()
    flow = Burst(CLIENT, host(prefix), 15000, 80)
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.3.7")
    target.send(flow)

    for buckets, timeout in ((1024, 41), (KEEP, 42), (1024, KEEP)):
        assert target.configure("10.0.0.2", "fd00::2", buckets, timeout) == 0
        target.send(flow)

    assert target.lb_counters(target.index(prefix)) == [3, 1, 0, 0]


def test_another_number_of_buckets_drops_every_flow_with_the_next_packet(target: Target) -> None:
    prefix = new_prefix()
    target.set_sticky_buckets(1024)
    target.add_vip(prefix)
    target.add_as(prefix, "10.1.3.3")
    target.send(Burst(CLIENT, host(prefix), 13000, 80, count=20, last_sport=13019))

    target.set_sticky_buckets(2048)
    assert target.flows(prefix) == {"10.1.3.3": 20}
    target.send(Burst(CLIENT, host(prefix), 13000, 80))
    assert target.flows(prefix) == {"10.1.3.3": 1}


def test_a_source_sticky_vip_keeps_a_client_together(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix, src_ip_sticky=True)
    for n in range(1, 5):
        target.add_as(prefix, f"10.1.4.{n}")

    target.send(Burst(CLIENT, host(prefix), 6000, 80, count=50, last_sport=6049))

    assert target.lb_counters(target.index(prefix)) == [49, 1, 0, 0]
    assert sorted(target.flows(prefix).values()) == [0, 0, 0, 1]


def test_known_flows_stay_when_weights_change_and_move_when_flushed(target: Target) -> None:
    prefix, (old, new) = new_prefix(), ("10.1.5.1", "10.1.5.2")
    flow = Burst(CLIENT, host(prefix), 7000, 80, count=10)
    target.add_vip(prefix)
    target.add_as(prefix, old)
    target.send(flow)
    target.add_as(prefix, new)
    target.set_weight(prefix, old, 0)
    before = target.via(old, new)

    target.send(flow)
    assert target.via(old, new) == [before[0] + 10, before[1]]

    target.set_weight(prefix, old, 0, flush=True)
    assert target.flows(prefix) == {old: 0, new: 0}
    target.send(flow)
    assert target.via(old, new) == [before[0] + 10, before[1] + 10]
    assert target.lb_counters(target.index(prefix)) == [28, 2, 0, 0]
    assert target.flows(prefix) == {old: 0, new: 1}


def test_a_flush_forgets_flows_and_the_table_decides_anew(target: Target) -> None:
    prefix, (one, other) = new_prefix(), ("10.1.5.3", "10.1.5.4")
    flows = Burst(CLIENT, host(prefix), 7100, 80, count=20, last_sport=7119)
    target.add_vip(prefix)
    target.add_as(prefix, one)
    target.send(flows)
    target.add_as(prefix, other)
    assert target.flows(prefix) == {one: 20, other: 0}

    target.set_weight(prefix, one, 100, flush=True)
    assert target.flows(prefix) == {one: 0, other: 0}
    target.send(flows)

    assert target.lb_counters(target.index(prefix)) == [0, 40, 0, 0]
    assert sum(target.flows(prefix).values()) == 20
    assert 0 < target.flows(prefix)[one] < 20


def test_a_deletion_with_flush_moves_flows_at_once(target: Target) -> None:
    prefix, (leaving, staying) = new_prefix(), ("10.1.6.3", "10.1.6.4")
    target.add_vip(prefix)
    target.add_as(prefix, leaving)
    target.send(Burst(CLIENT, host(prefix), 8100, 80))
    target.add_as(prefix, staying)

    target.del_as(prefix, leaving, flush=True)
    target.send(Burst(CLIENT, host(prefix), 8100, 80))

    assert target.flows(prefix) == {leaving: 0, staying: 1}


def test_a_deleted_backend_drains(target: Target) -> None:
    prefix, (leaving, staying) = new_prefix(), ("10.1.6.1", "10.1.6.2")
    target.add_vip(prefix)
    target.add_as(prefix, leaving)
    target.send(Burst(CLIENT, host(prefix), 8000, 80))
    target.add_as(prefix, staying)
    target.del_as(prefix, leaving)

    target.send(Burst(CLIENT, host(prefix), 8000, 80))
    target.send(Burst(CLIENT, host(prefix), 8001, 80))

    assert target.flows(prefix) == {leaving: 1, staying: 1}


def test_a_recreated_vip_counts_from_zero_and_knows_no_flows(target: Target) -> None:
    prefix = new_prefix()
    for _ in range(2):
        target.add_vip(prefix)
        target.add_as(prefix, "10.1.7.9")
        target.send(Burst(CLIENT, host(prefix), 9000, 80, count=5))
        assert target.lb_counters(target.index(prefix)) == [4, 1, 0, 0]
        target.del_as(prefix, "10.1.7.9", flush=True)
        target.del_vip(prefix)
