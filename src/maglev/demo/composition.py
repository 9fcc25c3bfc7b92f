"""Composition of the demo: children, sockets and screen; the story itself is in story.py."""

import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import resources
from pathlib import Path

import trio
from rich.console import Console
from rich.live import Live

from maglev.core.desired import Desired
from maglev.core.plan import plan
from maglev.demo.backends import HttpBackends
from maglev.demo.generator import start_flows, stop_flows
from maglev.demo.options import Options
from maglev.demo.processes import Child, end_of
from maglev.demo.screen import print_table, screen
from maglev.demo.story import Story
from maglev.demo.view import Views
from maglev.errors import Unavailable
from maglev.vpp.session import Session, connect

ADDRESSES = (
    ("web1", "127.0.0.11"),
    ("web2", "127.0.0.12"),
    ("web3", "127.0.0.13"),
    ("api1", "127.0.0.14"),
    ("sorry", "127.0.0.21"),
    # Not ::1: VPP's LB plugin takes every address of ::/96 for an IPv4 one and refuses it behind GRE6 (retval -97).
    # An IPv4-mapped address is IPv6 to VPP and to the probe, and reaches loopback.
    ("web6", "::ffff:127.0.0.31"),
)
START_DEADLINE_S = 20.0
STORY_LINES = 12
LAST_SCREEN_LINES = 40


class DemoFailed(Exception):
    """The demo could not be set up, or a part of it ended; the message says which and shows its last words."""


class Demo:
    """One run."""

    def __init__(self, options: Options, directory: Path) -> None:
        self._options = options
        self._directory = directory
        self._console = Console(highlight=False)
        self._lines: deque[str] = deque(maxlen=STORY_LINES)
        self._hints: list[str] = []
        self._api = options.api_socket or str(directory / "api.sock")
        self._stats = options.stats_socket or str(directory / "stats.sock")
        self._backends = HttpBackends(ADDRESSES)

    async def run(self) -> None:
        """Raises DemoFailed, NotSeen or MaglevError; returns when the story is told (live: on Ctrl-C)."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._backends.run)
            await (self._with_embedded_vpp() if self._options.has_own_vpp else self._with_vpp())
            nursery.cancel_scope.cancel()

    async def _with_embedded_vpp(self) -> None:
        arguments = ["--api-socket", self._api, "--stats-socket", self._stats, "--workers", "2"]
        traffic = ["--traffic", str(self._options.traffic_pps)]
        emulator = Child("maglev.emulator", [*arguments, *traffic], self._directory / "vpp.log")
        async with _running(emulator):
            with trio.move_on_after(START_DEADLINE_S) as scope:
                await self._until_listening()
            if scope.cancelled_caught:
                raise DemoFailed(f"the embedded VPP does not answer; its last words:\n{emulator.tail()}")
            await self._with_vpp()

    async def _until_listening(self) -> None:
        while True:
            try:
                async with self._session():
                    return
            except Unavailable:
                await trio.sleep(0.05)

    def _session(self) -> AbstractAsyncContextManager[Session]:
        return connect(self._api, self._stats, lambda _: None, clock_ns=time.time_ns)

    async def _with_vpp(self) -> None:
        async with self._session() as session:
            observed = (await session.audit()).observed
            if observed.vips:
                raise DemoFailed(
                    f"VPP at {self._api} has {len(observed.vips)} VIPs, which maglevd would remove; use one without"
                )
            if self._options.packet_generator:
                await start_flows(session, self._options.traffic_pps)
            try:
                await self._with_maglevd(session)
            finally:
                if not self._options.has_own_vpp:
                    with trio.CancelScope(shield=True), trio.move_on_after(5):
                        await self._leave_as_found(session)

    async def _leave_as_found(self, session: Session) -> None:
        if self._options.packet_generator:
            await stop_flows(session)
        observed = (await session.audit()).observed
        await session.execute(plan(Desired(None, {}), observed))
        self._tell("the borrowed VPP has no VIPs again")

    async def _with_maglevd(self, session: Session) -> None:
        grpc_port, metrics_port = _free_port(), _free_port()
        maglevd = Child(
            "maglev.entry", self._maglevd_arguments(grpc_port, metrics_port), self._directory / "maglevd.log"
        )
        maglevc = _beside_python("maglevc")
        self._hints = [
            "look further, while this runs:",
            f"  {maglevc} --server 127.0.0.1:{grpc_port} show frontends www",
            f"  {maglevc} --server 127.0.0.1:{grpc_port} show vpp lb counters",
            f"  curl -s http://127.0.0.1:{metrics_port}/metrics | grep _backend_packets",
            f"  less {maglevd.log}",
        ]
        views = Views(f"127.0.0.1:{grpc_port}", session)
        async with _running(maglevd), trio.open_nursery() as nursery:
            nursery.start_soon(views.run)
            await (self._live(views) if self._options.is_live else self._plain(views))
            nursery.cancel_scope.cancel()

    def _maglevd_arguments(self, grpc_port: int, metrics_port: int) -> list[str]:
        template = resources.files("maglev.demo").joinpath("maglev.yaml").read_text()
        config = self._directory / "maglev.yaml"
        config.write_text(template.replace("@PORT@", str(self._backends.port)))
        return [
            *("--config", str(config)),
            *("--grpc-addr", f"127.0.0.1:{grpc_port}"),
            *("--metrics-addr", f"127.0.0.1:{metrics_port}"),
            *("--vpp-api-addr", self._api),
            *("--vpp-stats-addr", self._stats),
            *("--log-format", "text"),  # for those who look into the file
        ]

    async def _plain(self, views: Views) -> None:
        for hint in self._hints:
            self._tell(hint)
        await self._story(views).run()
        await views.next_sample()  # the first one that begins and ends after the story
        await views.next_sample()
        print_table(self._console, views.now, views.before)

    async def _live(self, views: Views) -> None:
        try:
            with Live(console=self._console, auto_refresh=False, screen=True, vertical_overflow="crop") as live:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._redraw, live, views)
                    await self._story(views).run()
                    self._tell("the end of the story; Ctrl-C ends the demo")
                    await trio.sleep_forever()
        finally:
            # The other screen is gone: leave on this one how far it came.
            self._console.print(screen(views.now, views.before, list(self._lines), [], LAST_SCREEN_LINES))

    async def _redraw(self, live: Live, views: Views) -> None:
        while True:
            height = self._console.size.height
            live.update(screen(views.now, views.before, list(self._lines), self._hints, height), refresh=True)
            await trio.sleep(0.25)

    def _story(self, views: Views) -> Story:
        has_traffic = self._options.has_own_vpp or self._options.packet_generator
        return Story(views, self._backends, self._tell, has_traffic=has_traffic)

    def _tell(self, line: str) -> None:
        self._lines.append(line)
        if not self._options.is_live:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


@asynccontextmanager
async def _running(child: Child) -> AsyncIterator[None]:
    """Around the body `child` runs; its early end is a failure, and it is stopped in the end."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fail_when_ended, child)
            yield
            nursery.cancel_scope.cancel()
    finally:
        await child.stop()


async def _fail_when_ended(child: Child) -> None:
    status = await child.ended()
    raise DemoFailed(f"{child.module} {end_of(status)}; its last words:\n{child.tail()}")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _beside_python(script: str) -> str:
    path = Path(sys.executable).with_name(script)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
