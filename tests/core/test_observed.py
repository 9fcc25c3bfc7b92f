from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Desired
from maglev.core.model import TABLE_LENGTH, Encap
from maglev.core.plan import (
    AddBackend,
    DelBackend,
    Observed,
    ObservedBackend,
    ObservedVip,
    Op,
    SetWeight,
    advance,
    plan,
)
from tests.core.cases import KEY, A, B, C, without_memory
from tests.core.simulator import Vpp
from tests.core.tables import pairs


@given(pairs)
def test_advance_agrees_with_the_simulator_after_every_operation(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    vpp = Vpp(observed)
    for done, op in enumerate(ops, start=1):
        vpp.execute(op)
        shadow = advance(observed, ops[:done])

        assert without_memory(shadow) == vpp.audit()
        for key, vip in shadow.vips.items():
            for address, backend in vip.backends.items():
                assert backend.is_flushed == (not vpp.vips[key].live[address].has_flows)


@given(pairs, st.integers(0, 40))
def test_advancing_in_two_goes_is_advancing_in_one(pair: tuple[Desired, Observed], cut: int) -> None:
    desired, observed = pair
    ops = plan(desired, observed)

    assert advance(advance(observed, ops[:cut]), ops[cut:]) == advance(observed, ops)


@given(pairs)
def test_advance_leaves_the_table_it_was_given_as_it_was(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    before = Observed(
        observed.conf, {key: replace(vip, backends=dict(vip.backends)) for key, vip in observed.vips.items()}
    )
    advance(observed, plan(desired, observed))

    assert observed == before


def test_a_new_weight_makes_the_buckets_of_every_backend_unknown_but_only_its_own_flows() -> None:
    backends = {A: ObservedBackend(100, buckets=512, flows=9), B: ObservedBackend(100, buckets=512, flows=8)}
    before = Observed(None, {KEY: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, backends)})

    after = advance(before, [SetWeight(KEY, A, 50, flush=False)])

    assert after.vips[KEY].backends == {A: ObservedBackend(50), B: ObservedBackend(100, flows=8)}


@pytest.mark.parametrize("op", [AddBackend(KEY, C, 1), DelBackend(KEY, A)])
def test_a_backend_that_comes_or_goes_makes_the_buckets_of_the_others_unknown(op: Op) -> None:
    backends = {A: ObservedBackend(100, buckets=512, flows=9), B: ObservedBackend(100, buckets=512, flows=8)}
    before = Observed(None, {KEY: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, backends)})

    assert advance(before, [op]).vips[KEY].backends[B] == ObservedBackend(100, flows=8)


def test_a_flush_alone_moves_no_bucket() -> None:
    backends = {A: ObservedBackend(0, buckets=0, flows=9), B: ObservedBackend(100, buckets=1024, flows=8)}
    before = Observed(None, {KEY: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, backends)})

    after = advance(before, [SetWeight(KEY, A, 0, flush=True)])

    assert after.vips[KEY].backends == {A: ObservedBackend(0, is_flushed=True, buckets=0), B: backends[B]}
