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
vip_counters = st.builds(VipCounters, st.integers(1, 2), figures, figures, figures, figures, st.none() | volumes)
backend_counters = st.builds(BackendCounters, st.integers(1, 2), volumes, volumes)


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


@given(series())
def test_folding_changes_nothing_but_since(samples: list[Sample]) -> None:
    for raw, sample in zip(samples, folded(samples), strict=True):
        assert raw == replace(
            sample,
            vips={key: replace(vip, since_ns=None, route_since_ns=None) for key, vip in sample.vips.items()},
            backends={address: replace(backend, since_ns=None) for address, backend in sample.backends.items()},
            unmatched_since_ns=None,
        )


ALIVE = VipCounters(1, next=10, first=5, untracked=0, no_server=0, route=Volume(15, 1500))


@pytest.mark.parametrize(
    ("later", "goes_on", "route_goes_on"),
    [
        (ALIVE, True, True),
        (replace(ALIVE, next=11, route=Volume(16, 1600)), True, True),
        (replace(ALIVE, next=9), False, True),
        (replace(ALIVE, no_server=1, first=4), False, True),
        (replace(ALIVE, index=2), False, True),
        (replace(ALIVE, route=Volume(14, 1600)), True, False),
        (replace(ALIVE, route=Volume(15, 1499)), True, False),
    ],
)
def test_a_life_goes_on_until_a_figure_falls_or_the_index_moves(
    later: VipCounters, goes_on: bool, route_goes_on: bool
) -> None:
    first = fold(None, Sample(1000, 7, {VIPS[0]: ALIVE}))
    second = fold(first, Sample(2000, 7, {VIPS[0]: later}))

    assert second.vips[VIPS[0]].since_ns == (7 if goes_on else 1000)
    assert second.vips[VIPS[0]].route_since_ns == (7 if route_goes_on else 1000)


def test_a_restart_of_vpp_ends_every_life_though_the_figures_are_higher() -> None:
    first = fold(None, Sample(1000, 7, {VIPS[0]: ALIVE}))
    second = fold(first, Sample(2000, 1500, {VIPS[0]: replace(ALIVE, next=999)}))

    assert second.vips[VIPS[0]].since_ns == 1500
