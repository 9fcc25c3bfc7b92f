"""The second thread: an asyncio loop that runs the gRPC server and the metrics listener; holds no state of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import trio

Start = Callable[[AsyncExitStack], Awaitable[None]]
"""Starts one server on the running asyncio loop and pushes its shutdown onto the stack."""


class Serving:
    """Runs servers until cancelled; `run` reports started when all of them listen."""

    def __init__(self, servers: list[Start]) -> None:
        self._servers = servers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._is_cancelled = False

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Raises what a server raises when it cannot listen."""
        listening = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._thread, listening, name="serving thread")
            try:
                await listening.wait()
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._cancel()

    async def _thread(self, listening: trio.Event) -> None:
        token = trio.lowlevel.current_trio_token()

        def main() -> None:
            asyncio.run(self._main(lambda: token.run_sync_soon(listening.set)))

        await trio.to_thread.run_sync(main, limiter=trio.CapacityLimiter(1))

    async def _main(self, tell_listening: Callable[[], None]) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._is_cancelled:  # set before there was a loop to tell: look for it after there is one
            return
        async with AsyncExitStack() as stack:
            for start in self._servers:
                await start(stack)
            tell_listening()
            await self._stop.wait()

    def _cancel(self) -> None:
        self._is_cancelled = True
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
