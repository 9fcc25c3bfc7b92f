from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.desired import Effective, FrontendState, active_pool, desired, desired_vip, effective, resolve
from maglev.core.health import State
from maglev.core.model import TABLE_LENGTH, Frontend, LbConf, Pool
from tests.core.fleets import BACKENDS, NAMES, frontend_of, frontends, states

States = Mapping[str, State]
CONF = LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40)


def capacity(pool: Pool, now: States) -> int:
    """What a pool could carry: the weights of its backends that are up."""
    return sum(weight for name, weight in pool.weights.items() if now[name] is State.UP)


@given(frontends(), states)
def test_the_active_pool_is_the_first_that_can_carry_anything(frontend: Frontend, now: States) -> None:
    able = [index for index, pool in enumerate(frontend.pools) if capacity(pool, now)]

    assert active_pool(frontend, now) == (able[0] if able else None)
    assert resolve(frontend, now).active_pool == (able[0] if able else None)


@given(frontends(), states)
def test_in_the_warmup_only_what_is_certain_is_told_and_weights_are_the_same(frontend: Frontend, now: States) -> None:
    said, known = resolve(frontend, now, in_warmup=True), resolve(frontend, now)
    is_vague = State.UNKNOWN in {now[name] for name in frontend.backend_names}

    assert said.pools == known.pools
    if not is_vague:
        assert said == known
    assert (said.state is FrontendState.UP) == (known.state is FrontendState.UP)
    assert (said.state is FrontendState.DOWN) == (known.state is FrontendState.DOWN and not is_vague)
    assert said.active_pool == (None if is_vague and known.active_pool else known.active_pool)


@given(frontends(), states)
def test_only_backends_that_are_up_in_the_active_pool_have_weight(frontend: Frontend, now: States) -> None:
    resolved = resolve(frontend, now)
    for index, (pool, cells) in enumerate(zip(frontend.pools, resolved.pools, strict=True)):
        assert cells.keys() == pool.weights.keys()
        for name, cell in cells.items():
            has_weight = now[name] is State.UP and index == resolved.active_pool
            assert cell.weight == (pool.weights[name] if has_weight else 0)


FLUSHES = {
    State.UNKNOWN: (False, False),
    State.UP: (False, False),
    State.DOWN: (False, True),
    State.PAUSED: (False, False),
    State.DISABLED: (True, True),
    State.REMOVED: (True, True),
}  # by state: without flush-on-down, with it


@given(frontends(), states)
def test_flows_are_cut_as_the_state_says(frontend: Frontend, now: States) -> None:
    for cells in resolve(frontend, now).pools:
        for name, cell in cells.items():
            assert cell.flush == FLUSHES[now[name]][frontend.flush_on_down]


@pytest.mark.parametrize("state", State)
@given(configured=st.integers(0, 100), is_active=st.booleans(), flush_on_down=st.booleans())
def test_a_backend_with_weight_is_never_flushed(
    state: State, configured: int, is_active: bool, flush_on_down: bool
) -> None:
    cell = effective(state, configured, is_active, flush_on_down)

    assert 0 <= cell.weight <= configured
    assert not (cell.weight and cell.flush)


@given(frontends(), states)
def test_a_frontend_is_up_if_any_effective_weight_is_above_0_and_unknown_if_nothing_is_known(
    frontend: Frontend, now: States
) -> None:
    resolved = resolve(frontend, now)
    carries = any(cell.weight for cells in resolved.pools for cell in cells.values())
    known = {now[name] for pool in frontend.pools for name in pool.weights} - {State.UNKNOWN}
    expected = FrontendState.UP if carries else FrontendState.DOWN if known else FrontendState.UNKNOWN

    assert resolved.state is expected


@given(frontends(), states, st.sampled_from(NAMES))
def test_more_health_is_never_less_service(frontend: Frontend, now: States, better: str) -> None:
    before, after = active_pool(frontend, now), active_pool(frontend, {**now, better: State.UP})

    assert before is None or (after is not None and after <= before)


def test_a_frontend_that_only_has_empty_pools_is_unknown() -> None:
    assert resolve(frontend_of([Pool("p", {})]), {}).state is FrontendState.UNKNOWN
    assert FrontendState.UNKNOWN.word == "unknown"


def test_the_fallback_pool_takes_over_and_gives_back() -> None:
    frontend = frontend_of([Pool("primary", {"b0": 100}), Pool("fallback", {"b1": 50})])
    up, down = State.UP, State.DOWN

    assert resolve(frontend, {"b0": down, "b1": up}).pools == (
        {"b0": Effective(0, flush=True)},
        {"b1": Effective(50, flush=False)},
    )
    assert resolve(frontend, {"b0": up, "b1": up}).pools == (
        {"b0": Effective(100, flush=False)},
        {"b1": Effective(0, flush=False)},
    )


@given(frontends(), states)
def test_a_vip_has_every_backend_of_every_pool_once_with_its_highest_weight(frontend: Frontend, now: States) -> None:
    resolved = resolve(frontend, now)
    vip = desired_vip(frontend, resolved, BACKENDS)
    cells = [(name, cell) for pool in resolved.pools for name, cell in pool.items()]

    assert vip.backends.keys() == {BACKENDS[name].address for name in frontend.backend_names}
    for name in frontend.backend_names:
        mine = [cell for other, cell in cells if other == name]
        got = vip.backends[BACKENDS[name].address]
        assert got.weight == max(cell.weight for cell in mine)
        assert got.flush == (not got.weight and FLUSHES[now[name]][frontend.flush_on_down])
    assert (vip.encap, vip.src_ip_sticky, vip.table_length) == (frontend.encap, frontend.src_ip_sticky, TABLE_LENGTH)


@given(states, st.permutations(NAMES))
def test_one_address_under_several_names_does_not_depend_on_their_order(now: States, order: list[str]) -> None:
    same = {name: replace(backend, address=IPv4Address("10.0.0.1")) for name, backend in BACKENDS.items()}
    vips = []
    for names in (NAMES, order):
        frontend = frontend_of([Pool("p", dict.fromkeys(names, 100))])
        vips.append(desired_vip(frontend, resolve(frontend, now), same))
    (cell,) = vips[0].backends.values()

    assert vips[0] == vips[1]
    assert cell.weight == (100 if State.UP in now.values() else 0)
    assert cell.flush == all(FLUSHES[state][True] for state in now.values())


@given(st.lists(frontends(), unique_by=lambda frontend: frontend.name, max_size=4), states)
def test_the_table_has_one_vip_for_each_frontend(found: list[Frontend], now: States) -> None:
    resolved = {frontend.name: resolve(frontend, now) for frontend in found}
    table = desired(CONF, found, resolved, BACKENDS)

    assert table.conf == CONF
    assert table.vips == {f.vip: desired_vip(f, resolved[f.name], BACKENDS) for f in found}
