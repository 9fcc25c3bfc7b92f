"""grpc.health.v1 for whoever watches over maglevd; must not know what the services do.

| service           | SERVING while                                              |
|-------------------|------------------------------------------------------------|
| "" and the API's  | maglevd listens and its loop runs, as it says itself       |
| "vpp"             | a VPP is connected                                         |

Before maglevd stops listening all of them are NOT_SERVING. The levels are looked at several times a second, which costs
two comparisons and misses nothing that lasts.
"""

import asyncio
from collections.abc import Callable, Coroutine

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio

LOOK_EVERY_S = 0.25
_PATIENCE_S = 1.0  # grpcio's servicer holds its lock while it writes to a watcher, who may not read
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Service = tuple[str, Callable[[], bool]]
"""A name, and whether it serves now; asked on the serving loop."""


class Health:
    """Tells how `services` are for as long as it is followed."""

    def __init__(self, services: tuple[Service, ...]) -> None:
        self._services = services
        self._servicer = aio.HealthServicer()
        self._told: dict[str, bool] = {}

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have `server` answer Check and Watch."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def follow(self) -> None:
        """Look at the services until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Tell what has changed since the last look."""
        for name, is_serving in self._services:
            now = is_serving()
            if self._told.get(name) is not now and await _in_time(
                self._servicer.set(name, _SERVING if now else _NOT_SERVING)
            ):
                self._told[name] = now

    async def end(self) -> None:
        """Nothing serves any more, for good."""
        await _in_time(self._servicer.enter_graceful_shutdown())


async def _in_time(telling: Coroutine[None, None, None]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await telling
    except TimeoutError:
        return False  # it is tried again at the next look
    return True
