from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from maglev.core.desired import Desired, Effective
from maglev.core.model import TABLE_LENGTH, Encap
from maglev.core.plan import (
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    SetConf,
    advance,
    plan,
)
from tests.core.cases import KEY, A, wished
from tests.core.simulator import Vpp
from tests.core.tables import desired_tables, pairs


@given(pairs)
def test_a_plan_is_never_refused_and_ends_in_what_is_desired(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    event(f"{min(len(ops), 30) // 10 * 10}+ ops")

    assert Vpp(observed).run(ops).differences(desired) == []


@given(pairs)
def test_there_is_nothing_to_plan_after_a_plan(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair

    assert plan(desired, advance(observed, plan(desired, observed))) == ()


@settings(max_examples=50)
@given(pairs)
def test_an_interrupted_plan_can_be_taken_up_again_at_any_point(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    for stop in range(len(ops) + 1):
        midway, vpp = advance(observed, ops[:stop]), Vpp(observed).run(ops[:stop])
        rest = plan(desired, midway)

        assert vpp.run(rest).differences(desired) == []
        assert plan(desired, advance(midway, rest)) == ()


@settings(max_examples=50)
@given(pairs)
def test_an_interrupted_plan_can_be_taken_up_by_a_daemon_that_knows_only_an_audit(
    pair: tuple[Desired, Observed],
) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    for stop in range(len(ops) + 1):
        audited = Vpp(observed).run(ops[:stop]).audit()

        assert Vpp(audited).run(plan(desired, audited)).differences(desired) == []


@given(pairs, desired_tables(), st.integers(0, 40))
def test_a_plan_can_be_dropped_for_another(pair: tuple[Desired, Observed], other: Desired, stop: int) -> None:
    desired, observed = pair
    ops = plan(desired, observed)[:stop]
    midway, vpp = advance(observed, ops), Vpp(observed).run(ops)

    assert vpp.run(plan(other, midway)).differences(other) == []


@given(pairs)
def test_what_is_as_desired_is_left_alone(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    recreated = {op.vip for op in plan(desired, observed) if isinstance(op, DelVip)} & desired.vips.keys()

    for key in recreated:
        wish, have = desired.vips[key], observed.vips[key]
        assert (have.encap, have.table_length) != (wish.encap, wish.table_length) or have.src_ip_sticky not in (
            None,
            wish.src_ip_sticky,
        )


@given(desired_tables())
def test_no_conf_leaves_that_of_vpp_alone(desired: Desired) -> None:
    for op in plan(replace(desired, conf=None), Observed(None, {})):
        assert not isinstance(op, SetConf)


def test_a_stickiness_that_could_not_be_read_is_not_recreated() -> None:
    observed = Observed(None, {KEY: ObservedVip(Encap.GRE4, None, TABLE_LENGTH, {A: ObservedBackend(100)})})

    assert plan(Desired(None, {KEY: wished({A: Effective(100, flush=False)})}), observed) == ()
