"""VPP starts again, with an empty table, an older one or somebody else's: afterwards it has ours, all of it."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
import trio
from trio.testing import MockClock

from maglev.core.events import Drift, HeldBack, VppConnected
from maglev.core.model import ANY, UDP, Encap, LbConf, VipKey
from maglev.core.observed import AddBackend, AddVip, Observed, Op, SetConf
from maglev.core.plan import plan
from maglev.emulator import wire
from maglev.errors import Incapable
from tests.control.fakes import CONF, VIP
from tests.trouble.bench import Bench
from tests.trouble.tables import FAILOVER, RECREATED, REMADE, SIX, TLS, health, wish_of

RETRY_S = 5.0
EMPTY = Observed(None, {})
OTHER_CONF = LbConf(IPv4Address("192.0.2.99"), CONF.ipv6_source, 65536, 7)


def built(*vips: tuple[VipKey, Encap, bool, int, dict[str, int]]) -> list[Op]:
    """What makes these VIPs: encap, src-ip-sticky, table length, weights by address."""
    ops: list[Op] = []
    for key, encap, sticky, length, weights in vips:
        ops.append(AddVip(key, encap, sticky, length))
        ops += [AddBackend(key, IPv4Address(address), weight) for address, weight in weights.items()]
    return ops


TABLES: dict[str, list[Op]] = {
    "empty": [],
    "older": [*plan(wish_of(health((), REMADE), OTHER_CONF), EMPTY)],
    "ours": [*plan(wish_of(health()), EMPTY)],
    "foreign": [
        SetConf(OTHER_CONF),
        # Another encap and a strange backend, all ports where we want one, another length, a VIP of nobody's.
        *built(
            (replace(VIP, port=8080), Encap.L3DSR, False, 1024, {"10.9.9.9": 3}),
            (replace(TLS, port=22), Encap.L3DSR, True, 512, {}),
            (VipKey(SIX.prefix, ANY, 0), Encap.GRE4, False, 2048, {"10.0.0.1": 100}),
            (VipKey(IPv4Network("203.0.113.0/24"), UDP, 53), Encap.NAT4, False, 65536, {"10.0.0.1": 100}),
        ),
    ],
    "almost ours": [
        *built(
            (VIP, Encap.GRE4, False, 65536, {"10.0.0.1": 100}),
            (TLS, Encap.GRE4, True, 1024, {"10.0.0.3": 0, "10.0.0.1": 99, "10.0.0.4": 1}),
        ),
    ],
}


async def restarted(bench: Bench, *ops: Op) -> None:
    """VPP ends and starts again, and somebody else is the first to write to it."""
    await bench.end_vpp()
    await bench.until(lambda: bench.lost_because, "the loss to be seen")
    await bench.start_vpp()
    bench.written.clear()
    assert await bench.by_hand(*ops) == [None] * len(ops)
    bench.recreated = RECREATED | {VIP}


@pytest.mark.parametrize("table", TABLES)
async def test_a_vpp_that_starts_again_gets_our_table_whatever_it_came_with(
    bench: Bench, clock: MockClock, table: str
) -> None:
    bench.retry_s = RETRY_S
    await bench.start()
    await restarted(bench, *TABLES[table])
    assert (bench.lb, bench.reconciler.indexes.value) == (None, None)

    await bench.jump(RETRY_S)
    await bench.until_right()

    assert bench.table.conf == CONF
    assert [event.vpp.pid for event in bench.journal.of(VppConnected)] == [4711, 4712]
    assert bench.journal.of(Drift) == []  # another VPP is no drift of the old one
    if table == "ours":
        assert len(bench.written) == len(TABLES["ours"])  # those by hand
    await bench.has_no_more_to_write()


async def test_what_happened_while_vpp_was_gone_is_in_the_table_it_gets(bench: Bench, clock: MockClock) -> None:
    bench.retry_s = RETRY_S
    await bench.start()
    await restarted(bench, *TABLES["ours"])
    bench.cell.set(health(FAILOVER))

    await bench.jump(RETRY_S)
    await bench.until_right()


async def test_the_numbers_of_messages_are_learned_anew(
    bench: Bench, clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.retry_s = RETRY_S
    await bench.start()
    monkeypatch.setattr(wire, "_FIRST_FREE_ID", 400)
    await restarted(bench)

    await bench.jump(RETRY_S)
    await bench.until_right()


async def test_a_vpp_that_comes_back_without_a_message_is_refused_by_its_name(bench: Bench, clock: MockClock) -> None:
    bench.retry_s = RETRY_S
    with pytest.RaisesGroup(
        pytest.RaisesExc(Incapable, match="missing=lb_as_set_weight_2d89bdbd "), flatten_subgroups=True
    ):
        async with trio.open_nursery() as nursery:
            await bench.start_vpp()
            nursery.start_soon(bench.be_connected)
            await bench.until_right()
            await restarted(bench)
            table = bench.vpp.api_server._wire.table
            table[:] = [entry for entry in table if not str(entry["name"]).startswith("lb_as_set_weight_2")]
            await bench.jump(RETRY_S)


@pytest.mark.parametrize("k", [1, 3, 6])
async def test_a_vpp_that_dies_of_a_write_is_built_again(bench: Bench, clock: MockClock, k: int) -> None:
    bench.retry_s = RETRY_S
    await bench.begin("failover", f"die:write:{k}")
    await bench.vpp_has_ended()
    await bench.until_lost()

    await bench.start_vpp()
    await bench.jump(RETRY_S)
    await bench.until_right()
    await bench.has_no_more_to_write()


async def test_a_vpp_that_dies_whenever_it_is_written_is_left_alone_and_watched(bench: Bench, clock: MockClock) -> None:
    bench.retry_s = RETRY_S
    bench.keep_connected()
    for _ in range(3):
        await bench.start_vpp("die:write:1")
        await bench.jump(RETRY_S)
        await bench.vpp_has_ended()
    await bench.start_vpp()
    bench.written.clear()
    await bench.jump(RETRY_S)

    await bench.until(lambda: bench.lb and bench.lb.held_back_s, "the pause to be shown")
    assert bench.journal.of(HeldBack) == [HeldBack(3, 30.0)]
    assert bench.written == []
    await bench.jump(30)
    await bench.until_right()
