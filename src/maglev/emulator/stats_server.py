"""Hands the stats segment's descriptor to whoever connects; must not know what is in the segment.

As VPP's src/vlib/stats/init.c: SOCK_SEQPACKET, on accept one message with the memfd in SCM_RIGHTS, then close. VPP's
message carries no bytes at all, so a reader that takes an empty read for the end of the line fails here as it would
there.
"""

import array
import socket
from contextlib import suppress

import trio

from maglev.emulator.segment import SegmentWriter
from maglev.emulator.unix_socket import accept, listening

_SEND_TIMEOUT_S = 1.0


async def serve(
    path: str, writer: SegmentWriter, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Listen at `path` until cancelled, started once connections are taken; removes the socket it made, no other.

    Raises Unavailable when it cannot listen there.
    """
    async with listening(path, socket.SOCK_SEQPACKET, "stats") as listener:
        task_status.started()
        while True:
            client = await accept(listener)
            if client is not None:
                await _hand_over(client, writer.fd)


async def _hand_over(client: trio.socket.SocketType, fd: int) -> None:
    # Nothing is read from the client, and a new socket has room for one message: no client can hold up the next one.
    with client, suppress(OSError), trio.move_on_after(_SEND_TIMEOUT_S):
        await client.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
