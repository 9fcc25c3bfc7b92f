"""maglevd's faces to the outside, gRPC and /metrics, made ready for the serving thread; decides nothing."""

import logging
import resource
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import trio

from maglev import logs
from maglev.commands import Commands
from maglev.core.level import Level
from maglev.core.status import Status
from maglev.metrics import listener
from maglev.metrics.collector import registry_for
from maglev.metrics.counting import EventCounters
from maglev.metrics.own import Audience
from maglev.options import Options
from maglev.rpc import server
from maglev.rpc.hub import Hub, Mark
from maglev.rpc.pace import Leftover
from maglev.serving import Start

AWAKE_WITHIN_S = 5.0  # since the last beat of trio's loop, of which there are twenty a second


class Outside:
    """To be made on trio's loop; `hub` is to be told all that happens, and `beat` that the loop runs."""

    def __init__(
        self, options: Options, status: Callable[[], Status], commands: Commands, counters: EventCounters
    ) -> None:
        self._options = options
        self._status = status
        self._commands = commands
        self._counters = counters
        self._trio = trio.lowlevel.current_trio_token()
        self._beat_at_s = time.monotonic()
        self._leftover = Leftover()
        self.hub = Hub(self._mark_soon, logs.feed_from, share=lambda: self._leftover.share)
        logs.feed(self.hub.publish)

    def beat(self) -> None:
        """The loop runs."""
        self._beat_at_s = time.monotonic()
        self._leftover.beat()

    def servers(self) -> list[Start]:
        """What the options ask for."""
        servers: list[Start] = []
        if self._options.grpc_addr:
            servers.append(self._serve_grpc)
        if self._options.metrics_addr:
            servers.append(self._serve_metrics)
        return servers

    async def _serve_grpc(self, stack: AsyncExitStack) -> None:
        grpc_server = await server.start(
            self._options.grpc_addr,
            server.Served(self._status, self._commands, self.hub, self._is_awake),
            server.Limits().within(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            access=self._options.access,
            tell=self._tell,
            reflection=self._options.reflection,
        )
        stack.push_async_callback(grpc_server.stop, 1.0)

    async def _serve_metrics(self, stack: AsyncExitStack) -> None:
        page = registry_for(self._status, self._counters, lambda: Audience(self.hub.watchers, self.hub.resyncs))
        metrics_server = await listener.start(self._options.metrics_addr, page)
        stack.push_async_callback(metrics_server.stop)

    def _is_awake(self) -> bool:
        return time.monotonic() - self._beat_at_s < AWAKE_WITHIN_S

    def _tell(self, level: Level, text: str) -> None:
        """A thread of gRPC's has something to say, perhaps at the very end of it all."""
        with suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(
                lambda: logs.note(logging.WARNING if level is Level.WARNING else logging.INFO, "grpc-access", told=text)
            )

    def _mark_soon(self, asked: int) -> None:
        """Have watchers told the present health; asked on the serving loop, done between two steps of trio's."""
        with suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(lambda: self.hub.publish(Mark(self._status().health, asked)))
