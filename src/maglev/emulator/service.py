"""Runs an embedded VPP: the engine, its two sockets and its clockwork; must not know command lines."""

import time
from dataclasses import dataclass

import trio

from maglev.emulator import stats_server
from maglev.emulator.api import Api
from maglev.emulator.api_server import ApiServer
from maglev.emulator.faults import Fault, Faults
from maglev.emulator.traffic import Traffic
from maglev.emulator.vpp import Vpp
from maglev.errors import MaglevError

_SWEEP_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """What to run. `pid` and `boottime_s` (unix seconds) default to the truth; tests set them to play a restart."""

    api_socket: str
    stats_socket: str
    workers: int = 1
    routes: int = 0
    traffic_pps: int = 0
    traffic_seed: int = 1
    update_interval_s: float = 10.0
    pid: int | None = None
    boottime_s: float | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running embedded VPP: engine, API server (whose connections `api_server.kill` breaks), and faults to order."""

    vpp: Vpp
    api_server: ApiServer
    faults: Faults


async def serve(config: EmulatorConfig, *, task_status: trio.TaskStatus[Emulator] = trio.TASK_STATUS_IGNORED) -> None:
    """Run until cancelled; started, with an Emulator, once both sockets are listening.

    Cancelling removes the sockets and breaks the connections: to a client, VPP has died. Raises ValueError for figures
    out of bounds, Unavailable when a socket cannot be had, and lb.Died when a client asks for what VPP dies of, or
    meets a fault that says so.
    """
    began = trio.current_time()
    vpp = Vpp(
        lambda: trio.current_time() - began,
        boottime_s=time.time() if config.boottime_s is None else config.boottime_s,
        workers=config.workers,
        routes=config.routes,
        pid=config.pid,
    )
    failure: Exception | None = None
    try:
        traffic = Traffic(vpp, config.traffic_pps, config.traffic_seed)
        faults = Faults(*config.faults)
        server = ApiServer(Api(vpp), faults)
        async with trio.open_nursery() as nursery:
            await nursery.start(stats_server.serve, config.stats_socket, vpp.segment, name="stats socket")
            await nursery.start(server.serve, config.api_socket, name="API socket")
            nursery.start_soon(_beat, vpp, config.update_interval_s, name="heartbeat")
            nursery.start_soon(_sweep, vpp, name="lb sweep")
            if config.traffic_pps:
                nursery.start_soon(traffic.run, name="traffic")
            task_status.started(Emulator(vpp, server, faults))
    except* MaglevError as group:
        failure = group.exceptions[0]
    finally:
        vpp.close()
    if failure is not None:
        raise failure


async def _beat(vpp: Vpp, interval_s: float) -> None:
    while True:
        await trio.sleep(interval_s)
        vpp.beat()


async def _sweep(vpp: Vpp) -> None:
    while True:
        await trio.sleep(_SWEEP_EVERY_S)
        vpp.lb.collect()
