"""Unix sockets to listen on, as VPP makes them: one that the dead left behind is taken over, a live one is not."""

import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from maglev.errors import Unavailable

_log = logging.getLogger(__name__)

_BACKLOG = 64
_ACCEPT_PAUSE_S = 0.1
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@asynccontextmanager
async def listening(path: str, kind: socket.SocketKind, what: str) -> AsyncIterator[trio.socket.SocketType]:
    """Listen at `path` for the block; removes the socket it made, no other. Raises Unavailable when it cannot."""
    with trio.socket.socket(socket.AF_UNIX, kind) as listener:
        try:
            _remove_left_over(path, kind)
            await listener.bind(path)
            listener.listen(_BACKLOG)
            made = _identity(path)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise Unavailable(
                f"cannot listen on the {what} socket",
                path=path,
                error=error.strerror or error,
                hint="something is there already: stop it or choose another path" if taken else "choose another path",
            ) from error
        try:
            yield listener
        finally:
            _remove(path, made)


async def accept(listener: trio.socket.SocketType) -> trio.socket.SocketType | None:
    """The next connection; None, after a pause, when there is no descriptor or memory left for one."""
    try:
        accepted, _ = await listener.accept()
    except OSError as error:
        if error.errno not in _OUT_OF_RESOURCES:
            raise
        _log.warning("cannot accept on %s: %s", listener.getsockname(), error.strerror)
        await trio.sleep(_ACCEPT_PAUSE_S)
        return None
    return accepted


def _remove_left_over(path: str, kind: socket.SocketKind) -> None:
    """Remove a socket that nobody listens on."""
    if not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.setblocking(False)
        if client.connect_ex(path) == errno.ECONNREFUSED:
            Path(path).unlink()


def _identity(path: str) -> tuple[int, int]:
    status = Path(path).lstat()
    return status.st_dev, status.st_ino


def _remove(path: str, made: tuple[int, int]) -> None:
    with suppress(OSError):
        if _identity(path) == made:
            Path(path).unlink()
