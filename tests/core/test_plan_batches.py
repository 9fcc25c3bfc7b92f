from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Desired
from maglev.core.model import Encap, LbConf
from maglev.core.plan import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    Op,
    SetConf,
    SetWeight,
    advance,
    batches,
    plan,
)
from tests.core.cases import KEY, A
from tests.core.tables import pairs

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
B = IPv4Address("10.0.0.2")


@given(pairs, st.integers(1, 8))
def test_no_vip_is_left_torn_down_or_half_made_between_batches(pair: tuple[Desired, Observed], size: int) -> None:
    desired, observed = pair
    parts = list(batches(plan(desired, observed), size))

    for midway in accumulate(parts, advance, initial=observed):
        for key, wish in desired.vips.items():
            now = midway.vips.get(key)
            is_untouched = now == observed.vips.get(key)
            assert is_untouched or (now is not None and wish.backends.keys() <= now.backends.keys())


@given(pairs, st.integers(1, 8))
def test_batches_are_the_plan_in_its_order_and_none_is_empty(pair: tuple[Desired, Observed], size: int) -> None:
    ops = plan(*pair)
    parts = list(batches(ops, size))

    assert [op for part in parts for op in part] == list(ops)
    assert all(parts)


def test_batches_are_no_longer_than_they_must_be() -> None:
    other, third = replace(KEY, port=8080), replace(KEY, port=8081)
    made: list[Op] = [AddVip(other, Encap.GRE4, False, 1024), AddBackend(other, A, 1)]
    ops: list[Op] = [SetConf(CONF), SetWeight(KEY, A, 1, flush=False), SetWeight(KEY, B, 1, flush=False), *made]

    assert list(batches(ops, 1)) == [ops[:1], ops[1:3], made]
    assert list(batches(ops, 2)) == [ops[:3], made]
    assert list(batches([], 1)) == []

    gone: list[Op] = [DelBackend(KEY, A), DelVip(KEY, "encap"), DelVip(third, "encap"), *made]
    assert list(batches(gone, 1)) == [gone]
