"""A real gRPC server with a handmade Status, on its own thread and asyncio loop as in the daemon."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maglev.core.health import Order
from maglev.core.status import BackendStatus, FrontendStatus, Status
from maglev.errors import Unavailable
from maglev.rpc import server
from maglev.rpc.hub import Hub, Mark
from maglev.rpc.ports import Commands, Faults, Synced


class Deaf:
    """Takes no command."""

    async def order(self, backend: str, order: Order) -> BackendStatus:
        raise Unavailable("deaf")

    async def set_weight(self, frontend: str, pool: str, backend: str, weight: int, *, flush: bool) -> FrontendStatus:
        raise Unavailable("deaf")

    async def sync(self) -> Synced:
        raise Unavailable("deaf")

    async def check_config(self) -> Faults | None:
        raise Unavailable("deaf")

    async def reload_config(self) -> Faults | None:
        raise Unavailable("deaf")


def answering(status: Callable[[], Status], commands: Commands | None = None) -> server.Served:
    """Answers from `status`; whoever watches is told its health at once."""
    hub = Hub(lambda: hub.publish(Mark(status().health)), lambda _: None)
    return server.Served(status, commands or Deaf(), hub, is_awake=lambda: True)


@contextmanager
def serving(served: server.Served, address: str = "127.0.0.1:0", limits: server.Limits | None = None) -> Iterator[str]:
    """The address of a server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        starting = server.start(address, served, limits)
        running = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
        try:
            yield f"127.0.0.1:{running.port}" if running.port else address
        finally:
            asyncio.run_coroutine_threadsafe(running.stop(0.0), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def served(
    status: Status,
    address: str = "127.0.0.1:0",
    limits: server.Limits | None = None,
    commands: Commands | None = None,
) -> Iterator[str]:
    """The address of a server that answers from `status` and hands commands to `commands`."""
    with serving(answering(lambda: status, commands), address, limits) as where:
        yield where
