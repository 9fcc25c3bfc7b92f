"""A real gRPC server with a handmade Status, on its own thread and asyncio loop as in the daemon."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from maglev.core.status import Status
from maglev.rpc import server


@contextmanager
def served(status: Status, address: str = "127.0.0.1:0", limits: server.Limits | None = None) -> Iterator[str]:
    """The address of a server that answers from `status`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        running = asyncio.run_coroutine_threadsafe(server.start(address, lambda: status, limits), loop).result(10)
        try:
            yield f"127.0.0.1:{running.port}" if running.port else address
        finally:
            asyncio.run_coroutine_threadsafe(running.stop(0.0), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
