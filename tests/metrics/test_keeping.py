"""Pages made after one another of a Status that changes: what is kept is right, little, and not made again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import TypeVar

from maglev.core.counters import VipCounters
from maglev.core.desired import resolve
from maglev.core.health import Health, State
from maglev.core.model import Encap, Frontend, Pool
from maglev.core.plan import Observed
from maglev.core.snapshot import Snapshot
from maglev.core.status import FrontendStatus, HealthStatus, Status
from maglev.metrics.collector import StatusFamilies
from maglev.metrics.exposition import Block, Page
from maglev.metrics.keeping import CHUNK
from tests.metrics.reading import text_of
from tests.rpc import statuses

V = TypeVar("V")


def page(status: Status) -> Page:
    return Page((StatusFamilies(lambda: status, lambda: statuses.NOW_NS).collect,))


def moved(status: Status, backend: str, state: State) -> Status:
    """With another state of that backend, and what follows, as the checker has it."""
    health = status.health
    backends = as_snapshot(health.backends)
    backends = backends.replaced({backend: replace(backends[backend], health=Health(state, 0))})
    states = {name: each.health.state for name, each in backends.items()}
    frontends = as_snapshot(health.frontends)
    touched = {
        name: FrontendStatus(each.frontend, resolve(each.frontend, states))
        for name, each in frontends.items()
        if backend in each.frontend.backend_names
    }
    return replace(status, health=HealthStatus(backends, frontends.replaced(touched)))


def as_snapshot(values: Mapping[str, V]) -> Snapshot[str, V]:
    return values if isinstance(values, Snapshot) else Snapshot(values)


def renamed(status: Status, old: str, new: str) -> Status:
    """A reload that calls a backend otherwise."""
    backends = {
        (new if name == old else name): (
            replace(each, backend=replace(each.backend, name=new)) if name == old else each
        )
        for name, each in status.health.backends.items()
    }
    return replace(status, health=replace(status.health, backends=Snapshot(backends)))


def readdressed(status: Status, name: str, address: str) -> Status:
    backends = as_snapshot(status.health.backends)
    other = replace(backends[name], backend=replace(backends[name].backend, address=ip_address(address)))
    return replace(status, health=replace(status.health, backends=backends.replaced({name: other})))


def with_web(status: Status, web: VipCounters) -> Status:
    """A sample in which one VIP's figures are others."""
    assert status.sample is not None
    return replace(status, sample=replace(status.sample, vips={**status.sample.vips, statuses.WEB: web}))


def test_each_new_part_of_the_status_is_shown() -> None:
    full = replace(statuses.FULL, lb=replace(statuses.LB, audited=statuses.OBSERVED))
    down = moved(full, "web1", State.DOWN)
    web, six, now_ns = statuses.SAMPLE.vips[statuses.WEB], statuses.SAMPLE.vips[statuses.SIX], statuses.NOW_NS
    shorter = replace(full, sample=replace(statuses.SAMPLE, vips={statuses.SIX: six}))
    other_table = Observed(None, {statuses.NET: statuses.OBSERVED.vips[statuses.WEB]})
    newest = [statuses.EMPTY]
    shown = Page((StatusFamilies(lambda: newest[0], lambda: statuses.NOW_NS).collect,))
    for status in (
        statuses.EMPTY,
        statuses.NO_VPP,
        full,
        down,
        moved(down, "spare", State.DOWN),
        moved(down, "web1", State.UP),
        with_web(full, replace(web, next=123457, since_ns=now_ns)),
        with_web(full, replace(web, route_since_ns=now_ns)),
        with_web(full, replace(web, route=None)),
        full,
        shorter,
        full,
        renamed(full, "web1", "web9"),
        readdressed(full, "web1", "10.1.0.10"),
        replace(full, lb=replace(statuses.LB, audited=other_table)),
        replace(full, sample=None),
        replace(full, lb=None),
        statuses.EMPTY,
    ):
        newest[0] = status
        for is_openmetrics in (True, False, True):
            expected = text_of(page(status), is_openmetrics=is_openmetrics)
            assert text_of(shown, is_openmetrics=is_openmetrics) == expected


def large() -> Status:
    """More frontends, backends and VIPs than fit one chunk."""
    backends = {
        f"b{n}": statuses.backend(f"b{n}", f"10.2.{n // 256}.{n % 256}", State.UP, 4, 0) for n in range(2 * CHUNK + 1)
    }
    frontends, vips, table = {}, {}, {}
    states = dict.fromkeys(backends, State.UP)
    for n, name in enumerate(backends):
        key = statuses.vip(f"198.18.{n // 256}.{n % 256}/32")
        frontend = Frontend(f"f{n}", "", key, (Pool("p", {name: 100}),), Encap.GRE4, False, True)
        frontends[frontend.name] = FrontendStatus(frontend, resolve(frontend, states))
        vips[key] = replace(statuses.SAMPLE.vips[statuses.WEB], since_ns=5)
        table[key] = statuses.OBSERVED.vips[statuses.WEB]
    health = HealthStatus(Snapshot(backends), Snapshot(frontends))
    lb = replace(statuses.LB, observed=Observed(None, table), audited=Observed(None, table))
    return replace(statuses.FULL, health=health, lb=lb, sample=replace(statuses.SAMPLE, vips=vips))


def test_only_what_has_changed_is_made_again() -> None:
    first = large()
    newest = [first]
    page = Page((StatusFamilies(lambda: newest[0], lambda: statuses.NOW_NS).collect,))
    known: set[Block] = set()

    def made() -> Counter[str]:
        """How many blocks of each family are new; a family without labels has none of its own."""
        blocks = set(page.blocks(is_openmetrics=True))
        names = Counter(
            str(block.text, "ascii").partition("{")[0] for block in blocks - known if b"#" not in block.text
        )
        known.update(blocks)
        return names

    assert made()["maglev_backend_state"] == 3
    newest[0] = replace(first)
    assert made() == {}
    newest[0] = moved(first, "b5", State.DOWN)
    of_backend, of_frontend = (
        ("state", "health", "enabled"),
        ("state", "active_pool_rank", "pool_backend_effective_weight"),
    )
    moved_families = {f"maglev_backend_{name}": 1 for name in of_backend}
    assert made() == moved_families | {f"maglev_frontend_{name}": 1 for name in of_frontend}
    newest[0] = replace(newest[0], sample=replace(first.sample)) if first.sample else first
    assert {name.removesuffix("_total").removeprefix("maglev_vpp_") for name in made()} == {
        "vip_packets",
        "vip_route_packets",
        "vip_route_bytes",
        "backend_packets",
        "backend_bytes",
    }
    newest[0] = (
        replace(newest[0], lb=replace(first.lb, audited=Observed(None, first.lb.audited.vips))) if first.lb else first
    )
    assert set(made()) == {"maglev_vpp_backend_buckets", "maglev_vpp_backend_flows"}


def test_what_is_kept_is_told_and_does_not_grow() -> None:
    newest = [large()]
    families = StatusFamilies(lambda: newest[0], lambda: statuses.NOW_NS)
    page = Page((families.collect,))

    def held() -> int:
        for is_openmetrics in (True, False):
            assert all(block.deflated for block in page.blocks(is_openmetrics=is_openmetrics))
        return families.held_bytes

    first = held()
    assert first > 2 * len(text_of(page, is_openmetrics=False)) - 100_000 > 0
    for number in range(5):
        state = State.DOWN if number % 2 else State.UP
        newest[0] = moved(newest[0], "b5", state)
        newest[0] = replace(newest[0], sample=replace(newest[0].sample)) if newest[0].sample else newest[0]
        assert held() < 1.01 * first
    newest[0] = statuses.EMPTY
    assert held() < 100
