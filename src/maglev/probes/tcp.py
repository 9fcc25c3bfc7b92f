"""Connects to a port, which is the whole TCP probe and the first step of the others; knows nothing of what is said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import EADDRNOTAVAIL

import trio

from maglev.core.model import TcpSpec
from maglev.probes.tls import secured
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict, network_fault, our_fault

IP_BIND_ADDRESS_NO_PORT = 24  # ip(7); not in Python's socket module before 3.12


async def check_tcp(spec: TcpSpec, target: Target, progress: Progress) -> Verdict:
    """Connect; with `tls`, finish a handshake too."""
    async with connected(target, spec.port, progress) as stream:
        if spec.tls is None:
            return Verdict(Code.L4OK, "connected")
        async with secured(stream, spec.tls, progress) as channel:
            return Verdict(Code.L6OK, f"handshake done, {channel.version()}")


@asynccontextmanager
async def connected(target: Target, port: int, progress: Progress) -> AsyncIterator[trio.SocketStream]:
    """A connection to `port` of the target, closed at the end whatever happens. Raises Fault."""
    progress.phase = Phase.CONNECT
    with open_socket(target, trio.socket.SOCK_STREAM, trio.socket.IPPROTO_TCP) as sock:
        # A source port is chosen at connect, by the whole connection: else one address would do for 28,000 probes at a
        # time, and those in TIME_WAIT count.
        sock.setsockopt(trio.socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        await bind_source(sock, target)
        try:
            await sock.connect((str(target.address), port))
        except OSError as error:
            raise network_fault("cannot connect", error) from error
        # On our own addresses the kernel may pick the probed port as source port, and a socket can meet itself.
        if sock.getsockname()[:2] == (str(target.address), port):
            raise Fault(Code.L4CON, "cannot connect: nobody listens, the probe met itself")
        yield trio.SocketStream(sock)


def open_socket(target: Target, kind: int, protocol: int) -> trio.socket.SocketType:
    """A socket of the target's family. Raises Fault, which is always ours: no backend was asked yet."""
    family = trio.socket.AF_INET if target.address.version == 4 else trio.socket.AF_INET6
    try:
        return trio.socket.socket(family, kind, protocol)
    except OSError as error:
        raise our_fault("cannot open a socket", error) from error


async def bind_source(sock: trio.socket.SocketType, target: Target) -> None:
    """Bind the source address where the check names one. Raises Fault, which is always ours."""
    if target.source is None:
        return
    try:
        await sock.bind((str(target.source), 0))
    except OSError as error:
        what = f"cannot use source address {target.source}"
        remedy = "put it on an interface" if error.errno == EADDRNOTAVAIL else None
        raise our_fault(what, error, remedy) from error
