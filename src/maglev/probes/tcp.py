"""Connects to a port, which is the whole TCP probe and the first step of the others; knows nothing of what is said."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import ETIMEDOUT

import trio

from maglev.core.model import TcpSpec
from maglev.probes.tls import handshake
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict


async def check_tcp(spec: TcpSpec, target: Target, progress: Progress) -> Verdict:
    """Connect; with `tls`, finish a handshake too."""
    async with connected(target, spec.port, progress) as stream:
        if spec.tls is None:
            return Verdict(Code.L4OK, "connected")
        secured = await handshake(stream, spec.tls, progress)
        return Verdict(Code.L6OK, f"handshake done, {secured.version()}")


@asynccontextmanager
async def connected(target: Target, port: int, progress: Progress) -> AsyncIterator[trio.SocketStream]:
    """A connection to `port` of the target, closed at the end whatever happens. Raises Fault."""
    progress.phase = Phase.CONNECT
    with open_socket(target, trio.socket.SOCK_STREAM, trio.socket.IPPROTO_TCP) as sock:
        await bind_source(sock, target)
        try:
            await sock.connect((str(target.address), port))
        except OSError as error:
            code = Code.L4TOUT if error.errno == ETIMEDOUT else Code.L4CON
            raise Fault(code, f"cannot connect: {reason(error)}") from error
        # On our own addresses the kernel may pick the probed port as source port, and a socket can meet itself.
        if sock.getsockname()[:2] == (str(target.address), port):
            raise Fault(Code.L4CON, "cannot connect: nobody listens, the probe met itself")
        yield trio.SocketStream(sock)


def open_socket(target: Target, kind: int, protocol: int) -> trio.socket.SocketType:
    """A socket of the target's family. Raises Fault, also when the fault is ours: out of descriptors or permission."""
    family = trio.socket.AF_INET if target.address.version == 4 else trio.socket.AF_INET6
    try:
        return trio.socket.socket(family, kind, protocol)
    except OSError as error:
        raise Fault(Code.L4CON, f"cannot open a socket: {reason(error)}") from error


async def bind_source(sock: trio.socket.SocketType, target: Target) -> None:
    """Bind the source address where the check names one. Raises Fault."""
    if target.source is None:
        return
    try:
        await sock.bind((str(target.source), 0))
    except OSError as error:
        raise Fault(Code.L4CON, f"cannot use source address {target.source}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """The system's words for `error`, without the addresses that trio adds."""
    return os.strerror(error.errno) if error.errno else str(error)
