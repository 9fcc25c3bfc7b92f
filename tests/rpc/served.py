"""A real gRPC server with a handmade Status, on its own thread and asyncio loop as in the daemon."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maglev.core.health import Order
from maglev.core.status import BackendStatus, FrontendStatus, Status
from maglev.errors import Unavailable
from maglev.rpc import server
from maglev.rpc.access import Access
from maglev.rpc.credentials import Tell
from maglev.rpc.hub import Hub, Mark
from maglev.rpc.ports import Caller, Commands, Faults, Synced


class Deaf:
    """Takes no command."""

    async def order(self, backend: str, order: Order, caller: Caller) -> BackendStatus:
        raise Unavailable("deaf")

    async def set_weight(
        self, frontend: str, pool: str, backend: str, weight: int, caller: Caller, *, flush: bool
    ) -> FrontendStatus:
        raise Unavailable("deaf")

    async def sync(self, frontend: str, caller: Caller) -> Synced:
        raise Unavailable("deaf")

    async def check_config(self) -> Faults | None:
        raise Unavailable("deaf")

    async def reload_config(self, caller: Caller) -> Faults | None:
        raise Unavailable("deaf")


def answering(status: Callable[[], Status], commands: Commands | None = None) -> server.Served:
    """Answers from `status`; whoever watches is told its health at once."""
    hub = Hub(lambda asked: hub.publish(Mark(status().health, asked)), lambda _: None)
    return server.Served(status, commands or Deaf(), hub, is_awake=lambda: True)


@contextmanager
def serving(
    served: server.Served,
    address: str = "127.0.0.1:0",
    limits: server.Limits | None = None,
    access: Access | None = None,
    tell: Tell = lambda _level, _text: None,
) -> Iterator[str]:
    """The address of a server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        starting = server.start(address, served, limits, access=access, tell=tell)
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
    access: Access | None = None,
    tell: Tell = lambda _level, _text: None,
) -> Iterator[str]:
    """The address of a server that answers from `status` and hands commands to `commands`."""
    with serving(answering(lambda: status, commands), address, limits, access, tell) as where:
        yield where
