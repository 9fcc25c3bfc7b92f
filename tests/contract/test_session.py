"""What we take VPP for, asked through a session of our own."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
import trio

from maglev.core.desired import Desired
from maglev.core.events import Event, ListingUnreadable, VppMessage
from maglev.core.model import Encap, LbConf, VipKey
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
    advance,
    plan,
)
from maglev.errors import Refused
from maglev.vpp.dataplane import LISTING
from maglev.vpp.session import Session, connect
from tests.contract.sessions import CONF, DNS, ONE, SIX, THREE, TLS, TWO, WEB, done, fresh, weights
from tests.real_vpp import Sockets


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def session(sockets: Sockets, events: list[Event]) -> AsyncIterator[Session]:
    async with fresh(sockets, events) as one:
        yield one


async def retval(session: Session, op: Op) -> object:
    (answer,) = await session.execute([op])
    return answer.fields["retval"] if isinstance(answer, Refused) else 0


def add(vip: VipKey, encap: Encap = Encap.GRE4, sticky: bool = False, length: int = 1024) -> AddVip:
    return AddVip(vip, encap, sticky, length)


async def test_a_session_tells_which_vpp_it_has(session: Session) -> None:
    info = session.info

    assert info.version.startswith("26.")
    assert info.pid > 0
    assert info.build_date
    assert 0 < info.boottime_ns <= info.connecttime_ns <= time.time_ns()


async def test_every_message_is_told(session: Session, events: list[Event]) -> None:
    await session.ping()

    assert events == [
        VppMessage("control_ping", "send", "ok"),
        VppMessage("control_ping_reply", "recv", "ok"),
    ]


async def test_a_command_is_run(session: Session) -> None:
    assert session.info.version in await session.cli("show version")


async def test_a_command_that_does_not_exist_is_refused(session: Session) -> None:
    with pytest.raises(Refused, match="CLI"):
        await session.cli("no such command")


async def test_an_empty_table_is_empty(session: Session, events: list[Event]) -> None:
    audit = await session.audit()

    assert audit.observed == Observed(CONF, {})
    assert audit.indexes is not None
    assert (audit.indexes.vips, audit.indexes.routes, audit.indexes.backends) == ({}, {}, {})
    assert not [event for event in events if isinstance(event, ListingUnreadable)]


FILLED: Mapping[VipKey, ObservedVip] = {
    WEB: ObservedVip(Encap.GRE4, True, 1024, {ONE: ObservedBackend(100), TWO: ObservedBackend(50)}),
    TLS: ObservedVip(Encap.GRE4, False, 4096, {ONE: ObservedBackend(1)}),
    DNS: ObservedVip(Encap.GRE4, False, 65536, {THREE: ObservedBackend(7)}),
    VipKey(ip_network("198.51.100.0/24"), 255, 0): ObservedVip(Encap.GRE6, False, 1024, {SIX: ObservedBackend(0)}),
    VipKey(ip_network("2001:db8:f::/64"), 255, 0): ObservedVip(Encap.GRE6, True, 1024, {SIX: ObservedBackend(100)}),
    VipKey(ip_network("203.0.113.128/25"), 17, 4500): ObservedVip(Encap.L3DSR, False, 1024, {ONE: ObservedBackend(3)}),
    VipKey(ip_network("203.0.113.9/32"), 6, 65535): ObservedVip(Encap.GRE4, True, 1, {}),
}


async def fill(session: Session, vips: Mapping[VipKey, ObservedVip] = FILLED) -> None:
    for key, vip in vips.items():
        await done(session, add(key, vip.encap, bool(vip.src_ip_sticky), vip.table_length))
        await done(session, *(AddBackend(key, a, b.weight) for a, b in vip.backends.items()))


async def test_a_filled_table_is_read_back_as_it_was_written(session: Session) -> None:
    await fill(session)

    audit = await session.audit()

    bare = {
        key: replace(vip, backends={a: ObservedBackend(b.weight) for a, b in vip.backends.items()})
        for key, vip in audit.observed.vips.items()
    }
    assert bare == FILLED
    assert audit.indexes is not None
    assert audit.indexes.vips.keys() == FILLED.keys()
    assert audit.indexes.routes.keys() == {key.prefix for key in FILLED}
    assert audit.indexes.backends.keys() == {ONE, TWO, THREE, SIX}
    assert len(set(audit.indexes.vips.values())) == len(FILLED)
    assert 0 not in audit.indexes.vips.values()


async def test_buckets_follow_the_weights(session: Session) -> None:
    await done(session, add(WEB), AddBackend(WEB, ONE, 100), AddBackend(WEB, TWO, 100), AddBackend(WEB, THREE, 50))
    first = (await session.audit()).observed.vips[WEB].backends

    await done(session, SetWeight(WEB, ONE, 77, flush=False))
    second = (await session.audit()).observed.vips[WEB].backends

    assert [first[a].buckets for a in (ONE, TWO, THREE)] == [408, 408, 208]
    assert [second[a].buckets for a in (ONE, TWO, THREE)] == [347, 439, 238]
    assert [second[a].flows for a in (ONE, TWO, THREE)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("op", "number"),
    [
        (add(WEB), -81),
        (add(VipKey(WEB.prefix, 255, 0)), -81),
        (add(VipKey(ip_network("198.51.100.0/24"), 6, 80)), -81),
        (add(TLS, Encap.GRE6), -73),
        (add(TLS, length=1000), -70),
        (SetConf(replace(CONF, sticky_buckets_per_core=1000)), -70),
        (add(VipKey(ip_network("192.0.2.9/32"), 6, 80), Encap.NAT6), -97),
        (AddBackend(WEB, ONE, 100), -81),
        (AddBackend(WEB, SIX, 100), -97),
        (AddBackend(VipKey(ip_network("198.51.100.0/24"), 255, 0), ONE, 100), -97),
        (AddBackend(VipKey(ip_network("198.51.100.0/24"), 255, 0), ip_address("::1"), 100), -97),
        (AddBackend(TLS, ONE, 100), -6),
        (DelBackend(WEB, TWO), -6),
        (DelVip(TLS, ""), -6),
        (SetWeight(WEB, TWO, 1, flush=False), -6),
        (SetWeight(TLS, ONE, 1, flush=True), -6),
    ],
)
async def test_what_cannot_be_is_refused_with_its_number_and_nothing_changes(
    session: Session, op: Op, number: int
) -> None:
    await done(session, add(WEB), AddBackend(WEB, ONE, 100))
    await done(session, add(VipKey(ip_network("198.51.100.0/24"), 255, 0), Encap.GRE6))
    before = await session.audit()

    assert await retval(session, op) == number
    assert await session.audit() == before


async def test_a_deleted_backend_is_dead_at_once_and_may_be_deleted_again(session: Session) -> None:
    await done(session, add(WEB), AddBackend(WEB, ONE, 100), AddBackend(WEB, TWO, 100), DelBackend(WEB, ONE))

    assert weights((await session.audit()).observed) == {WEB: {TWO: 100}}
    assert await retval(session, SetWeight(WEB, ONE, 1, flush=False)) == -6
    assert await retval(session, DelBackend(WEB, ONE)) == 0


async def test_a_deleted_backend_comes_back_with_its_new_weight(session: Session) -> None:
    await done(session, add(WEB), AddBackend(WEB, ONE, 100), DelBackend(WEB, ONE), AddBackend(WEB, ONE, 3))

    assert weights((await session.audit()).observed) == {WEB: {ONE: 3}}


async def test_a_deleted_vip_lingers_and_is_made_again_at_another_index(session: Session) -> None:
    await done(session, add(WEB), AddBackend(WEB, ONE, 100))
    first = await session.audit()
    await done(session, DelBackend(WEB, ONE), DelVip(WEB, ""))
    gone = await session.audit()
    listing = await session.cli(LISTING)
    await done(session, add(WEB, sticky=True), AddBackend(WEB, TWO, 1))
    second = await session.audit()

    assert gone.observed.vips == {}
    assert f"{WEB.prefix} removed" in listing
    assert weights(second.observed) == {WEB: {TWO: 1}}
    assert second.observed.vips[WEB].src_ip_sticky is True
    assert first.indexes is not None
    assert second.indexes is not None
    assert second.indexes.vips[WEB] != first.indexes.vips[WEB]
    assert second.indexes.routes.keys() == {WEB.prefix}


async def test_a_weight_may_be_set_with_and_without_flush(session: Session) -> None:
    await done(session, add(WEB), AddBackend(WEB, ONE, 100), AddBackend(WEB, TWO, 100))

    await done(session, SetWeight(WEB, ONE, 0, flush=True), SetWeight(WEB, TWO, 1, flush=False))

    backends = (await session.audit()).observed.vips[WEB].backends
    assert (backends[ONE].weight, backends[ONE].buckets) == (0, 0)
    assert (backends[TWO].weight, backends[TWO].buckets) == (1, 1024)


async def test_parameters_are_read_back(session: Session) -> None:
    other = LbConf(IPv4Address("10.9.9.9"), IPv6Address("2001:db8::9"), 2048, 41)
    await done(session, SetConf(other))

    assert (await session.audit()).observed.conf == other


async def test_ports_of_one_prefix_share_their_route(session: Session) -> None:
    await done(session, add(WEB), add(TLS))
    both = (await session.audit()).indexes
    await done(session, DelVip(WEB, ""))
    left = (await session.audit()).indexes

    assert both is not None
    assert left is not None
    assert left.routes == both.routes


async def test_maps_of_indexes_that_an_audit_finds_again_are_the_very_same(session: Session) -> None:
    await done(session, add(WEB), add(DNS), AddBackend(WEB, ONE, 1), AddBackend(DNS, TWO, 1))
    first = (await session.audit()).indexes
    second = (await session.audit()).indexes
    await done(session, add(TLS))
    third = (await session.audit()).indexes

    assert first is not None
    assert second is not None
    assert third is not None
    assert (second.vips, second.routes, second.backends) == (first.vips, first.routes, first.backends)
    assert second.vips is first.vips
    assert second.routes is first.routes
    assert second.backends is third.backends is first.backends
    assert third.vips.keys() == {*first.vips, TLS}


async def test_backends_are_counted_at_one_index_over_all_vips(session: Session) -> None:
    await done(session, add(WEB), add(DNS), AddBackend(WEB, ONE, 1), AddBackend(DNS, ONE, 1), AddBackend(DNS, TWO, 1))

    indexes = (await session.audit()).indexes

    assert indexes is not None
    assert indexes.backends.keys() == {ONE, TWO}
    assert indexes.backends[ONE] != indexes.backends[TWO]


async def test_a_reading_has_a_figure_for_all_that_the_audit_found(session: Session) -> None:
    await fill(session)
    indexes = (await session.audit()).indexes
    assert indexes is not None

    figures = session.read(indexes, 42)

    assert (figures.taken_at_ns, figures.boottime_ns) == (42, session.info.boottime_ns)
    assert figures.indexes is indexes
    assert {len(column) for column in figures.vips} == {len(indexes.vips)}
    assert {len(column) for column in figures.backends} == {len(indexes.backends)}
    assert (
        {len(column) for column in figures.routes} == {len(indexes.routes)} == {len({k.prefix for k in indexes.vips})}
    )


async def test_two_thousand_ops_are_pipelined_in_order(session: Session) -> None:
    vips = [VipKey(ip_network(f"10.77.0.{n}/32"), 6, 80) for n in range(20)]
    ops: list[Op] = []
    for n, vip in enumerate(vips):
        ops.append(add(vip))
        ops += [AddBackend(vip, ip_address(f"10.78.{n}.{m}"), m % 3) for m in range(99)]

    answers = await session.execute(ops)

    assert answers == [None] * 2000
    assert (await session.audit()).observed.vips.keys() == set(vips)
    assert weights((await session.audit()).observed) == weights(advance(Observed(None, {}), ops))


async def test_a_cancelled_burst_leaves_a_session_that_works(session: Session) -> None:
    ops: list[Op] = [add(WEB), AddBackend(WEB, ONE, 1)]
    ops += [SetWeight(WEB, ONE, n % 100, flush=False) for n in range(3000)]
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.execute, ops)
            await session.ping()
            scope.cancel()

    audit = await session.audit()

    assert weights(audit.observed).keys() <= {WEB}
    assert await session.execute(plan(Desired(CONF, {}), audit.observed)) is not None


async def test_two_sessions_see_one_table(session: Session, sockets: Sockets) -> None:
    async with connect(sockets.api, sockets.stats, lambda _: None, clock_ns=time.time_ns) as other:
        await done(other, add(WEB), AddBackend(WEB, ONE, 9))

    assert weights((await session.audit()).observed) == {WEB: {ONE: 9}}
