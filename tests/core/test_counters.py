import itertools
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.counters import BackendCounters, Sample, VipCounters, Volume, fold
from maglev.core.model import TCP, IPAddress, VipKey

VIPS = [VipKey(ip_network("192.0.2.1/32"), TCP, port) for port in (80, 443)]
BACKENDS: list[IPAddress] = [ip_address("10.0.0.1"), ip_address("10.0.0.2")]

figures = st.integers(0, 3)  # small, so that they rise, stay and fall
volumes = st.builds(Volume, figures, figures)
vip_counters = st.builds(
    VipCounters, st.integers(1, 2), figures, figures, figures, figures, st.none() | volumes, since_ns=st.just(0)
)
backend_counters = st.builds(BackendCounters, st.integers(1, 2), volumes, volumes, since_ns=st.just(0))


@st.composite
def series(draw: st.DrawFn) -> list[Sample]:
    """Samples as they are read, one after the other; no life is known yet."""
    parts = st.tuples(
        st.sampled_from([7, 7, 7, 8]),
        st.dictionaries(st.sampled_from(VIPS), vip_counters),
        st.dictionaries(st.sampled_from(BACKENDS), backend_counters),
    )
    found = draw(st.lists(parts, min_size=1, max_size=8))
    return [Sample((place + 1) * 1000, *part) for place, part in enumerate(found)]


def folded(samples: list[Sample]) -> list[Sample]:
    done: list[Sample] = []
    for sample in samples:
        done.append(fold(done[-1] if done else None, sample))
    return done


def ends_a_life(old: VipCounters | BackendCounters | None, new: VipCounters | BackendCounters) -> bool:
    """The rule, said again: gone, moved, or fallen in any figure that both samples know."""
    if old is None or old.index != new.index:
        return True
    match old, new:
        case VipCounters(), VipCounters():
            pairs = [(old.next, new.next), (old.first, new.first)]
            pairs += [(old.untracked, new.untracked), (old.no_server, new.no_server)]
            if old.route is not None and new.route is not None:
                pairs += [(old.route.packets, new.route.packets), (old.route.bytes, new.route.bytes)]
        case BackendCounters(), BackendCounters():
            volumes = [(old.forwarded, new.forwarded), (old.direct, new.direct)]
            pairs = [(a.packets, b.packets) for a, b in volumes] + [(a.bytes, b.bytes) for a, b in volumes]
        case _:
            raise AssertionError("never compared")
    return any(after < before for before, after in pairs)


@given(series())
def test_since_is_the_first_sample_of_the_present_life(samples: list[Sample]) -> None:
    born: dict[object, int] = {}
    before: Sample | None = None
    for raw, sample in zip(samples, folded(samples), strict=True):
        if before is not None and before.boottime_ns != raw.boottime_ns:
            before = None
        now: dict[object, int] = {}
        for key, vip in raw.vips.items():
            is_new = ends_a_life(before.vips.get(key) if before else None, vip)
            now[key] = raw.taken_at_ns if is_new else born[key]
            assert sample.vips[key].since_ns == now[key]
        for address, backend in raw.backends.items():
            is_new = ends_a_life(before.backends.get(address) if before else None, backend)
            now[address] = raw.taken_at_ns if is_new else born[address]
            assert sample.backends[address].since_ns == now[address]
        born, before = now, raw


@given(series())
def test_folding_changes_nothing_but_since(samples: list[Sample]) -> None:
    for raw, sample in zip(samples, folded(samples), strict=True):
        assert raw == replace(
            sample,
            vips={key: replace(vip, since_ns=0) for key, vip in sample.vips.items()},
            backends={address: replace(backend, since_ns=0) for address, backend in sample.backends.items()},
        )


@given(series())
def test_within_a_life_no_figure_falls(samples: list[Sample]) -> None:
    done = folded(samples)
    for old, new in itertools.pairwise(done):
        for key in old.vips.keys() & new.vips.keys():
            before, after = old.vips[key], new.vips[key]
            if before.since_ns == after.since_ns:
                assert before.index == after.index
                assert before.next <= after.next
                assert before.route is None or after.route is None or before.route.packets <= after.route.packets


ALIVE = VipCounters(1, next=10, first=5, untracked=0, no_server=0, route=Volume(15, 1500))


@pytest.mark.parametrize(
    ("later", "goes_on"),
    [
        (ALIVE, True),
        (replace(ALIVE, next=11, route=Volume(16, 1600)), True),
        (replace(ALIVE, route=None), True),  # not known this time is no fall
        (replace(ALIVE, next=9), False),
        (replace(ALIVE, no_server=1, first=4), False),
        (replace(ALIVE, index=2), False),
        (replace(ALIVE, route=Volume(14, 1600)), False),
        (replace(ALIVE, route=Volume(15, 1499)), False),
    ],
)
def test_a_life_goes_on_until_a_figure_falls_or_the_index_moves(later: VipCounters, goes_on: bool) -> None:
    first = fold(None, Sample(1000, 7, {VIPS[0]: ALIVE}))
    second = fold(first, Sample(2000, 7, {VIPS[0]: later}))

    assert second.vips[VIPS[0]].since_ns == (1000 if goes_on else 2000)


def test_a_restart_of_vpp_ends_every_life_though_the_figures_are_higher() -> None:
    first = fold(None, Sample(1000, 7, {VIPS[0]: ALIVE}))
    second = fold(first, Sample(2000, 8, {VIPS[0]: replace(ALIVE, next=999)}))

    assert second.vips[VIPS[0]].since_ns == 2000


def test_a_vip_that_was_away_starts_a_new_life() -> None:
    first = fold(None, Sample(1000, 7, {VIPS[0]: ALIVE}))
    gone = fold(first, Sample(2000, 7))
    back = fold(gone, Sample(3000, 7, {VIPS[0]: ALIVE}))

    assert back.vips[VIPS[0]].since_ns == 3000
