"""Connects to a port, which is the whole TCP probe and the first step of the others; knows nothing of what is said."""

import os
import socket
import struct

import trio

from maglev.core.model import TcpSpec
from maglev.probes.opening import open_socket
from maglev.probes.tls import secured
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict, network_fault

_CONNECTED = Verdict(Code.L4OK, "connected")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_UNPRIVILEGED = 1024  # the kernel picks no source port below


async def check_tcp(spec: TcpSpec, target: Target, progress: Progress) -> Verdict:
    """Connect; with `tls`, finish a handshake too.

    A connection that is not used is reset, as HAProxy does it: closed in the usual way, each would stay in TIME_WAIT
    for a minute, hundreds of thousands of them where 5,000 are made a second.
    """
    sock = await connected(target, spec.port, progress)
    try:
        if spec.tls is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            return _CONNECTED
        async with secured(sock, spec.tls, progress) as channel:
            return Verdict(Code.L6OK, f"handshake done, {channel.version()}")
    finally:
        sock.close()


async def connected(target: Target, port: int, progress: Progress) -> socket.socket:
    """A connection to `port` of the target, the caller's to close. Raises Fault."""
    progress.phase = Phase.CONNECT
    sock = open_socket(target, socket.SOCK_STREAM, socket.IPPROTO_TCP)

    def give_up() -> None:
        trio.lowlevel.notify_closing(sock)
        sock.close()

    progress.give_up = give_up
    try:
        await _connect(sock, target, port)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(sock: socket.socket, target: Target, port: int) -> None:
    host = str(target.address)
    try:
        try:
            sock.connect((host, port))
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number)) from None
    except OSError as error:
        raise network_fault("cannot connect", error) from error
    # On our own addresses the kernel may pick the probed port as source port, and a socket can meet itself.
    if port >= _UNPRIVILEGED and sock.getsockname()[:2] == (host, port):
        raise Fault(Code.L4CON, "cannot connect: nobody listens, the probe met itself")
