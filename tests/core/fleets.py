"""Strategies for frontends and the states of their backends."""

from collections.abc import Mapping
from ipaddress import IPv4Address, ip_network

from hypothesis import strategies as st

from maglev.core.health import State
from maglev.core.model import TCP, Backend, Encap, Frontend, Pool, VipKey

NAMES = [f"b{number}" for number in range(5)]
BACKENDS: Mapping[str, Backend] = {
    name: Backend(name, IPv4Address("10.0.0.0") + number, None, True) for number, name in enumerate(NAMES)
}

states = st.fixed_dictionaries({name: st.sampled_from(State) for name in NAMES})
weights = st.one_of(st.just(0), st.integers(0, 100))
pools = st.builds(Pool, st.just("pool"), st.dictionaries(st.sampled_from(NAMES), weights))


def frontend_of(found: list[Pool], *, flush_on_down: bool = True, number: int = 1) -> Frontend:
    vip = VipKey(ip_network(f"192.0.2.{number}/32"), TCP, 80)
    return Frontend(f"f{number}", "", vip, tuple(found), Encap.GRE4, src_ip_sticky=False, flush_on_down=flush_on_down)


@st.composite
def frontends(draw: st.DrawFn) -> Frontend:
    return frontend_of(
        draw(st.lists(pools, max_size=4)), flush_on_down=draw(st.booleans()), number=draw(st.integers(1, 200))
    )
