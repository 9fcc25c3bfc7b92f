"""A connection as the HTTP probe sees it, with TLS or without; knows nothing of what is said over it."""

import socket
from typing import Protocol

import trio

from maglev.probes.verdict import Progress, TooLate


class Stream(Protocol):
    """What is heard on a connection, plain or secured. Raises trio.BrokenResourceError when it breaks."""

    async def receive_some(self, max_bytes: int) -> bytes | bytearray:
        """Up to so many bytes; none when the other side has closed."""
        ...


class Plain:
    """A connection without TLS; it tries before it waits."""

    def __init__(self, sock: socket.socket, progress: Progress) -> None:
        self._sock = sock
        self._progress = progress

    async def receive_some(self, max_bytes: int) -> bytes:
        """As in Stream."""
        waited = False
        while True:
            try:
                received = self._sock.recv(max_bytes)
            except BlockingIOError:
                if self._progress.is_over:
                    raise TooLate from None
                await trio.lowlevel.wait_readable(self._sock)
                waited = True
            except OSError as error:
                raise trio.BrokenResourceError from error
            else:
                if not waited:  # who sends faster than we read must not keep everybody else from their turn
                    await trio.lowlevel.checkpoint()
                return received
