"""Our own session with a VPP that has no VIP, and what its tests share."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import trio

from maglev.core.desired import Desired
from maglev.core.events import Event
from maglev.core.model import IPAddress, LbConf, VipKey
from maglev.core.plan import Observed, Op, SetConf, plan
from maglev.vpp.session import Session, connect
from tests.real_vpp import Sockets

DEADLINE_S = 60
WEB = VipKey(ip_network("192.0.2.1/32"), 6, 80)
TLS = replace(WEB, port=443)
DNS = VipKey(ip_network("2001:db8::53/128"), 17, 53)
ONE, TWO, THREE = ip_address("10.1.0.1"), ip_address("10.1.0.2"), ip_address("10.1.0.3")
SIX = ip_address("2001:db8:1::1")
CONF = LbConf(IPv4Address("10.0.0.1"), IPv6Address("2001:db8::2"), 1024, 40)


@asynccontextmanager
async def fresh(sockets: Sockets, events: list[Event]) -> AsyncIterator[Session]:
    """A session with an empty table, though dead entries of the test before may linger: that is VPP's way.

    Whatever the test adds is removed again, so that somebody's VPP is left as it was found.
    """
    async with connect(sockets.api, sockets.stats, events.append, clock_ns=time.time_ns) as one:
        with trio.fail_after(DEADLINE_S):
            found = (await one.audit()).observed
            assert not found.vips, "this VPP has VIPs: use one that nobody needs"
            await done(one, SetConf(CONF))
            events.clear()
            try:
                yield one
            finally:
                await empty(sockets, found.conf)


async def empty(sockets: Sockets, conf: LbConf | None) -> None:
    """Over a session of its own, as the test may have broken or left its one."""
    with trio.fail_after(DEADLINE_S, shield=True):
        async with connect(sockets.api, sockets.stats, lambda _: None, clock_ns=time.time_ns) as one:
            left = (await one.audit()).observed
            assert not any(await one.execute(plan(Desired(conf, {}), left)))


async def done(session: Session, *ops: Op) -> None:
    assert await session.execute(ops) == [None] * len(ops)


def weights(observed: Observed) -> dict[VipKey, dict[IPAddress, int]]:
    return {key: {a: b.weight for a, b in vip.backends.items()} for key, vip in observed.vips.items()}
