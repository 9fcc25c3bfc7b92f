"""What a VPP has before its first VIP, which indexes VIPs get, and what it dies of."""

from collections.abc import Sequence

import pytest

from tests.contract.target import LB_COUNTERS, Target, new_prefix

OK = 0
NAT4, NAT6 = 3, 4


def lengths(target: Target) -> set[int]:
    """Of the vectors of all LB counters of all threads."""
    return {len(thread) for name in LB_COUNTERS for thread in target.stats[name]}


def indexes(target: Target, prefixes: Sequence[str]) -> list[int]:
    return [target.index(prefix) for prefix in prefixes]


def test_parameters_of_a_new_vpp(newborn: Target) -> None:
    conf = newborn.api.lb_conf_get()

    assert (conf.sticky_buckets_per_core, conf.flow_timeout) == (1024, 40)
    assert (str(conf.ip4_src_address), int(conf.ip6_src_address)) == ("255.255.255.255", (1 << 128) - 1)


def test_the_first_vip_has_index_1_and_brings_the_counters(newborn: Target) -> None:
    assert newborn.cli("show lb vips verbose") == ""
    assert not set(LB_COUNTERS) & set(newborn.stats.directory)

    first, second = new_prefix(), new_prefix()
    assert newborn.add_vip(first) == OK
    assert newborn.index(first) == 1
    assert lengths(newborn) == {2}

    assert newborn.add_vip(second) == OK
    assert newborn.index(second) == 2
    assert lengths(newborn) == {3}
    assert newborn.lb_counters(0) == [0, 0, 0, 0]


def test_one_added_again_at_once_has_another_index_and_is_listed_behind_the_removed_one(newborn: Target) -> None:
    prefix = new_prefix()
    newborn.add_vip(prefix)
    newborn.add_as(prefix, "10.1.0.1", 77)
    newborn.del_as(prefix, "10.1.0.1", flush=True)
    newborn.del_vip(prefix)
    newborn.add_vip(prefix, src_ip_sticky=True)
    newborn.add_as(prefix, "10.1.0.1", 5)

    assert [block.splitlines()[0] for block in newborn.blocks(prefix)] == [
        f" ip4-gre4 [1] {prefix} removed",
        f" ip4-gre4 [2] {prefix} src_ip_sticky",
    ]
    dumped = newborn.api.lb_as_v2_dump(pfx="0.0.0.0/0", protocol=0, port=0)
    assert [(str(d.vip.pfx), str(d.app_srv), d.flags & 1, d.weight) for d in dumped] == [
        (prefix, "10.1.0.1", 0, 77),
        (prefix, "10.1.0.1", 1, 5),
    ]
    assert len(newborn.api.lb_vip_dump()) == 1


def test_freed_indexes_are_used_again_the_last_freed_first(newborn: Target) -> None:
    first, second, third, *more = [new_prefix() for _ in range(6)]
    for prefix in (first, second, third):
        newborn.add_vip(prefix)
    for prefix in (third, first):
        newborn.del_vip(prefix)
    assert all(len(newborn.blocks(prefix)) == 1 for prefix in (first, third))

    newborn.pass_time_until(lambda: not newborn.blocks(first) and not newborn.blocks(third), 150)

    for prefix in more:
        newborn.add_vip(prefix)
    # The sweep went by index, so that it freed 3 last.
    assert indexes(newborn, [second, *more]) == [2, 3, 1, 4]


def test_a_table_of_no_length_is_its_end(newborn: Target) -> None:
    with pytest.raises(newborn.papi.VPPIOError):
        newborn.add_vip(new_prefix(), new_flows_table_length=0)


@pytest.mark.parametrize(("version", "encap", "backend"), [(4, NAT4, "10.1.0.1"), (6, NAT6, "fd00::1")])
def test_a_backend_of_a_nat_vip_for_all_ports_is_its_end(
    newborn: Target, version: int, encap: int, backend: str
) -> None:
    prefix = new_prefix(version)
    assert newborn.add_vip(prefix, port=0, encap=encap) == OK

    with pytest.raises(newborn.papi.VPPIOError):
        newborn.add_as(prefix, backend, port=0)
