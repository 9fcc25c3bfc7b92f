import ipaddress
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.flowtable import Member, build, moved, shares, xxh64

members = st.dictionaries(st.binary(min_size=16, max_size=16), st.integers(1, 255), max_size=12).map(
    lambda weights: list(weights.items())
)
lengths = st.integers(0, 12).map(lambda n: 1 << n)


def ip4(text: str) -> bytes:
    return bytes(12) + ipaddress.IPv4Address(text).packed


def test_xxh64_is_the_published_function() -> None:
    assert xxh64(0, seed=0) == 0x34C96ACDCADB1BBB
    assert xxh64(0) != xxh64(0, seed=0)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [((100, 100, 50), (408, 408, 208)), ((77, 100, 50), (347, 439, 238)), ((10, 20), (342, 682))],
)
def test_shares_are_vpps_figures(weights: tuple[int, ...], expected: tuple[int, ...]) -> None:
    entries = [(ip4(f"10.1.0.{n}"), weight) for n, weight in enumerate(weights, 1)]

    assert tuple(shares(1024, entries)) == expected
    assert [Counter(build(1024, entries))[n] for n in range(len(weights))] == list(expected)


def test_the_table_without_members_belongs_to_nobody() -> None:
    assert list(build(8, [])) == [-1] * 8
    assert shares(8, []) == []


@given(length=lengths, entries=members)
def test_shares_are_what_building_gives(length: int, entries: list[Member]) -> None:
    counted = Counter(owner for owner in build(length, entries) if owner >= 0)

    assert shares(length, entries) == [counted[n] for n in range(len(entries))]
    assert sum(counted.values()) == (length if entries else 0)


@given(length=lengths, entries=members, data=st.data())
def test_the_table_is_the_same_in_whatever_order_members_came(
    length: int, entries: list[Member], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(entries))

    def owners(given_entries: list[Member]) -> list[bytes]:
        return [given_entries[owner][0] for owner in build(length, given_entries) if owner >= 0]

    assert owners(shuffled) == owners(entries)


some_members = members.filter(bool).map(tuple)


@given(length=lengths, before=some_members, after=some_members, shared=some_members)
def test_moved_are_the_buckets_that_have_another_owner(
    length: int, before: tuple[Member, ...], after: tuple[Member, ...], shared: tuple[Member, ...]
) -> None:
    before, after = (tuple({**dict(shared), **dict(each)}.items()) for each in (before, after))
    owners = [[entries[owner][0] for owner in build(length, entries)] for entries in (before, after)]

    assert moved(length, before, after) == sum(old != new for old, new in zip(*owners, strict=True))
    assert moved(length, after, tuple(reversed(after))) == 0


@given(length=lengths, entries=members)
def test_shares_are_proportional_to_less_than_a_turn(length: int, entries: list[Member]) -> None:
    turns = length // max(sum(weight for _, weight in entries), 1)

    for (_, weight), share in zip(entries, shares(length, entries), strict=True):
        assert turns * weight <= share <= (turns + 1) * weight


@given(entries=members.filter(lambda entries: len(entries) > 1), data=st.data())
def test_losing_a_member_moves_few_buckets_of_the_others(entries: list[Member], data: st.DataObject) -> None:
    entries = [(address, 1) for address, _ in entries]
    leaving = data.draw(st.sampled_from(entries))
    staying = [entry for entry in entries if entry != leaving]
    before = [entries[owner][0] for owner in build(4096, entries)]
    after = [staying[owner][0] for owner in build(4096, staying)]

    moved = sum(1 for old, new in zip(before, after, strict=True) if old != leaving[0] and old != new)
    assert moved < 4096 * 0.5
