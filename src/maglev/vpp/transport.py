"""One API socket of VPP under trio: requests out, replies matched by context; knows no message but control_ping.

- Any number of tasks may ask at the same time; all together have at most WINDOW requests on their way.
- One task writes and one reads, so a cancelled request neither cuts a frame in two nor loses its place: its context
  stays taken until VPP's answer came, which is then dropped.
- A dump ends where the control_ping sent behind it, with the same context, is answered: VPP works in order.
- When the socket is lost or makes no sense, everyone who waits is told, and everyone who asks later.
- Deadlines are the caller's: without one, a silent VPP is waited for.
"""

import struct
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NoReturn

import trio

from maglev.core.events import Event, VppMessage
from maglev.errors import MaglevError, ProtocolError, Unavailable
from maglev.vpp.framing import Splitter

WINDOW = 256
"""Requests on their way at once: enough to keep VPP busy, few enough that a cancelled burst ends soon."""
BURST = WINDOW // 2
"""Requests made ready and sent in one go: VPP still has as many to work on."""
MAX_DUMP = 64 * 1024 * 1024
"""Bytes of one dump; 40,000 backends are 2.5 MB."""
CHUNK = 64 * 1024
PING = "control_ping"
PING_REPLY = "control_ping_reply"

_REQUEST = struct.Struct(">QIIHII")
_HEADER_SIZE = 10  # of a request: message id, client index, context
_REPLY = struct.Struct(">HI")
_RETVAL = struct.Struct(">i")
_MAX_CONTEXT = 0x7FFFFFFF

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Call:
    """A request with one reply: message names without CRC, and the request's bytes behind its header."""

    message: str
    body: bytes
    reply: str


@dataclass(frozen=True, slots=True)
class Dump:
    """A request that is answered by any number of `details`."""

    message: str
    body: bytes
    details: str


Ask = Call | Dump
Answer = list[bytes]
"""Whole messages, header included: one for a call, any number for a dump."""


@dataclass(slots=True)
class _Batch:
    """What one exchange waits for: answers, and, as one of them, that all is sent."""

    missing: int = 1
    done: trio.Event = field(default_factory=trio.Event)
    is_abandoned: bool = False


@dataclass(slots=True)
class _Pending:
    """A context on its way: `item` is collected, `last` ends it (for a call both are its reply)."""

    batch: _Batch
    answer: Answer
    item: int
    last: int
    size: int = 0


class Transport:
    """A connected API socket. Made by `running`; `ids` are VPP's message numbers by name."""

    def __init__(self, stream: trio.SocketStream, client_index: int, ids: Mapping[str, int], emit: Emit) -> None:
        self._stream = stream
        self._client_index = client_index
        self._ids = ids
        self._names = {number: name for name, number in ids.items()}
        self._emit = emit
        self._splitter = Splitter()
        self._context = 0
        self._pending: dict[int, _Pending] = {}
        self._outbox: list[bytes] = []
        self._filled = trio.Event()
        self._freed = trio.Event()
        self._failure: MaglevError | None = None
        self.heard_at = trio.current_time()
        """When VPP last sent anything, by trio's clock: no ping is needed to see that it lives."""
        self._lost = trio.Event()

    async def exchange(self, asks: Iterable[Ask], sent: Callable[[], None] = lambda: None) -> list[Answer]:
        """Send all `asks` in order, pipelined, and return their answers in order.

        They are taken from `asks` a few at a time while VPP works on those before, so an iterator may make them, and
        end when it likes. `sent` is called once nothing that others ask can come before them. Raises Unavailable or
        ProtocolError when the connection is lost before all are answered; what VPP has done by then is unknown. The
        same holds when cancelled.
        """
        await trio.lowlevel.checkpoint()
        answers: list[Answer] = []
        remaining = iter(asks)
        batch = _Batch()
        try:
            while burst := list(islice(remaining, BURST)):
                await self._room()
                for ask in burst:
                    answer: Answer = []
                    answers.append(answer)
                    self._put(ask, answer, batch)
                self._filled.set()
            sent()
            batch.missing -= 1
            if batch.missing:
                await batch.done.wait()
        finally:
            batch.is_abandoned = True
        if batch.missing:
            self._raise_failure()
        return answers

    async def stream(self, calls: Iterable[Call]) -> AsyncGenerator[list[bytes], None]:
        """As `exchange`, but yields the replies as they come, in the order of `calls`, some at a time."""
        await trio.lowlevel.checkpoint()
        open_answers: deque[Answer] = deque()  # a call is answered when there is something in it
        remaining = iter(calls)
        batch = _Batch()
        try:
            while burst := list(islice(remaining, BURST)):
                await self._room()
                for ask in burst:
                    open_answers.append([])
                    self._put(ask, open_answers[-1], batch)
                self._filled.set()
                if replies := _answered(open_answers):
                    yield replies
            while open_answers:
                if not open_answers[0]:
                    await self._freed.wait()
                if replies := _answered(open_answers):
                    yield replies
                elif self._failure is not None:
                    self._raise_failure()
        finally:
            batch.is_abandoned = True

    async def call(self, ask: Call) -> bytes:
        """One request, one reply."""
        (answer,) = await self.exchange((ask,))
        return answer[0]

    async def lost(self) -> NoReturn:
        """Wait until the connection is lost, then raise why."""
        await self._lost.wait()
        self._raise_failure()

    def close(self) -> None:
        """From now on there is no connection: whoever waits, or asks later, is told."""
        self._fail(Unavailable("the session with VPP was closed"), None)

    async def _room(self) -> None:
        """Wait until a burst may be sent."""
        while len(self._pending) > WINDOW - BURST and self._failure is None:
            await self._freed.wait()
        if self._failure is not None:
            self._raise_failure()

    def _put(self, ask: Ask, answer: Answer, batch: _Batch) -> None:
        context = self._next_context()
        batch.missing += 1
        match ask:
            case Call(message, body, reply):
                self._pending[context] = _Pending(batch, answer, self._ids[reply], self._ids[reply])
                self._frame(message, context, body)
            case Dump(message, body, details):
                self._pending[context] = _Pending(batch, answer, self._ids[details], self._ids[PING_REPLY])
                self._frame(message, context, body)
                self._frame(PING, context, b"")

    def _next_context(self) -> int:
        self._context = self._context % _MAX_CONTEXT + 1
        while self._context in self._pending:  # at most WINDOW of two billion
            self._context = self._context % _MAX_CONTEXT + 1
        return self._context

    def _frame(self, message: str, context: int, body: bytes) -> None:
        header = _REQUEST.pack(0, _HEADER_SIZE + len(body), 0, self._ids[message], self._client_index, context)
        self._outbox.append(header + body)
        self._emit(_event(message, "send", "ok"))

    async def write(self) -> None:
        """Send what is asked, as much at once as there is; ends when the connection is lost."""
        while True:
            await self._filled.wait()
            self._filled = trio.Event()
            frames, self._outbox = self._outbox, []
            try:
                await self._stream.send_all(b"".join(frames))
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._fail(Unavailable("VPP's API socket took no more", seen=error.__cause__ or error), error)
                return

    async def read(self) -> None:
        """Take what comes; ends when the connection is lost."""
        while True:
            try:
                chunk = await self._stream.receive_some(CHUNK)
                if not chunk:
                    self._fail(Unavailable("VPP closed its API socket"), None)
                    return
                self.heard_at = trio.current_time()
                for message in self._splitter.feed(chunk):
                    self._take(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._fail(Unavailable("VPP's API socket broke", seen=error.__cause__ or error), error)
                return
            except ProtocolError as error:
                self._fail(error, None)
                return
            self._freed.set()
            self._freed = trio.Event()

    def _take(self, message: bytes) -> None:
        number, context = _REPLY.unpack_from(message)
        pending = self._pending.get(context)
        if pending is None or number not in (pending.item, pending.last):
            self._emit(_event(self._names.get(number, f"message {number}"), "recv", "unexpected"))
            return
        if number == pending.item:
            self._collect(pending, number, message)
        if number != pending.last:
            self._emit(_event(self._names[number], "recv", "ok"))
            return
        self._emit(_event(self._names[number], "recv", _result(message)))
        del self._pending[context]
        batch = pending.batch
        batch.missing -= 1
        if not batch.missing:
            batch.done.set()

    def _collect(self, pending: _Pending, number: int, message: bytes) -> None:
        if pending.batch.is_abandoned:
            return
        pending.answer.append(message)
        pending.size += len(message)
        if pending.size > MAX_DUMP:
            raise ProtocolError(
                "VPP's dump is larger than we take", message=self._names[number], seen=pending.size, expected=MAX_DUMP
            )

    def _fail(self, failure: MaglevError, cause: BaseException | None) -> None:
        if self._failure is not None:
            return
        failure.__cause__ = cause
        self._failure = failure
        self._lost.set()
        self._freed.set()
        for pending in self._pending.values():
            pending.batch.done.set()

    def _raise_failure(self) -> NoReturn:
        failure = self._failure or Unavailable("VPP's API socket is not usable")
        # A fresh one for each who waits: an exception that is raised in several tasks collects all their traces.
        raise type(failure)(failure.what, hint=failure.hint, **failure.fields) from failure.__cause__


@asynccontextmanager
async def running(
    stream: trio.SocketStream, client_index: int, ids: Mapping[str, int], emit: Emit
) -> AsyncIterator[Transport]:
    """A transport on `stream`, which is past its handshake, read and written until the block is left."""
    transport = Transport(stream, client_index, ids, emit)
    # Shielded: when the block is cancelled from outside, it still has to take leave of VPP.
    pumping = trio.CancelScope(shield=True)

    async def pump() -> None:
        with pumping:
            async with trio.open_nursery() as pumps:
                pumps.start_soon(transport.read, name="vpp-api-read")
                pumps.start_soon(transport.write, name="vpp-api-write")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, name="vpp-api")
            try:
                yield transport
            finally:
                pumping.cancel()
                transport.close()
    except BaseExceptionGroup as group:
        # Reader and writer raise nothing: what comes out is the block's own and leaves as it came.
        if len(group.exceptions) != 1:
            raise
        only = group.exceptions[0]
        raise only from only.__cause__


def _answered(answers: deque[Answer]) -> list[bytes]:
    """Take off the answers that are there, up to the first that is not."""
    replies = []
    while answers and answers[0]:
        replies.append(answers.popleft()[0])
    return replies


@lru_cache(maxsize=1024)
def _event(message: str, direction: str, result: str) -> VppMessage:
    """The same few come again and again, and making one takes longer than finding it."""
    return VppMessage(message, direction, result)


def _result(message: bytes) -> str:
    if len(message) < _REPLY.size + _RETVAL.size:
        return "ok"
    (retval,) = _RETVAL.unpack_from(message, _REPLY.size)
    return str(retval) if retval < 0 else "ok"
