"""A plan, carried out, makes VPP what it says it makes, from any table to any other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maglev.core.desired import Desired, DesiredVip, Effective
from maglev.core.model import Encap, IPAddress, IPNetwork, VipKey
from maglev.core.plan import advance, carry_flushed, plan
from tests.contract.sessions import CONF, ONE, SIX, THREE, TWO, fresh, weights
from tests.real_vpp import Sockets

PREFIXES: Sequence[IPNetwork] = [
    ip_network(text) for text in ("192.0.2.1/32", "192.0.2.128/25", "2001:db8::53/128", "2001:db8:f::/64")
]
BACKENDS: Mapping[Encap, Sequence[IPAddress]] = {
    Encap.GRE4: [ONE, TWO, THREE],
    Encap.GRE6: [SIX, ip_address("2001:db8:1::2"), ip_address("2001:db8:2::1")],
}


@st.composite
def tables(draw: st.DrawFn) -> Desired:
    """Any table that VPP can hold: one encap a prefix, all ports or some."""
    vips: dict[VipKey, DesiredVip] = {}
    for prefix in draw(st.lists(st.sampled_from(PREFIXES), unique=True, max_size=4)):
        encap = draw(st.sampled_from(list(BACKENDS)))
        some = st.lists(st.tuples(st.sampled_from([6, 17]), st.sampled_from([53, 80, 443])), unique=True, min_size=1)
        for protocol, port in draw(st.just([(255, 0)]) | some):
            backends = draw(
                st.dictionaries(
                    st.sampled_from(BACKENDS[encap]), st.builds(Effective, st.integers(0, 100), st.booleans())
                )
            )
            cells = {a: replace(cell, flush=cell.flush and not cell.weight) for a, cell in backends.items()}
            vips[VipKey(prefix, protocol, port)] = DesiredVip(encap, draw(st.booleans()), 1024, cells)
    return Desired(draw(st.sampled_from([None, CONF, replace(CONF, flow_timeout_s=60)])), vips)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(tables(), min_size=1, max_size=4))
async def test_a_plan_makes_any_table_so_and_then_there_is_nothing_to_plan(
    sockets: Sockets, steps: list[Desired]
) -> None:
    async with fresh(sockets, []) as session:
        for table in steps:
            before = (await session.audit()).observed
            ops = plan(table, before)

            assert not any(await session.execute(ops))

            after = (await session.audit()).observed
            assert plan(table, carry_flushed(after, advance(before, ops))) == ()
            assert weights(after) == weights(advance(before, ops))
