"""Rule 5 of plans: what VPP keeps refusing waits, and nothing is done that does harm without it."""

from dataclasses import replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from maglev.core.desired import Desired, Effective
from maglev.core.model import TABLE_LENGTH, Encap, IPAddress
from maglev.core.observed import carry_flushed
from maglev.core.plan import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    Op,
    SetConf,
    SetWeight,
    Step,
    Turn,
    advance,
    plan,
)
from tests.core.cases import KEY, A, B, C, is_making_room, wished
from tests.core.driving import send, steps_of
from tests.core.simulator import Vpp
from tests.core.tables import pairs

UP, DOWN, STANDBY = Effective(100, flush=False), Effective(0, flush=True), Effective(0, flush=False)
SIBLING = replace(KEY, port=443)
STICKY = "src-ip-sticky must become false"


def have(weights: dict[IPAddress, int], *, sticky: bool = False, encap: Encap = Encap.GRE4) -> ObservedVip:
    return ObservedVip(encap, sticky, TABLE_LENGTH, {a: ObservedBackend(w) for a, w in weights.items()})


def weight(address: IPAddress, value: int, *, flush: bool = False) -> SetWeight:
    return SetWeight(KEY, address, value, flush)


def test_a_shrink_waits_for_the_answer_to_the_growth_that_replaces_it() -> None:
    failback = Desired(None, {KEY: wished({A: UP, B: STANDBY})})
    observed = Observed(None, {KEY: have({A: 0, B: 100})})

    assert steps_of(failback, observed) == [
        Step(Turn.LOSING, KEY, (weight(A, 100),), then=(weight(B, 0),)),
    ]


def test_a_shrink_that_leaves_somebody_waits_for_nobody() -> None:
    desired = Desired(None, {KEY: wished({A: UP, B: DOWN, C: UP})})
    observed = Observed(None, {KEY: have({A: 0, B: 100, C: 100})})

    assert steps_of(desired, observed) == [Step(Turn.LOSING, KEY, (weight(A, 100), weight(B, 0, flush=True)))]


def test_the_last_weight_stays_while_what_would_take_over_is_held() -> None:
    observed = Observed(None, {KEY: have({A: 0, B: 100})})
    for wish in (STANDBY, DOWN):
        desired = Desired(None, {KEY: wished({A: UP, B: wish})})

        assert plan(desired, observed, held={weight(A, 100)}) == ()


def test_where_nobody_is_left_to_go_to_weights_go_though_other_operations_are_held() -> None:
    observed = Observed(None, {KEY: have({A: 100, B: 100})})
    desired = Desired(None, {KEY: wished({A: DOWN, B: DOWN})})

    assert plan(desired, observed, held={weight(A, 0, flush=True)}) == (weight(B, 0, flush=True),)


@pytest.mark.parametrize(
    "held",
    [
        DelVip(KEY, STICKY),
        DelBackend(KEY, A),
        AddVip(KEY, Encap.GRE4, False, TABLE_LENGTH),
        AddBackend(KEY, A, 0),
    ],
)
def test_a_vip_that_cannot_be_recreated_is_not_torn_down_and_kept_right_meanwhile(held: Op) -> None:
    desired = Desired(None, {KEY: wished({A: DOWN, B: UP, C: UP})})
    observed = Observed(None, {KEY: have({A: 100, B: 100}, sticky=True)})

    assert any(isinstance(op, DelVip) for op in plan(desired, observed))
    assert plan(desired, observed, held={held}) == (AddBackend(KEY, C, 100), weight(A, 0, flush=True))


def test_a_prefix_of_which_one_vip_cannot_leave_keeps_the_others_too_and_their_weights_move() -> None:
    wish = replace(wished({A: DOWN, B: UP}), encap=Encap.GRE6)
    desired = Desired(None, {KEY: wish, SIBLING: wish})
    observed = Observed(None, {KEY: have({A: 100, B: 100}), SIBLING: have({A: 100, B: 100})})
    stuck = DelVip(SIBLING, "encap gre4 must become gre6")

    assert stuck in plan(desired, observed)
    assert plan(desired, observed, held={stuck}) == (
        weight(A, 0, flush=True),
        SetWeight(SIBLING, A, 0, flush=True),
    )


def test_a_vip_that_is_not_configured_stays_whole_while_part_of_its_deletion_is_held() -> None:
    observed = Observed(None, {KEY: have({A: 100, B: 100}), SIBLING: have({})})

    assert plan(Desired(None, {}), observed, held={DelBackend(KEY, A)}) == (DelVip(SIBLING, "not configured"),)


def test_a_vip_that_cannot_be_made_has_no_backends_and_a_refused_backend_does_not_hold_up_its_vip() -> None:
    desired = Desired(None, {KEY: wished({A: UP, B: UP})})
    vip, first, second = plan(desired, Observed(None, {}))

    assert plan(desired, Observed(None, {}), held={vip}) == ()
    assert plan(desired, Observed(None, {}), held={first}) == (vip, second)


def test_two_vips_of_one_prefix_are_recreated_one_after_the_other() -> None:
    desired = Desired(None, {KEY: wished({A: UP}), SIBLING: wished({A: UP})})
    observed = Observed(None, {KEY: have({A: 100}, sticky=True), SIBLING: have({A: 100}, sticky=True)})

    assert [step.first for step in steps_of(desired, observed)] == [KEY, SIBLING]


@settings(max_examples=200)
@given(pairs, st.sets(st.integers(0, 60), max_size=12))
def test_whatever_is_refused_no_vip_loses_its_last_weight_while_it_has_somewhere_to_go(
    pair: tuple[Desired, Observed], places: set[int]
) -> None:
    desired, observed = pair
    everything = plan(desired, observed)
    denied = {everything[place] for place in places if place < len(everything)}
    denied = {op for op in denied if not isinstance(op, AddVip)}  # a VIP that may not come back is lost
    moved = {op.vip for op in everything if is_making_room(op) and ("encap" in op.reason or "excludes" in op.reason)}
    recreated = {op.vip for op in everything if is_making_room(op)}
    vpp = Vpp(observed)
    watched = {
        key
        for key in desired.vips.keys() & observed.vips.keys() - moved
        if vpp.vips[key].total_weight and any(cell.weight for cell in desired.vips[key].backends.values())
    }
    denied = {op for op in denied if not (isinstance(op, AddBackend) and op.vip in recreated)}  # so are its backends
    event(f"{min(len(denied), 6)} denied")
    tries: dict[Op, int] = {}
    shadow = observed
    for _ in range(4):
        held = frozenset(op for op, count in tries.items() if count >= 2)
        for step in steps_of(desired, shadow, held):
            for op in send(vpp, [step], denied.__contains__):
                tries[op] = tries.get(op, 0) + 1
            for key in watched:
                assert vpp.vips[key].total_weight > 0
        shadow = carry_flushed(vpp.audit(), shadow)
    rest = plan(desired, shadow)
    assert Vpp(shadow).run(rest).differences(desired) == []
    assert plan(desired, advance(shadow, rest)) == ()


@given(pairs, st.data())
def test_nothing_that_is_held_is_in_a_plan(pair: tuple[Desired, Observed], data: st.DataObject) -> None:
    everything = plan(*pair)
    held = frozenset(data.draw(st.sets(st.sampled_from(everything)))) if everything else frozenset()
    left = plan(*pair, held=held)

    assert held.isdisjoint(left)
    assert [op for op in left if isinstance(op, SetConf)] == [
        op for op in everything if isinstance(op, SetConf) and op not in held
    ]
