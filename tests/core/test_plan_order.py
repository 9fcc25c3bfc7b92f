from collections.abc import Collection
from ipaddress import ip_network

from hypothesis import given

from maglev.core.desired import Desired, Effective
from maglev.core.model import TABLE_LENGTH, TCP, Encap, IPNetwork, VipKey, address_order
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
    plan,
)
from tests.core.cases import KEY, A, B, is_making_room, wished
from tests.core.simulator import Vpp
from tests.core.tables import pairs


@given(pairs)
def test_global_parameters_come_first_and_once(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    places = [place for place, op in enumerate(ops) if isinstance(op, SetConf)]

    assert places == ([0] if desired.conf not in (None, observed.conf) else [])


def is_losing(key: VipKey, desired: Desired, observed: Observed) -> bool:
    """Rule 2, said again: whether the VIP sends to a backend that shall have nothing."""
    if key not in desired.vips or key not in observed.vips:
        return False
    shall = {address: cell.weight for address, cell in desired.vips[key].backends.items()}
    return any(now.weight and not shall.get(address) for address, now in observed.vips[key].backends.items())


def recreations(ops: Collection[Op]) -> dict[IPNetwork, set[VipKey]]:
    """By prefix, the VIPs that left to make room for others, and those built there; not who goes and comes alone."""
    leaving = [op for op in ops if is_making_room(op)]
    alone = {op.vip for op in leaving if op.reason.startswith(("src-ip-sticky ", "table length "))}
    found: dict[IPNetwork, set[VipKey]] = {op.vip.prefix: set() for op in leaving if op.vip not in alone}
    for op in ops:
        if (isinstance(op, AddVip) or is_making_room(op)) and op.vip not in alone and op.vip.prefix in found:
            found[op.vip.prefix].add(op.vip)
    return found


@given(pairs)
def test_losing_vips_come_first_and_deletions_last_each_in_numeric_order(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    recreated = recreations(ops)

    def rank(key: VipKey) -> tuple[int, tuple[int, ...]]:
        group = recreated.get(key.prefix, set())
        if key not in group:
            turn = 0 if is_losing(key, desired, observed) else 1 if key in desired.vips else 2
            return turn, key.order
        urgent = any(is_losing(other, desired, observed) for other in group)
        return 0 if urgent else 1, min(other.order for other in group)

    ranks = [rank(op.vip) for op in ops if not isinstance(op, SetConf)]

    assert ranks == sorted(ranks)


@given(pairs)
def test_a_vip_grows_before_it_shrinks_and_loses_backends_last(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    made_or_gone = {op.vip for op in ops if isinstance(op, (AddVip, DelVip))}

    def phase(op: AddBackend | SetWeight | DelBackend) -> int:
        match op:
            case AddBackend():
                return 0
            case SetWeight(key, address, weight, _):
                return 0 if weight > observed.vips[key].backends[address].weight else 1
            case DelBackend():
                return 2

    by_vip: dict[VipKey, list[tuple[int, tuple[int, int]]]] = {}
    for op in ops:
        if isinstance(op, (AddBackend, SetWeight, DelBackend)) and op.vip not in made_or_gone:
            by_vip.setdefault(op.vip, []).append((phase(op), address_order(op.backend)))

    for phases in by_vip.values():
        assert phases == sorted(phases)


@given(pairs)
def test_a_vip_never_passes_through_no_backend_while_it_has_somewhere_to_go(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    ops = plan(desired, observed)
    recreated = {op.vip for op in ops if isinstance(op, DelVip)}
    vpp = Vpp(observed)
    watched = {
        key
        for key in desired.vips.keys() & observed.vips.keys() - recreated
        if vpp.vips[key].total_weight and any(cell.weight for cell in desired.vips[key].backends.values())
    }
    for op in ops:
        vpp.execute(op)
        for key in watched:
            assert vpp.vips[key].total_weight > 0


@given(pairs)
def test_on_one_prefix_all_that_leaves_leaves_before_anything_comes(pair: tuple[Desired, Observed]) -> None:
    ops = plan(*pair)
    for prefix in recreations(ops):
        last_out = max(place for place, op in enumerate(ops) if is_making_room(op) and op.vip.prefix == prefix)
        comes_in = [place for place, op in enumerate(ops) if isinstance(op, AddVip) and op.vip.prefix == prefix]

        assert all(last_out < place for place in comes_in)


def test_a_recreation_that_is_not_urgent_does_not_go_before_one_that_is() -> None:
    later = VipKey(ip_network("192.0.2.2/32"), TCP, 80)
    observed = Observed(
        None,
        {
            KEY: ObservedVip(Encap.GRE4, True, TABLE_LENGTH, {A: ObservedBackend(100)}),
            later: ObservedVip(Encap.GRE4, False, TABLE_LENGTH, {A: ObservedBackend(100), B: ObservedBackend(0)}),
        },
    )
    desired = Desired(
        None,
        {
            KEY: wished({A: Effective(100, flush=False)}),
            later: wished({A: Effective(0, flush=True), B: Effective(100, flush=False)}),
        },
    )

    assert plan(desired, observed) == (
        SetWeight(later, B, 100, flush=False),
        SetWeight(later, A, 0, flush=True),
        DelBackend(KEY, A),
        DelVip(KEY, "src-ip-sticky must become false"),
        AddVip(KEY, Encap.GRE4, False, TABLE_LENGTH),
        AddBackend(KEY, A, 100),
    )
