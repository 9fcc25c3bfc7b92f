"""The TLS handshake of a probe, and the words for how a connection breaks; knows nothing of what follows."""

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import trio

from maglev.core.model import Tls
from maglev.probes.verdict import Code, Fault, Phase, Progress, TooLate, our_fault

TlsStream = trio.SSLStream[trio.SocketStream]


@asynccontextmanager
async def secured(sock: socket.socket, tls: Tls, progress: Progress) -> AsyncIterator[TlsStream]:
    """TLS over `sock`, which stays the one to close; past its handshake. Raises Fault and TooLate."""
    progress.phase = Phase.HANDSHAKE
    if progress.is_over:  # the connection stood at the last moment
        raise TooLate
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    context = _context(verifies=tls.verify, checks_name=tls.verify and tls.server_name is not None)
    # https_compatible: the end of the connection counts as the end, with close_notify or without.
    channel = trio.SSLStream(stream, context, server_hostname=tls.server_name, https_compatible=True)
    try:
        try:
            await channel.do_handshake()
        except trio.BrokenResourceError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                _check_descriptor_left()
            raise Fault(Code.L6RSP, f"TLS handshake failed: {why_broken(error)}") from error
        yield channel
    finally:
        # It refers to itself, and would keep its 48 kB until a full garbage collection, which is rare (daemon.py).
        vars(channel).clear()


def why_broken(error: trio.BrokenResourceError) -> str:
    """What lies behind a broken stream: the certificate, the protocol, or the network."""
    match error.__cause__:
        case ssl.SSLCertVerificationError() as cause:
            return cause.verify_message
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLSyscallError():
            return "closed by the peer"
        case ssl.SSLError() as cause:
            return cause.reason.lower().replace("_", " ") if cause.reason else str(cause)
        case OSError(errno=int(number)):
            return os.strerror(number)
        case cause:
            return str(cause or error)


@cache  # reading the system's certificates takes tens of milliseconds; there are three contexts at most
def _context(*, verifies: bool, checks_name: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    _check_descriptor_left()
    context.check_hostname = checks_name
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    return context


def _check_descriptor_left() -> None:
    """OpenSSL takes a certificate that it cannot open for one that is not there, so ask ourselves. Raises Fault."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        raise our_fault("cannot read the system's certificates", error) from error
