"""The reconciler at work on the large site, every backend of which is up."""

import random
import time

import trio

from benchmarks import fleet
from maglev.control.cell import Cell
from maglev.control.ports import Clock
from maglev.control.reconciler import Reconciler
from maglev.core.desired import resolve
from maglev.core.events import Event, OpApplied
from maglev.core.health import Health, State
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus
from maglev.core.warmup import Warmup
from maglev.vpp.session import Session


def all_up() -> HealthStatus:
    """What the checker says of the site."""
    servers, sites = fleet.backends(), fleet.frontends()
    states = dict.fromkeys(servers, State.UP)
    backends = {name: BackendStatus(b, Health(State.UP, 1), 0, ()) for name, b in servers.items()}
    return HealthStatus(backends, {name: FrontendStatus(f, resolve(f, states)) for name, f in sites.items()})


async def reconciled(session: Session, health: HealthStatus) -> float:
    """Make the table of an empty VPP; seconds from the start to VPP's last answer."""
    applied, ended = 0, trio.Event()

    def count(event: Event) -> None:
        nonlocal applied
        if isinstance(event, OpApplied):
            applied += 1
            if applied >= fleet.VIPS * (1 + fleet.EACH):
                ended.set()

    async with trio.open_nursery() as nursery:
        began = time.perf_counter()
        clock = Clock(time.time_ns, random.random)
        reconciler = Reconciler(None, 1e6, Warmup(0, 0), Cell(health), count, clock)
        nursery.start_soon(reconciler.serve, session)
        await ended.wait()
        took = time.perf_counter() - began
        nursery.cancel_scope.cancel()
    return took
