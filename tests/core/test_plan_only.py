from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Desired, Effective
from maglev.core.model import ANY, TABLE_LENGTH, TCP, Encap, VipKey
from maglev.core.plan import (
    AddVip,
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    SetConf,
    SetWeight,
    plan,
)
from tests.core.cases import KEY, A, is_making_room, wished
from tests.core.simulator import Vpp
from tests.core.tables import PREFIXES, pairs

some_keys = st.frozensets(
    st.builds(VipKey, st.sampled_from(PREFIXES), st.just(TCP), st.sampled_from([80, 443]))
    | st.builds(VipKey, st.sampled_from(PREFIXES), st.just(ANY), st.just(0))
)


@given(pairs, some_keys)
def test_with_only_no_other_vip_is_touched_and_none_is_deleted(
    pair: tuple[Desired, Observed], only: frozenset[VipKey]
) -> None:
    desired, observed = pair
    ops = plan(desired, observed, only)
    added, deleted = ({op.vip for op in ops if isinstance(op, kind)} for kind in (AddVip, DelVip))

    assert {op.vip for op in ops if not isinstance(op, SetConf)} <= only
    assert deleted <= added


@given(pairs, some_keys)
def test_with_only_these_vips_end_as_desired_unless_another_is_in_the_way(
    pair: tuple[Desired, Observed], only: frozenset[VipKey]
) -> None:
    desired, observed = pair
    vpp = Vpp(observed).run(plan(desired, observed, only))
    for key in only & desired.vips.keys():
        wish = desired.vips[key]
        in_the_way = [
            other
            for other, have in observed.vips.items()
            if other.prefix == key.prefix
            and other not in only & desired.vips.keys()
            and (have.encap is not wish.encap or (other.port == 0) != (key.port == 0))
        ]
        if in_the_way:
            assert vpp.vips.get(key) == Vpp(observed).vips.get(key)
        else:
            mine = Vpp(Observed(None, {}))
            mine.vips = {key: vpp.vips[key]}
            assert mine.differences(Desired(None, {key: wish})) == []


@given(pairs)
def test_with_only_every_desired_vip_nothing_but_deletions_is_left_out(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    whole = plan(desired, observed)
    going = {op.vip for op in whole if isinstance(op, DelVip)} - desired.vips.keys()
    blocked = {op.vip.prefix for op in whole if is_making_room(op) and op.vip in going}
    expected = tuple(
        op for op in whole if isinstance(op, SetConf) or (op.vip not in going and op.vip.prefix not in blocked)
    )

    assert plan(desired, observed, desired.vips.keys()) == expected


def test_a_vip_outside_that_must_be_recreated_does_not_hold_up_its_neighbour() -> None:
    other = VipKey(KEY.prefix, TCP, 443)
    observed = Observed(
        None,
        {
            KEY: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, {A: ObservedBackend(100)}),
            other: ObservedVip(Encap.GRE4, True, TABLE_LENGTH, {}),
        },
    )
    desired = Desired(None, {KEY: wished({A: Effective(0, flush=True)}), other: wished({})})

    assert plan(desired, observed, {KEY}) == (SetWeight(KEY, A, 0, flush=True),)


def test_a_vip_that_is_not_desired_is_not_deleted_to_make_room_even_when_named() -> None:
    other = VipKey(KEY.prefix, ANY, 0)
    observed = Observed(None, {other: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, {})})
    desired = Desired(None, {KEY: wished({})})

    assert plan(desired, observed, {KEY, other}) == ()
    assert [type(op) for op in plan(desired, observed)] == [DelVip, AddVip]
