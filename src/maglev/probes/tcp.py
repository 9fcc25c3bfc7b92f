"""Connects to a port, which is the whole TCP probe and the first step of the others; knows nothing of what is said."""

import socket
import struct
from typing import Protocol

import trio

from maglev.core.model import TcpSpec
from maglev.probes.connections import CannotConnect
from maglev.probes.opening import open_socket
from maglev.probes.tls import secured
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict, network_fault

_CONNECTED = Verdict(Code.L4OK, "connected")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_UNPRIVILEGED = 1024  # the kernel picks no source port below


class Exchange(Protocol):
    """`Connections.exchange`."""

    async def __call__(
        self, sock: socket.socket, to: tuple[str, int], request: bytes | None, progress: Progress
    ) -> bytes:
        """The first bytes of the answer."""
        ...


async def check_tcp(spec: TcpSpec, target: Target, progress: Progress, exchange: Exchange) -> Verdict:
    """Connect; with `tls`, finish a handshake too.

    A connection that is not used is reset, as HAProxy does it: closed in the usual way, each would stay in TIME_WAIT
    for a minute, hundreds of thousands of them where 5,000 are made a second.
    """
    sock = tcp_socket(target)
    try:
        await asked(sock, target, spec.port, None, progress, exchange)
        if spec.tls is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            return _CONNECTED
        async with secured(sock, spec.tls, progress) as channel:
            return Verdict(Code.L6OK, f"handshake done, {channel.version()}")
    finally:
        sock.close()


def tcp_socket(target: Target) -> socket.socket:
    """The socket for a connection. Raises Fault, which is ours."""
    return open_socket(target, socket.SOCK_STREAM, socket.IPPROTO_TCP)


async def asked(
    sock: socket.socket, target: Target, port: int, request: bytes | None, progress: Progress, exchange: Exchange
) -> bytes:
    """Connect `sock` to `port` of the target; the first bytes that are heard of a request.

    Raises Fault where it cannot connect, trio.BrokenResourceError where the connection breaks, and TooLate.
    """
    progress.phase = Phase.CONNECT
    host = str(target.address)
    try:
        heard = await exchange(sock, (host, port), request, progress)
    except CannotConnect as error:
        raise network_fault("cannot connect", error.error) from error.error
    except OSError as error:  # it broke: only who sends a request can hear of that
        raise trio.BrokenResourceError from error
    # On our own addresses the kernel may pick the probed port as source port, and a socket can meet itself.
    if port >= _UNPRIVILEGED and sock.getsockname()[:2] == (host, port):
        raise Fault(Code.L4CON, "cannot connect: nobody listens, the probe met itself")
    return heard
