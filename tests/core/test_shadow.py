from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Desired
from maglev.core.model import Encap
from maglev.core.observed import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedBackend,
    Op,
    SetWeight,
    advance,
)
from maglev.core.plan import plan
from maglev.core.shadow import Shadow
from tests.core.cases import KEY, A, B, table
from tests.core.tables import pairs

OTHER = replace(KEY, port=443)


@given(pairs, st.integers(1, 9))
def test_a_shadow_follows_what_is_acknowledged_batch_by_batch(pair: tuple[Desired, Observed], size: int) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    shadow = shadow_of(observed)
    for start in range(0, len(ops), size):
        shadow.acknowledge(ops[start : start + size])

    assert shadow.observed == advance(observed, ops)
    assert shadow.prefixes == {key.prefix for key in shadow.observed.vips}
    for prefix in shadow.prefixes:
        assert shadow.keys_on(prefix) == {key for key in shadow.observed.vips if key.prefix == prefix}


def test_indexes_move_with_who_is_there_and_not_with_weights() -> None:
    shadow = shadow_of(table_of(100))
    shadow.acknowledge([SetWeight(KEY, A, 50, flush=False)])
    assert not shadow.moved
    shadow.acknowledge([AddVip(OTHER, Encap.GRE4, False, 1024)])
    assert shadow.moved


@pytest.mark.parametrize(
    "op", [AddBackend(OTHER, A, 1), DelBackend(OTHER, A), SetWeight(OTHER, A, 1, flush=False), DelBackend(OTHER, B)]
)
def test_what_cannot_have_been_done_puts_its_vip_in_doubt_and_nothing_else(op: Op) -> None:
    shadow = shadow_of(table_of(100))
    shadow.acknowledge([op, SetWeight(KEY, A, 50, flush=False), DelVip(OTHER, "gone")])

    assert shadow.observed.vips[KEY].backends[A].weight == 50
    assert shadow.doubtful == {OTHER}
    assert shadow.prefixes == {KEY.prefix}


def shadow_of(observed: Observed) -> Shadow:
    shadow = Shadow(observed.conf)
    for key, vip in observed.vips.items():
        shadow.found(key, vip)
    return shadow


def table_of(weight: int) -> Observed:
    return table(ObservedBackend(weight))
