"""Much at once: two hundred transitions in one moment, and a reload in the middle of a sync."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
import trio

from maglev.control import reconciler
from maglev.core.desired import resolve
from maglev.core.health import Health, State
from maglev.core.model import TCP, VipKey
from maglev.core.status import FrontendStatus, HealthStatus
from tests.control.fakes import backend, frontend
from tests.trouble.bench import Bench
from tests.trouble.tables import EACH_WRITE, FAILOVER, FEWER, FRONTENDS, PLANS, RECREATED, REMADE, health

CROWD = 200


def crowd() -> HealthStatus:
    """As many VIPs, each with two backends of its own."""
    first = IPv4Address("10.0.0.0")
    backends = [
        replace(backend(1, check=None), name=f"{n}{letter}", address=first + 2 * n + offset)
        for n in range(CROWD)
        for offset, letter in enumerate("ab")
    ]
    frontends = [
        frontend(f"f{n}", VipKey(IPv4Network(f"192.0.2.{n}/32"), TCP, 80), {f"{n}a": 100, f"{n}b": 50})
        for n in range(CROWD)
    ]
    return health((), frontends, backends)


def moved(status: HealthStatus, number: int, state: State) -> HealthStatus:
    """One backend's transition, as the checker tells it: all others stay the very values they were."""
    name = f"{number}a"
    backends = {**status.backends, name: replace(status.backends[name], health=Health(state, 0))}
    front = status.frontends[f"f{number}"].frontend
    states = {each: backends[each].health.state for each in front.backend_names}
    return HealthStatus(backends, {**status.frontends, front.name: FrontendStatus(front, resolve(front, states))})


@pytest.mark.parametrize("others_get_a_turn", [False, True])
async def test_two_hundred_transitions_at_once_write_each_vip_once(bench: Bench, others_get_a_turn: bool) -> None:
    bench.cell.set(crowd())
    await bench.start()

    for number in range(CROWD):
        for state in (State.DOWN, State.UP, State.DOWN):
            bench.cell.set(moved(bench.cell.value, number, state))
        if others_get_a_turn:
            await trio.lowlevel.checkpoint()
    await bench.until_right()

    assert Counter(name for name, _ in bench.written) == {"lb_as_set_weight": CROWD}
    assert len({bytes(request["pfx"].address.un.ip4) for _, request in bench.written}) == CROWD
    await bench.has_no_more_to_write()


@pytest.mark.parametrize("batch", [2, 512])
@pytest.mark.parametrize(("name", "k"), EACH_WRITE)
async def test_a_reload_in_the_middle_of_a_sync_is_followed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, k: int, batch: int
) -> None:
    monkeypatch.setattr(reconciler, "BATCH", batch)
    after = health(FAILOVER[:1], {"build": REMADE, "failover": FEWER, "recreate": FRONTENDS, "remove": REMADE}[name])

    def reload() -> None:
        if len(bench.written) == k:
            bench.recreated = RECREATED
            bench.cell.set(after)

    await bench.begin(name)
    bench.on_write = reload
    await bench.until(lambda: bench.cell.value is after, "the reload")
    await bench.until_right()

    assert len(bench.written) <= PLANS[name][1] + 20
    assert bench.refused == []
    assert bench.lost_because == []
    await bench.has_no_more_to_write()
