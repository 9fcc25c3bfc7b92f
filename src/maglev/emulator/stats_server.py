"""Hands the stats segment's descriptor to whoever connects; must not know what is in the segment.

As VPP's src/vlib/stats/init.c: SOCK_SEQPACKET, on accept one message with the memfd in SCM_RIGHTS, then close. VPP's
message carries no bytes at all, so a reader that takes an empty read for the end of the line fails here as it would
there.
"""

import array
import errno
import logging
import socket
from contextlib import suppress
from pathlib import Path

import trio

from maglev.emulator.segment import SegmentWriter
from maglev.errors import Unavailable

_log = logging.getLogger(__name__)

_BACKLOG = 16
_SEND_TIMEOUT_S = 1.0
_ACCEPT_PAUSE_S = 0.1
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def serve(
    path: str, writer: SegmentWriter, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Listen at `path` until cancelled, started once connections are taken; removes the socket it made, no other.

    Raises Unavailable when it cannot listen there.
    """
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        try:
            await listener.bind(path)
            listener.listen(_BACKLOG)
            made = _identity(path)
        except OSError as error:
            raise Unavailable(
                "cannot listen on the stats socket",
                path=path,
                error=error.strerror or error,
                hint="is something listening there already, or left over? remove it or choose another path",
            ) from error
        try:
            task_status.started()
            while True:
                await _serve_next(listener, writer.fd)
        finally:
            _remove(path, made)


async def _serve_next(listener: trio.socket.SocketType, fd: int) -> None:
    try:
        client, _ = await listener.accept()
    except OSError as error:
        if error.errno not in _OUT_OF_RESOURCES:
            raise
        _log.warning("stats socket cannot accept: %s", error.strerror)
        await trio.sleep(_ACCEPT_PAUSE_S)
        return
    # Nothing is read from the client, and a new socket has room for one message: no client can hold up the next one.
    with client, suppress(OSError), trio.move_on_after(_SEND_TIMEOUT_S):
        await client.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def _identity(path: str) -> tuple[int, int]:
    status = Path(path).lstat()
    return status.st_dev, status.st_ino


def _remove(path: str, made: tuple[int, int]) -> None:
    with suppress(OSError):
        if _identity(path) == made:
            Path(path).unlink()
