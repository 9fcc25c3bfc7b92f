from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings

from maglev.core.desired import Desired, DesiredVip, Effective
from maglev.core.forecast import NEUTRAL, Effect, Forecast, Forecaster
from maglev.core.model import TABLE_LENGTH, Encap, IPAddress, LbConf
from maglev.core.observed import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    SetConf,
    SetWeight,
)
from maglev.core.plan import plan
from tests.core.cases import KEY, A, B, C, wished
from tests.core.driving import steps_of
from tests.core.tables import pairs

CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)
UP, DOWN, STANDBY = Effective(100, flush=False), Effective(0, flush=True), Effective(0, flush=False)


def table(backends: dict[IPAddress, ObservedBackend], *, sticky: bool = False) -> Observed:
    return Observed(None, {KEY: ObservedVip(Encap.GRE4, sticky, TABLE_LENGTH, backends)})


def forecast(desired: Desired, observed: Observed) -> list[Forecast]:
    forecaster = Forecaster(observed)
    return [one for step in steps_of(desired, observed) for one in forecaster.forecast(step)]


def effects(backends: dict[IPAddress, Effective], observed: Observed) -> list[tuple[str, Effect]]:
    found = forecast(Desired(None, {KEY: wished(backends)}), observed)
    return [(type(one.op).__name__, one.effect) for one in found]


def test_a_backend_that_goes_down_moves_its_share_of_new_flows_and_breaks_its_flows() -> None:
    # Of 1,024 buckets at 100/100/50 VPP gives 408/408/208; taking turns anew moves some of the others, too.
    observed = table({A: ObservedBackend(100, flows=398), B: ObservedBackend(100), C: ObservedBackend(50)})
    ((kind, effect),) = effects({A: DOWN, B: UP, C: Effective(50, flush=False)}, observed)

    assert (kind, effect.is_breaking, effect.flows, effect.drops) == ("SetWeight", True, 398, 0)
    assert 408 / 1024 <= effect.moves <= 0.6


def test_draining_moves_new_flows_and_breaks_none() -> None:
    observed = table({A: ObservedBackend(100, flows=398), B: ObservedBackend(100)})
    ((_, effect),) = effects({A: STANDBY, B: UP}, observed)

    assert effect == Effect(moves=0.5)


def test_the_last_backend_that_goes_drops_all_new_flows() -> None:
    ((_, effect),) = effects({A: DOWN}, table({A: ObservedBackend(100, flows=7)}))

    assert effect == Effect(moves=0, drops=1, is_breaking=True, flows=7)


def test_each_operation_is_forecast_in_its_turn() -> None:
    observed = table({A: ObservedBackend(0), B: ObservedBackend(100, flows=3)})

    assert effects({A: UP, B: STANDBY}, observed) == [
        ("SetWeight", Effect(moves=0.5)),
        ("SetWeight", Effect(moves=0.5)),
    ]


def test_what_nobody_notices_is_neutral() -> None:
    flushed = table({A: ObservedBackend(100), B: ObservedBackend(0, flows=0)})

    assert effects({A: UP, B: DOWN, C: STANDBY}, flushed) == [("AddBackend", NEUTRAL)]
    assert effects({A: UP, B: UP}, Observed(None, {})) == [
        ("AddVip", NEUTRAL),
        ("AddBackend", NEUTRAL),
        ("AddBackend", NEUTRAL),
    ]


def test_a_recreation_drops_and_breaks_until_the_vip_is_back() -> None:
    observed = table({A: ObservedBackend(100, flows=5), B: ObservedBackend(100, flows=6)}, sticky=True)

    assert effects({A: UP, B: UP}, observed) == [
        ("DelBackend", Effect(moves=0.5, is_breaking=True, flows=5)),
        ("DelBackend", Effect(drops=1, is_breaking=True, flows=6)),
        ("DelVip", NEUTRAL),
        ("AddVip", NEUTRAL),
        ("AddBackend", NEUTRAL),
        ("AddBackend", NEUTRAL),
    ]


@pytest.mark.parametrize(
    ("before", "vips", "is_breaking"),
    [
        (replace(CONF, sticky_buckets_per_core=2048), True, True),
        (replace(CONF, flow_timeout_s=7), True, False),
        (replace(CONF, sticky_buckets_per_core=2048), False, False),
    ],
)
def test_another_bucket_count_breaks_every_flow_there_is(before: LbConf, vips: bool, is_breaking: bool) -> None:
    found = table({}).vips if vips else {}
    first, *_ = forecast(Desired(CONF, {KEY: wished({})}), Observed(before, found))

    assert (first.op, first.effect.is_breaking) == (SetConf(CONF), is_breaking)


@settings(max_examples=60)
@given(pairs)
def test_a_forecast_is_of_the_plan_and_its_shares_are_shares(pair: tuple[Desired, Observed]) -> None:
    desired, observed = pair
    found = forecast(desired, observed)

    assert tuple(one.op for one in found) == plan(desired, observed)
    for one in found:
        assert 0 <= one.effect.moves + one.effect.drops <= 1
        if isinstance(one.op, (AddVip, DelVip)):
            assert one.effect == NEUTRAL
        if isinstance(one.op, AddBackend):
            assert not one.effect.is_breaking
        if isinstance(one.op, SetWeight) and not one.op.flush:
            assert not one.effect.is_breaking


def test_ipv6_backends_are_weighed_too() -> None:
    one, two = IPv6Address("fd00::1"), IPv6Address("fd00::2")
    vip = ObservedVip(Encap.GRE6, False, TABLE_LENGTH, {one: ObservedBackend(100), two: ObservedBackend(100)})
    wish = DesiredVip(Encap.GRE6, False, TABLE_LENGTH, {one: UP})
    ((op, effect),) = [
        (found.op, found.effect) for found in forecast(Desired(None, {KEY: wish}), Observed(None, {KEY: vip}))
    ]

    assert op == DelBackend(KEY, two)
    assert effect == Effect(moves=0.5, is_breaking=True)
