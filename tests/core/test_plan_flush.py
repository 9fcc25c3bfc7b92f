from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Desired, Effective
from maglev.core.model import TABLE_LENGTH, Encap
from maglev.core.plan import (
    AddBackend,
    Observed,
    ObservedBackend,
    ObservedVip,
    Op,
    SetWeight,
    advance,
    carry_flushed,
    plan,
)
from tests.core.cases import KEY, A, table, wished, without_memory
from tests.core.simulator import Vpp
from tests.core.tables import desired_tables, observed_tables, pairs


def flushes(ops: Iterable[Op]) -> list[SetWeight]:
    return [op for op in ops if isinstance(op, SetWeight) and op.flush]


UP = Desired(None, {KEY: wished({A: Effective(100, flush=False)})})
DOWN = Desired(None, {KEY: wished({A: Effective(0, flush=True)})})
DRAINED = Desired(None, {KEY: wished({A: Effective(0, flush=False)})})


def test_a_flush_is_sent_with_the_loss_of_weight_and_not_again() -> None:
    up = table(ObservedBackend(100))
    ops = plan(DOWN, up)
    shadow = advance(up, ops)

    assert ops == (SetWeight(KEY, A, 0, flush=True),)
    assert plan(DOWN, shadow) == ()
    assert plan(DOWN, carry_flushed(table(ObservedBackend(0)), shadow)) == ()


def test_a_flush_is_sent_though_the_weight_is_right_already() -> None:
    drained = advance(table(ObservedBackend(100)), plan(DRAINED, table(ObservedBackend(100))))

    assert plan(DOWN, drained) == (SetWeight(KEY, A, 0, flush=True),)


def test_every_loss_gets_its_flush() -> None:
    shadow = table(ObservedBackend(100))
    sent = 0
    for _ in range(3):
        for wish in (DOWN, DRAINED, DOWN, UP):
            ops = plan(wish, shadow)
            sent += len(flushes(ops))
            shadow = advance(shadow, ops)

    assert sent == 3


def test_who_cannot_know_flushes_again() -> None:
    assert flushes(plan(DOWN, table(ObservedBackend(0))))
    assert flushes(plan(DOWN, table(ObservedBackend(0, flows=1))))


def test_nobody_is_flushed_of_whom_vpp_lists_no_flow() -> None:
    """As after a start of ours, which cannot remember who was flushed; what still gets flows may have some by now."""
    assert plan(DOWN, table(ObservedBackend(0, flows=0))) == ()
    assert flushes(plan(DOWN, table(ObservedBackend(100, flows=0))))


def test_a_backend_added_without_weight_has_nothing_to_flush() -> None:
    empty = Observed(None, {KEY: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, {})})

    assert plan(DOWN, empty) == (AddBackend(KEY, A, 0),)


@given(st.lists(desired_tables(), max_size=6), observed_tables())
def test_no_flush_is_ever_sent_where_no_flow_can_be(wishes: list[Desired], observed: Observed) -> None:
    # The simulator refuses a flush that would cut nothing.
    shadow, vpp = observed, Vpp(observed)
    for wish in wishes:
        ops = plan(wish, shadow)
        vpp.run(ops)
        shadow = carry_flushed(vpp.audit(), advance(shadow, ops))

        assert vpp.differences(wish) == []
        assert plan(wish, shadow) == ()


@given(pairs)
def test_carrying_over_adds_only_what_the_audit_allows(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    shadow = advance(observed, plan(desired, observed))
    carried = carry_flushed(without_memory(observed), shadow)

    assert without_memory(carried) == without_memory(observed)
    for key, vip in carried.vips.items():
        for address, backend in vip.backends.items():
            known = key in shadow.vips and shadow.vips[key].backends.get(address)
            assert backend.is_flushed == bool(known and known.is_flushed and backend.weight == 0)
