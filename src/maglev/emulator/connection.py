"""One API client's connection: bytes in, messages out of them, a bounded queue of answers; must not know any message.

Answers are queued and sent by a task of their own, because a client may send thousands of requests before it reads.
"""

from collections.abc import Iterator
from contextlib import suppress

import trio

from maglev.emulator.wire import FRAME

MESSAGE_BYTES_MAX = 1 << 20
QUEUE_BYTES_MAX = 16 << 20

_CHUNK_BYTES = 1 << 16


class Connection:
    """`handle` is what the client has to put into its messages; cancelling `scope` breaks the connection."""

    def __init__(self, stream: trio.SocketStream, handle: int) -> None:
        self.handle = handle
        self.scope = trio.CancelScope()
        self.is_mute = False
        """Whether further answers are lost on their way."""
        self._stream = stream
        self._received = bytearray()
        self._queue = bytearray()
        self._held: list[bytes] = []
        self._ends_when_sent = False
        self._is_over = False
        self._work = trio.Event()
        self._room = trio.Event()

    def put(self, frame: bytes) -> None:
        """Queue an answer; call `room` before the next. Nothing happens once the connection is over."""
        if not self._is_over and not self.is_mute:
            self._queue += frame
            self._work.set()

    def hold(self, frames: bytes) -> None:
        """Keep an answer for `put_held`."""
        self._held.append(frames)

    def put_held(self) -> None:
        """Queue the answers that were held, the last one first."""
        while self._held:
            self.put(self._held.pop())

    async def room(self) -> None:
        """Wait while the queue is full, until the client has taken half of it. Otherwise returns at once."""
        if len(self._queue) > QUEUE_BYTES_MAX and not self._is_over:
            # Others may be waiting already, with answers to whom our client named.
            if self._room.is_set():
                self._room = trio.Event()
            await self._room.wait()

    def end_when_sent(self) -> None:
        """Break the connection once the queue is empty."""
        self._ends_when_sent = True
        self._work.set()

    @property
    def is_choked(self) -> bool:
        """Whether a message has begun that is longer than we bear."""
        if len(self._received) < FRAME.size:
            return False
        _, length, _ = FRAME.unpack_from(self._received)
        return bool(length > MESSAGE_BYTES_MAX)

    async def receive(self) -> bool:
        """Wait for bytes; False when the client is gone."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            received = await self._stream.receive_some(_CHUNK_BYTES)
            self._received += received
            return bool(received)
        return False

    async def discard_all(self) -> None:
        """Throw away what has arrived and all that comes, until the client is gone."""
        self._received.clear()
        while await self.receive():
            self._received.clear()

    def messages(self) -> Iterator[bytes]:
        """Take off the messages that have arrived in full, up to one that is too long."""
        while len(self._received) >= FRAME.size and not self.is_choked:
            _, length, _ = FRAME.unpack_from(self._received)
            end = FRAME.size + length
            if len(self._received) < end:
                return
            message = bytes(self._received[FRAME.size : end])
            del self._received[:end]
            if message:
                yield message

    async def send(self) -> None:
        """Send what is queued until the connection ends."""
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._send_queue()
        finally:
            self._is_over = True
            self._queue.clear()
            self._room.set()
            self.scope.cancel()

    async def _send_queue(self) -> None:
        while self._queue or not self._ends_when_sent:
            await self._work.wait()
            chunk = bytes(self._queue[:_CHUNK_BYTES])
            await self._stream.send_all(chunk)
            del self._queue[: len(chunk)]
            if len(self._queue) <= QUEUE_BYTES_MAX // 2:
                self._room.set()
            if not self._queue and not self._ends_when_sent:
                self._work = trio.Event()
