"""What VPP does with application servers."""

import pytest

from tests.contract.target import TCP, Burst, Target, host, new_prefix

OK, NO_ENTRY, EXISTS, BAD_FAMILY = 0, -6, -81, -97
GRE4, GRE6 = 0, 1


@pytest.fixture
def vip(target: Target) -> str:
    prefix = new_prefix()
    assert target.add_vip(prefix) == OK
    return prefix


@pytest.mark.parametrize(
    ("weights", "expected"),
    [((100, 100, 50), (408, 408, 208)), ((77, 100, 50), (347, 439, 238)), ((10, 20), (342, 682)), ((0, 1), (0, 1024))],
)
def test_bucket_shares_are_vpps_own(
    target: Target, vip: str, weights: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    addresses = [f"10.1.0.{n}" for n in range(1, len(weights) + 1)]
    for address, weight in reversed(list(zip(addresses, weights, strict=True))):
        assert target.add_as(vip, address, weight) == OK

    assert target.buckets(vip) == dict(zip(addresses, expected, strict=True))
    assert [
        f"{a} weight:{w} buckets:{b} " in target.blocks(vip)[0]
        for a, w, b in zip(addresses, weights, expected, strict=True)
    ]


def test_setting_a_weight_spreads_anew(target: Target, vip: str) -> None:
    for n, weight in enumerate((100, 100, 50), 1):
        target.add_as(vip, f"10.1.0.{n}", weight)

    assert target.set_weight(vip, "10.1.0.1", 77) == OK

    assert list(target.buckets(vip).values()) == [347, 439, 238]


@pytest.mark.parametrize(
    ("encap", "addresses"),
    [
        (GRE4, ["10.1.0.9", "10.1.0.10", "10.1.1.1", "9.255.0.1"]),
        (GRE6, ["fd00::1", "2001:db8::2", "fd00::100", "::2:0:1"]),
    ],
)
def test_buckets_do_not_depend_on_the_order_of_calls(target: Target, encap: int, addresses: list[str]) -> None:
    weights = dict(zip(addresses, (7, 9, 5, 100), strict=True))
    straight, roundabout = new_prefix(), new_prefix()
    for prefix in (straight, roundabout):
        target.add_vip(prefix, encap=encap)
    for address, weight in weights.items():
        target.add_as(straight, address, weight)
    for address in reversed(addresses):
        target.add_as(roundabout, address, 33)
    target.del_as(roundabout, addresses[1])
    for address in addresses[2:] + addresses[:1]:
        target.set_weight(roundabout, address, weights[address])
    target.add_as(roundabout, addresses[1], weights[addresses[1]])

    assert target.buckets(straight) == target.buckets(roundabout)
    assert sum(target.buckets(straight).values()) == 1024


def test_weights_above_100_are_taken(target: Target, vip: str) -> None:
    assert target.add_as(vip, "10.1.0.1", 250) == OK
    assert target.set_weight(vip, "10.1.0.1", 255) == OK

    assert target.details(vip)["10.1.0.1"].weight == 255


def test_a_table_smaller_than_the_weights_is_filled_once(target: Target) -> None:
    prefix = new_prefix()
    target.add_vip(prefix, new_flows_table_length=16)
    for n in (1, 2, 3):
        target.add_as(prefix, f"10.1.0.{n}")

    assert list(target.buckets(prefix).values()) == [6, 5, 5]


def test_a_backend_cannot_be_added_twice(target: Target, vip: str) -> None:
    assert [target.add_as(vip, "10.1.0.1"), target.add_as(vip, "10.1.0.1", 5)] == [OK, EXISTS]

    assert target.details(vip)["10.1.0.1"].weight == 100


def test_a_deleted_backend_stays_dumped_with_its_weight_and_can_be_revived(target: Target, vip: str) -> None:
    target.add_as(vip, "10.1.0.1", 42)

    assert [target.del_as(vip, "10.1.0.1"), target.del_as(vip, "10.1.0.1")] == [OK, OK]
    dead = target.details(vip)["10.1.0.1"]
    assert (dead.flags, dead.weight, dead.num_buckets) == (0, 42, 0)
    assert target.set_weight(vip, "10.1.0.1", 7) == NO_ENTRY

    assert target.add_as(vip, "10.1.0.1", 7) == OK
    live = target.details(vip)["10.1.0.1"]
    assert (live.flags, live.weight, live.num_buckets) == (1, 7, 1024)
    assert live.in_use_since == dead.in_use_since
    assert "#as:1\n" in target.blocks(vip)[0]


@pytest.mark.parametrize(
    ("version", "encap", "right", "wrong"),
    [(4, GRE4, "10.1.0.1", "fd00::1"), (4, GRE6, "fd00::1", "10.1.0.1"), (6, GRE4, "10.1.0.1", "fd00::1")],
)
def test_backends_are_of_the_encaps_family(target: Target, version: int, encap: int, right: str, wrong: str) -> None:
    prefix = new_prefix(version)
    target.add_vip(prefix, encap=encap)

    assert target.add_as(prefix, wrong) == BAD_FAMILY
    assert target.add_as(prefix, right) == OK


def test_an_ip6_backend_in_the_first_96_bits_of_zero_counts_as_ip4(target: Target) -> None:
    prefix = new_prefix(6)
    target.add_vip(prefix, encap=GRE6)

    assert target.add_as(prefix, "::1") == BAD_FAMILY
    assert target.add_as(prefix, "::ffff:127.0.0.1") == OK
    assert "    ::ffff:7f00:1 weight:100 buckets:1024 " in target.blocks(prefix)[0]


def test_backends_are_listed_by_the_slots_they_took(target: Target, vip: str) -> None:
    for n in (3, 1, 2):
        target.add_as(vip, f"10.1.0.{n}")

    assert list(target.details(vip)) == ["10.1.0.3", "10.1.0.1", "10.1.0.2"]
    assert list(target.flows(vip)) == ["10.1.0.3", "10.1.0.1", "10.1.0.2"]


def test_a_backend_has_a_host_route_shared_by_all_its_vips(target: Target) -> None:
    one, other = new_prefix(4), new_prefix(6)
    for prefix in (one, other):
        target.add_vip(prefix)
        target.add_as(prefix, "10.1.9.1")

    index = target.stats_index("10.1.9.1/32")
    assert f" dpo:{index} used" in target.blocks(one)[0]
    assert f" dpo:{index} used" in target.blocks(other)[0]
    assert index not in (target.stats_index(one), target.stats_index(other))


def test_a_minute_later_the_dead_are_gone_unless_flows_hold_them(target: Target) -> None:
    freed, held = new_prefix(), new_prefix()
    for prefix in (freed, held):
        target.add_vip(prefix)
        target.add_as(prefix, f"10.1.{8 if prefix == freed else 7}.1")
    target.send(Burst("10.201.0.5", host(freed), 1000, 80))
    target.send(Burst("10.201.0.5", host(held), 1000, 80))
    target.del_as(freed, "10.1.8.1", flush=True)
    target.del_vip(freed)
    target.del_vip(held)
    freed_index = int(target.blocks(freed)[0].split("[")[1].split("]")[0])

    target.pass_time(125)

    assert target.blocks(freed) == []
    assert target.api.ip_route_lookup(exact=1, prefix="10.1.8.1/32").retval == NO_ENTRY
    assert target.flows(held) == {"10.1.7.1": 1}
    assert target.api.ip_route_lookup(exact=1, prefix="10.1.7.1/32").retval == OK
    assert target.details(freed) == {}
    again = new_prefix()
    target.add_vip(again, TCP)
    assert target.index(again) == freed_index
