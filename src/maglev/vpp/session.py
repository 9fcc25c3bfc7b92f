"""A connected VPP: both sockets as one unit, made, kept alive and made again; must not know what it is used for."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import trio

from maglev.core.counters import Figures, Indexes
from maglev.core.events import VppConnected, VppDisconnected, VppUnavailable
from maglev.core.heartbeat import Heartbeat
from maglev.core.model import VppInfo
from maglev.core.plan import Op
from maglev.errors import Incapable, ProtocolError, Refused, Unavailable
from maglev.vpp.codec import text
from maglev.vpp.dataplane import Audit, LbTable
from maglev.vpp.handshake import greet
from maglev.vpp.library import Library, without_crc
from maglev.vpp.records import Records
from maglev.vpp.stats import Stats, open_stats
from maglev.vpp.transport import Call, Emit, Transport, running
from maglev.vpp.wire import Bootstrap, Wire

CLIENT_NAME = "vpp-maglev"
BOOTTIME_POLL_S, BOOTTIME_POLLS = 0.05, 40
LEAVE_S = 0.5
MAX_REASONS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One life of both sockets; after it calls raise Unavailable or ProtocolError. Deadlines are the caller's."""

    info: VppInfo
    transport: Transport
    table: LbTable
    stats: Stats

    async def audit(self, begun: Callable[[], None] = lambda: None) -> Audit:
        """Read VPP's whole LB table; what is asked after `begun` was called, VPP does after that."""
        return await self.table.audit(begun)

    async def execute(self, ops: Iterable[Op]) -> list[Refused | None]:
        """Send `ops` in order, pipelined; one answer per op, None for done."""
        return await self.table.execute(ops)

    def stream(self, ops: Iterable[Op]) -> AsyncGenerator[list[tuple[Op, Refused | None]], None]:
        """The same, but yields each op with its answer as they come, in order, some at a time."""
        return self.table.stream(ops)

    def read(self, indexes: Indexes, now_ns: int) -> Figures:
        """Read all counters under one epoch, without a word to VPP."""
        return self.stats.read(indexes, now_ns)

    async def cli(self, command: str) -> str:
        """The output of a CLI command."""
        return await self.table.cli(command)

    async def ping(self) -> None:
        """Return when VPP has answered everything that was asked before."""
        await self.transport.call(Call("control_ping", b"", "control_ping_reply"))


@asynccontextmanager
async def connect(
    api_path: str,
    stats_path: str,
    emit: Emit,
    *,
    clock_ns: Callable[[], int],
    deadline_s: float = 5.0,
    library: Library | None = None,
) -> AsyncIterator[Session]:
    """A session for the length of the block; a `library` that is passed again spares the parsing.

    Raises Unavailable when VPP is not there or not ready within `deadline_s`, ProtocolError when it is no VPP that we
    can use: the error names what is missing, the version seen and the version needed.
    """
    library = library or Library()
    deadline = trio.current_time() + deadline_s
    with _by(deadline, api_path):
        stream = await _open(api_path)
    async with stream:
        with _by(deadline, api_path):
            bootstrap = await library.bootstrap()
            greeting = await greet(stream, CLIENT_NAME, bootstrap)
        async with running(stream, greeting.client_index, without_crc(greeting.table), emit) as transport:
            try:
                with _by(deadline, api_path):
                    wire = await library.wire(greeting.table, transport)
                    version = await _version(transport, bootstrap, wire)
                with _by(deadline, stats_path):
                    stats = await open_stats(stats_path)
                try:
                    with _by(deadline, stats_path):
                        boottime_ns = await _boottime_ns(stats)
                    info = replace(version, boottime_ns=boottime_ns, connecttime_ns=clock_ns())
                    table = LbTable(transport, Records(wire), emit)
                    try:
                        yield Session(info, transport, table, stats)
                    finally:
                        table.close()
                finally:
                    stats.close()
            finally:
                await _take_leave(transport, bootstrap, greeting.client_index)


async def keep_connected(
    api_path: str,
    stats_path: str,
    emit: Emit,
    serve: Callable[[Session], Awaitable[None]],
    *,
    clock_ns: Callable[[], int],
    retry_s: float = 5.0,
    ping_s: float = 10.0,
    deadline_s: float = 5.0,
) -> NoReturn:
    """Run `serve` on one session after the other, for ever; it is cancelled when its session is over.

    A session is over when either socket is lost, VPP leaves a ping unanswered for `deadline_s`, its stats are another
    VPP's or stand still, or `serve` raises Unavailable or ProtocolError. Any other exception of `serve` comes out of
    here, and so does Incapable: a VPP that lacks a message will lack it in five seconds too.
    """
    library = Library()
    await library.bootstrap()  # while its files are there: an upgrade may have replaced them by the time VPP comes
    told: set[str] = set()
    while True:
        is_connected, reason = False, ""
        try:
            async with connect(
                api_path, stats_path, emit, clock_ns=clock_ns, deadline_s=deadline_s, library=library
            ) as session:
                is_connected = True
                emit(VppConnected(session.info))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(session.transport.lost, name="vpp-api-lost")
                    nursery.start_soon(_keepalive, session, stats_path, ping_s, deadline_s, name="vpp-keepalive")
                    nursery.start_soon(serve, session, name="vpp-serve")
        except* (Unavailable, ProtocolError) as group:
            error = _first(group)
            if isinstance(error, Incapable):
                raise
            reason = str(error)
            del error  # its traceback holds all that the session knew
        if is_connected:
            told.clear()
            emit(VppDisconnected(reason, retry_s))
        elif reason not in told:
            if len(told) >= MAX_REASONS:  # a reason that is new each time must not fill the memory
                told.clear()
            told.add(reason)
            emit(VppUnavailable(reason, retry_s))
        await trio.sleep(retry_s)


async def _keepalive(session: Session, stats_path: str, ping_s: float, deadline_s: float) -> NoReturn:
    socket = _identity(stats_path)
    heart = Heartbeat(session.stats.heartbeat)
    while True:
        await trio.sleep(ping_s)
        if trio.current_time() - session.transport.heard_at >= ping_s:
            await _answer(session, deadline_s)
        if _identity(stats_path) != socket:
            raise Unavailable("VPP's stats socket is another one than before, or gone", path=stats_path)
        boottime_ns = session.stats.boottime_ns
        if boottime_ns != session.info.boottime_ns:
            raise Unavailable("VPP has started anew", seen=boottime_ns, expected=session.info.boottime_ns)
        heart = heart.seen(session.stats.heartbeat)
        if heart.has_stopped:
            hint = "is the stats socket that of the VPP behind the API socket?"
            raise Unavailable("VPP's stats stand still, though it answers", heartbeat=heart.beat, hint=hint)


async def _answer(session: Session, deadline_s: float) -> None:
    """Ping. Behind a long batch of writes that takes as long as all of them: patience ends when VPP says nothing."""
    while True:
        with trio.move_on_after(deadline_s) as patience:
            await session.ping()
        if not patience.cancelled_caught:
            return
        if trio.current_time() - session.transport.heard_at >= deadline_s:
            raise _too_late("control_ping")


def _identity(path: str) -> tuple[int, int] | None:
    """Which socket is there: a VPP that starts anew makes a new one."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


async def _open(path: str) -> trio.SocketStream:
    try:
        return await trio.open_unix_socket(path)
    except OSError as error:
        raise Unavailable(
            "cannot reach VPP's API socket",
            path=path,
            error=error.strerror or error,
            hint="is VPP running, with this socket in its `socksvr` section, and may we open it (group vpp)?",
        ) from error


async def _version(transport: Transport, bootstrap: Bootstrap, wire: Wire) -> VppInfo:
    _, pid = bootstrap.ping_reply(await transport.call(Call("control_ping", bootstrap.ping(), "control_ping_reply")))
    reply = await transport.call(Call("show_version", wire.version.request(), "show_version_reply"))
    _, version, date, directory = wire.version.reply(reply)
    return VppInfo(text(version), text(date), text(directory), pid, boottime_ns=0, connecttime_ns=0)


async def _take_leave(transport: Transport, bootstrap: Bootstrap, client_index: int) -> None:
    """VPP can overlook a plain close for minutes, and keep the client and its descriptor so long."""
    with trio.move_on_after(LEAVE_S, shield=True), suppress(Unavailable, ProtocolError):
        await transport.call(Call("sockclnt_delete", bootstrap.delete(client_index), "sockclnt_delete_reply"))


async def _boottime_ns(stats: Stats) -> int:
    """VPP writes it a moment after it made the segment."""
    for _ in range(BOOTTIME_POLLS):
        if boottime_ns := stats.boottime_ns:
            return boottime_ns
        await trio.sleep(BOOTTIME_POLL_S)
    raise Unavailable("VPP has not finished its start", hint="its stats segment has no boot time yet")


@contextmanager
def _by(deadline: float, awaited: str) -> Iterator[None]:
    try:
        with trio.fail_at(deadline):
            yield
    except trio.TooSlowError as error:
        raise _too_late(awaited) from error


def _too_late(awaited: str) -> Unavailable:
    return Unavailable(
        "VPP did not answer in time", awaited=awaited, hint="does it hang? look at `vppctl show runtime` and its log"
    )


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
