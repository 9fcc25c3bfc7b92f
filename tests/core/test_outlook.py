"""What is left to do, as anybody may ask; held to the agenda, which does it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.core import outlook as subject
from maglev.core.agenda import Agenda
from maglev.core.desired import desired, resolve
from maglev.core.health import Health, State
from maglev.core.model import ANY, TABLE_LENGTH, TCP, Backend, Encap, Frontend, IPNetwork, LbConf, Pool, VipKey
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.core.outlook import Outstanding, Unknown, Wait, outlook
from maglev.core.plan import Observed, ObservedBackend, ObservedVip, advance, plan
from maglev.core.scope import Scope
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus, LbStatus
from maglev.core.warmup import Warmup
from tests.core.fleets import BACKENDS, NAMES
from tests.core.simulator import Vpp
from tests.core.tables import PREFIXES, confs, observed_tables
from tests.core.test_agenda import Site

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
ONE, TWO = VipKey(ip_network("192.0.2.1/32"), TCP, 80), VipKey(ip_network("192.0.2.2/32"), TCP, 80)
SIBLING = replace(ONE, port=443)
STRANGER = VipKey(ip_network("192.0.2.9/32"), TCP, 80)
UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
ALL_UP = dict.fromkeys(NAMES, UP)
A, B = BACKENDS["b0"].address, BACKENDS["b1"].address


def frontend(vip: VipKey, *pools: Mapping[str, int], encap: Encap = Encap.GRE4) -> Frontend:
    named = tuple(Pool(f"p{n}", weights) for n, weights in enumerate(pools))
    return Frontend(str(vip), "", vip, named, encap, src_ip_sticky=False, flush_on_down=True)


def health_of(
    frontends: Iterable[Frontend], states: Mapping[str, State], backends: Mapping[str, Backend] = BACKENDS
) -> HealthStatus:
    return HealthStatus(
        {name: BackendStatus(backends[name], Health(state, 0), 0, ()) for name, state in states.items()},
        {f.name: FrontendStatus(f, resolve(f, states)) for f in frontends},
    )


def found(health: HealthStatus, lb: LbStatus) -> list[Outstanding]:
    return [one for one in outlook(health, lb) if isinstance(one, Outstanding)]


def unknown(health: HealthStatus, lb: LbStatus) -> list[int]:
    return [one.vips for one in outlook(health, lb) if isinstance(one, Unknown)]


def waits(health: HealthStatus, lb: LbStatus) -> list[tuple[type[Op], Wait | None]]:
    return [(type(one.op), one.wait) for one in found(health, lb)]


def standing(weights: Mapping[VipKey, Mapping[str, int]], conf: LbConf | None = CONF) -> Observed:
    return Observed(
        conf,
        {
            vip: ObservedVip(
                Encap.GRE4,
                False,
                TABLE_LENGTH,
                {BACKENDS[name].address: ObservedBackend(weight) for name, weight in backends.items()},
            )
            for vip, backends in weights.items()
        },
    )


HELD = frozenset({SetWeight(ONE, A, 7, flush=False)})
HEAVY = LbStatus(standing({ONE: {"b0": 9}, TWO: {"b0": 9}}), 0, wish=CONF)

ports = st.lists(st.sampled_from([(TCP, 80), (TCP, 443)]), unique=True, min_size=1, max_size=2)
some_weights = st.sampled_from([0, 1, 50, 100])
some_pools = st.lists(st.dictionaries(st.sampled_from(NAMES), some_weights, max_size=3), max_size=2)


@st.composite
def sites(draw: st.DrawFn) -> HealthStatus:
    """Frontends on the prefixes of the tables, so that much of either meets the other."""
    frontends = []
    for prefix in draw(st.lists(st.sampled_from(PREFIXES), unique=True, max_size=4)):
        encap = draw(st.sampled_from([Encap.GRE4, Encap.GRE4, Encap.GRE6]))
        for protocol, port in draw(ports) if draw(st.integers(0, 3)) else [(ANY, 0)]:
            frontends.append(frontend(VipKey(prefix, protocol, port), *draw(some_pools), encap=encap))
    states = draw(st.fixed_dictionaries({name: st.sampled_from([UP, UP, DOWN, UNKNOWN]) for name in NAMES}))
    return health_of(frontends, states)


@given(sites(), observed_tables(), st.none() | confs)
def test_it_is_the_whole_plan_and_leads_to_what_is_wished_for(
    health: HealthStatus, observed: Observed, conf: LbConf | None
) -> None:
    resolved = {name: status.resolved for name, status in health.frontends.items()}
    wish = desired(conf, [each.frontend for each in health.frontends.values()], resolved, BACKENDS)
    left = found(health, LbStatus(observed, 0, wish=conf))

    assert tuple(one.op for one in left) == plan(wish, observed)
    assert all(one.wait is None for one in left)
    after = advance(observed, [one.op for one in left])
    assert plan(wish, after) == ()
    assert found(health, LbStatus(after, 0, wish=conf)) == []


class Place(Site):
    """A site at any table, in the warmup or after it; `denied` is what its VPP refuses beyond its rules."""

    def __init__(self, health: HealthStatus, observed: Observed, conf: LbConf | None, *, is_over: bool) -> None:
        super().__init__(health, lambda op: op in self.denied)
        self.vpp, self.denied = Vpp(observed), set[Op]()
        self.agenda = Agenda(conf, Warmup(0, 0 if is_over else 10**9), Scope())
        self.audit()
        self.plan()

    @property
    def queued(self) -> list[Op]:
        return [op for step in self.agenda.queue for op in (*step.ops, *step.then)]

    @property
    def lb(self) -> LbStatus:
        agenda, shadow = self.agenda, self.agenda.shadow
        assert shadow
        return LbStatus(
            shadow.observed,
            0,
            doubtful=frozenset(shadow.doubtful),
            wish=agenda.wish,
            is_warming_up=agenda.is_warming_up,
            held=agenda.held,
        )


@given(sites(), observed_tables(), st.none() | confs, st.booleans())
def test_what_waits_for_nothing_is_what_the_agenda_sends(
    health: HealthStatus, observed: Observed, conf: LbConf | None, is_over: bool
) -> None:
    place = Place(health, observed, conf, is_over=is_over)

    left = found(health, place.lb)
    assert sorted(map(repr, place.queued)) == sorted(repr(one.op) for one in left if one.wait is None)
    late = [one for one in left if one.wait is not None]
    if is_over:
        assert [one.op for one in left] == place.queued
        assert late == []
        return
    wished = {status.frontend.vip for status in health.frontends.values()}
    strangers = observed.vips.keys() - wished
    assert {one.op.vip for one in late if isinstance(one.op, DelVip)} == strangers
    assert all(isinstance(one.op, DelBackend | DelVip) and one.op.vip in strangers for one in late)
    assert {one.wait for one in late} <= {Wait.WARMUP}


def move(place: Place, data: st.DataObject) -> None:
    """Anything that may befall the agenda."""
    match data.draw(st.sampled_from(["refuse", "refuse", "doubt", "health", "health", "later"])):
        case "refuse" if place.queued:
            place.denied |= data.draw(st.sets(st.sampled_from(place.queued), min_size=1, max_size=1))
            place.settle()
        case "doubt" if place.queued:
            place.denied |= data.draw(st.sets(st.sampled_from(place.queued), max_size=3))
            place.write(data.draw(st.integers(1, 10)))
        case "health":
            states = data.draw(st.fixed_dictionaries({name: st.sampled_from([UP, DOWN, UNKNOWN]) for name in NAMES}))
            place.health = health_of([each.frontend for each in place.health.frontends.values()], states)
        case "later":
            place.now_s += data.draw(st.sampled_from([1, 5, 1000]))
    place.plan()


@settings(max_examples=300)
@given(sites(), observed_tables(), st.none() | confs, st.booleans(), st.data())
def test_it_is_so_beside_what_is_refused_and_in_doubt_too_and_nothing_is_left_out(
    health: HealthStatus, observed: Observed, conf: LbConf | None, is_over: bool, data: st.DataObject
) -> None:
    place = Place(health, observed, conf, is_over=is_over)
    for _ in range(data.draw(st.integers(2, 6))):
        move(place, data)
        lb = place.lb
        left = found(place.health, lb)
        sent = [one.op for one in left if one.wait is None]
        assert sent == place.queued if is_over else sorted(map(repr, sent)) == sorted(map(repr, place.queued))
        waiting = {wait: {prefix_of(one.op) for one in left if one.wait is wait} for wait in Wait}
        assert waiting[Wait.REFUSED] <= {prefix_of(op) for op in lb.held}
        assert waiting[Wait.DOUBT] <= {key.prefix for key in lb.doubtful}
        if is_over:
            frontends = [each.frontend for each in place.health.frontends.values()]
            resolved = {name: status.resolved for name, status in place.health.frontends.items()}
            wish = desired(conf, frontends, resolved, BACKENDS)
            assert plan(wish, advance(lb.observed, [one.op for one in left])) == ()


def prefix_of(op: Op) -> IPNetwork | None:
    return None if isinstance(op, SetConf) else op.vip.prefix


@given(sites(), observed_tables(), st.booleans())
def test_in_the_warmup_every_frontend_with_an_unknown_backend_is_counted_once(
    health: HealthStatus, observed: Observed, is_warming_up: bool
) -> None:
    states = {name: status.health.state for name, status in health.backends.items()}
    counted = [
        f for f in (each.frontend for each in health.frontends.values()) if UNKNOWN in map(states.get, f.backend_names)
    ]

    expected = [len(counted)] if counted and is_warming_up else []
    assert unknown(health, LbStatus(observed, 0, is_warming_up=is_warming_up)) == expected


def test_what_is_as_it_should_be_leaves_nothing_whatever_else_is_the_matter() -> None:
    health = health_of([frontend(ONE, {"b0": 7})], ALL_UP)
    lb = LbStatus(standing({ONE: {"b0": 7}}), 0, {ONE: "no"}, "no", frozenset({ONE}), held_back_s=9, wish=CONF)

    assert found(health, lb) == []
    assert found(health, replace(lb, is_warming_up=True)) == []


def test_parameters_that_nobody_wishes_for_are_left_alone() -> None:
    lb = LbStatus(standing({}), 0, wish=None)

    assert found(HealthStatus(), lb) == []
    assert waits(HealthStatus(), replace(lb, wish=replace(CONF, flow_timeout_s=41))) == [(SetConf, None)]


def test_a_restart_of_maglevd_on_a_table_that_is_right_plans_nothing() -> None:
    frontends = [frontend(ONE, {"b0": 7}), frontend(TWO, {"b0": 7, "b1": 5})]
    lb = LbStatus(standing({ONE: {"b0": 7}, TWO: {"b0": 7, "b1": 5}}), 0, wish=CONF, is_warming_up=True)
    health = health_of(frontends, dict.fromkeys(NAMES, UNKNOWN))

    assert list(outlook(health, lb)) == [Unknown(2)]
    assert list(outlook(health_of(frontends, {**ALL_UP, "b1": UNKNOWN}), lb)) == [Unknown(1)]
    assert list(outlook(health_of(frontends, ALL_UP), lb)) == []


def test_during_the_warmup_a_frontend_with_an_unknown_backend_is_not_planned_and_nothing_is_deleted() -> None:
    frontends = [frontend(ONE, {"b0": 7}), frontend(TWO, {"b0": 7, "b1": 5})]
    health = health_of(frontends, {**ALL_UP, "b1": UNKNOWN})
    lb = LbStatus(standing({STRANGER: {"b0": 9}}, conf=None), 0, wish=CONF, is_warming_up=True)
    late = Wait.WARMUP

    known = [(SetConf, None), (AddVip, None), (AddBackend, None)]
    assert waits(health, lb) == [*known, (DelBackend, late), (DelVip, late)]
    assert unknown(health, lb) == [1]
    over = replace(lb, is_warming_up=False)
    assert [kind for kind, _ in waits(health, over)] == [
        *[kind for kind, _ in known],
        AddVip,
        *[AddBackend] * 2,
        *[DelBackend, DelVip],
    ]
    assert {wait for _, wait in waits(health, over)} == {None}


def test_of_a_prefix_on_which_a_stranger_stands_in_the_way_only_his_deletion_is_certain_in_the_warmup() -> None:
    health = health_of([frontend(SIBLING, {"b0": 7}, encap=Encap.L3DSR)], ALL_UP)
    lb = LbStatus(standing({ONE: {"b0": 7}}), 0, wish=CONF, is_warming_up=True)

    assert waits(health, lb) == [(DelBackend, Wait.WARMUP), (DelVip, Wait.WARMUP)]
    assert unknown(health, lb) == []


@pytest.mark.parametrize(
    ("lb", "expected"),
    [
        ({}, Wait.WARMUP),
        ({"held_back_s": 9.0}, Wait.WARMUP),
        ({"held": frozenset({DelVip(STRANGER, "not configured")})}, Wait.REFUSED),
        ({"doubtful": frozenset({STRANGER})}, Wait.DOUBT),
    ],
)
def test_a_deletion_that_would_wait_after_the_warmup_too_says_for_what(lb: Mapping[str, Any], expected: Wait) -> None:
    status = replace(LbStatus(standing({STRANGER: {}}), 0, wish=CONF, is_warming_up=True), **lb)

    assert waits(HealthStatus(), status) == [(DelVip, expected)]


def test_a_check_that_was_changed_is_not_known_though_what_stood_counts() -> None:
    health = health_of([frontend(ONE, {"b0": 7})], {**ALL_UP, "b0": UNKNOWN})
    status = replace(health.backends["b0"], stands=UP)
    front = replace(health.frontends[str(ONE)], resolved=resolve(health.frontends[str(ONE)].frontend, ALL_UP))
    health = HealthStatus({**health.backends, "b0": status}, {str(ONE): front})
    lb = LbStatus(standing({}), 0, wish=CONF, is_warming_up=True)

    assert list(outlook(health, lb)) == [Unknown(1)]


@pytest.mark.parametrize(
    ("lb", "expected"),
    [
        (replace(HEAVY, held=HELD), [Wait.REFUSED, None]),
        (
            replace(HEAVY, refused={ONE: "no"}, conf_refused="no"),
            [None, None],
        ),  # refused once: it is tried again at once
        (replace(HEAVY, doubtful=frozenset({TWO})), [None, Wait.DOUBT]),
        (replace(HEAVY, held=HELD, doubtful=frozenset({ONE})), [Wait.REFUSED, None]),
        (replace(HEAVY, held_back_s=9.0), [Wait.HELD_BACK, Wait.HELD_BACK]),
        (replace(HEAVY, held_back_s=9.0, held=HELD), [Wait.REFUSED, Wait.HELD_BACK]),
        (replace(HEAVY, held=frozenset({DelVip(STRANGER, "")})), [None, None]),
        (replace(HEAVY, held=frozenset({SetConf(CONF)})), [None, None]),  # VIPs are made nevertheless
        (replace(HEAVY, is_warming_up=True, doubtful=frozenset({ONE, TWO})), [Wait.DOUBT, Wait.DOUBT]),
    ],
)
def test_each_operation_says_what_it_waits_for(lb: LbStatus, expected: list[Wait | None]) -> None:
    health = health_of([frontend(ONE, {"b0": 7}), frontend(TWO, {"b0": 7})], ALL_UP)

    assert waits(health, lb) == [(SetWeight, wait) for wait in expected]


def test_refused_parameters_wait_and_nobody_for_them() -> None:
    health = health_of([frontend(ONE, {})], ALL_UP)
    lb = LbStatus(standing({}, conf=None), 0, held=frozenset({SetConf(CONF)}), wish=CONF)

    assert waits(health, lb) == [(SetConf, Wait.REFUSED), (AddVip, None)]
    assert waits(health, replace(lb, wish=replace(CONF, flow_timeout_s=41))) == [(SetConf, None), (AddVip, None)]


def test_what_has_to_make_room_for_a_refused_vip_waits_with_it() -> None:
    health = health_of([frontend(SIBLING, {"b0": 7}, encap=Encap.L3DSR)], ALL_UP)
    held = frozenset({AddVip(SIBLING, Encap.L3DSR, src_ip_sticky=False, table_length=TABLE_LENGTH)})
    lb = LbStatus(standing({ONE: {"b0": 7}}), 0, held=held, wish=CONF)

    kinds = [DelBackend, DelVip, AddVip, AddBackend]
    assert waits(health, lb) == [(kind, Wait.REFUSED) for kind in kinds]


def test_beside_a_refused_backend_one_that_is_down_loses_its_weight_while_another_takes_over() -> None:
    health = health_of([frontend(ONE, {"b0": 7, "b1": 7, "b2": 7})], {**ALL_UP, "b0": DOWN})
    lb = LbStatus(standing({ONE: {"b0": 7, "b2": 7}}), 0, held=frozenset({AddBackend(ONE, B, 7)}), wish=CONF)

    assert waits(health, lb) == [(SetWeight, None), (AddBackend, Wait.REFUSED)]
    alone = replace(lb, observed=standing({ONE: {"b0": 7, "b2": 0}}))
    assert waits(health, alone) == [(SetWeight, None), (SetWeight, None), (AddBackend, Wait.REFUSED)]
    health = health_of([frontend(ONE, {"b0": 7, "b1": 7})], {**ALL_UP, "b0": DOWN})
    last = replace(lb, observed=standing({ONE: {"b0": 7}}))
    assert waits(health, last) == [(AddBackend, Wait.REFUSED), (SetWeight, Wait.REFUSED)]


def test_vips_that_cannot_be_recreated_are_put_right_as_they_stand_before_that() -> None:
    pool = {"b0": 7, "b1": 7}
    frontends = [frontend(ONE, pool, encap=Encap.L3DSR), frontend(SIBLING, pool, encap=Encap.L3DSR)]
    observed = standing({ONE: {"b0": 7, "b1": 7}, SIBLING: {"b0": 7, "b1": 5}})
    held = frozenset({DelVip(ONE, "encap gre4 must become l3dsr")})
    left = found(health_of(frontends, ALL_UP), LbStatus(observed, 0, held=held, wish=CONF))

    first, *others = [(one.op, one.wait) for one in left]
    assert first == (SetWeight(SIBLING, B, 7, flush=False), None)
    assert [wait for _, wait in others] == [Wait.REFUSED] * 12
    assert {type(op) for op, _ in others} == {DelBackend, DelVip, AddVip, AddBackend}


def test_each_effect_is_given_those_before_it() -> None:
    health = health_of([frontend(ONE, {"b0": 100}, {"b1": 100})], {**ALL_UP, "b0": DOWN})
    lb = LbStatus(standing({ONE: {"b0": 100, "b1": 0}}), 0, wish=CONF)
    grow, shrink = found(health, lb)

    assert (grow.op, grow.effect.moves) == (SetWeight(ONE, B, 100, flush=False), 0.5)
    assert (shrink.op, shrink.effect.moves, shrink.effect.is_breaking) == (SetWeight(ONE, A, 0, flush=True), 0.5, True)


@pytest.mark.parametrize("count", [subject.SLICE, 3 * subject.RUN + 1])
def test_a_large_table_comes_in_order_and_in_slices(count: int) -> None:
    prefixes = [ip_network(f"10.{n >> 8 & 255}.{n & 255}.0/24") for n in range(count)]
    keys = [VipKey(prefix, TCP, 80) for prefix in reversed(prefixes)]
    health = health_of([frontend(key, {"b0": 1}) for key in keys], ALL_UP)
    parts = list(outlook(health, LbStatus(standing({}), 0, wish=CONF)))
    left = [one for one in parts if isinstance(one, Outstanding)]

    assert [one.op.vip.prefix for one in left if isinstance(one.op, AddVip)] == prefixes
    assert len(left) == 2 * count
    assert parts.count(None) == 2 * (count // subject.SLICE)


def test_a_table_that_is_right_is_looked_through_in_slices() -> None:
    keys = [VipKey(ip_network(f"10.0.{n}.0/24"), TCP, 80) for n in range(4 * subject.SLICE)]
    health = health_of([frontend(key, {"b0": 1}) for key in keys], ALL_UP)
    lb = LbStatus(standing({key: {"b0": 1} for key in keys}), 0, wish=CONF)

    assert list(outlook(health, lb)) == [None] * 12
