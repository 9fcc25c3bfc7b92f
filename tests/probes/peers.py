"""Backends to probe: real servers on loopback that behave, or misbehave, as a test says."""

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import trio

from maglev.core.model import HealthCheck, HttpSpec, IPAddress, Policy, ProbeResult, ProbeSpec, Timing, Tls
from maglev.probes import Prober, opening

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
Handler = Callable[[Stream], Awaitable[None]]

LOCALHOST = IPv4Address("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
UNVERIFIED = Tls(server_name=None, verify=False)
FAILED = (False, "L7RSP")


def check(
    spec: ProbeSpec,
    timeout_s: float = 30.0,
    ipv4_source: IPv4Address | None = None,
    ipv6_source: IPv6Address | None = None,
) -> HealthCheck:
    return HealthCheck("c", spec, Timing(1, 1, 1, timeout_s), Policy(2, 3), ipv4_source, ipv6_source)


def get(
    port: int,
    *,
    tls: Tls | None = None,
    path: str = "/",
    host: str | None = None,
    codes: tuple[tuple[int, int], ...] = ((200, 299),),
    body_regexp: str | None = None,
) -> HttpSpec:
    return HttpSpec(port, tls, path, host, codes, body_regexp)


def outcome(result: ProbeResult) -> tuple[bool | None, str]:
    return result.passed, result.code


@asynccontextmanager
async def peer(
    handler: Handler,
    host: str = "127.0.0.1",
    *,
    certificate: Path | None = None,
) -> AsyncIterator[int]:
    """Serve `handler` inside the block, with TLS where there is a certificate; yields the port."""
    listeners = await trio.open_tcp_listeners(0, host=host)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, partial(_serve, handler, context), listeners)
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def _serve(handler: Handler, context: ssl.SSLContext | None, stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        if context is None:
            await handler(stream)
        else:
            secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            await secured.do_handshake()
            await handler(secured)


async def head_of_request(stream: Stream) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = await stream.receive_some(4096)
        if not chunk:
            break
        received += chunk
    return received


def says(answer: bytes) -> Handler:
    """Read the request, answer, close."""

    async def handler(stream: Stream) -> None:
        await head_of_request(stream)
        await stream.send_all(answer)

    return handler


def says_to_anything(answer: bytes) -> Handler:
    """Answer the first bytes, whatever they are, and close."""

    async def handler(stream: Stream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(answer)

    return handler


async def silent(stream: Stream) -> None:
    """Take the connection, say nothing, wait for the other side to go."""
    while await stream.receive_some(4096):
        pass


async def closes(stream: Stream) -> None:
    """Take the connection and close it."""
    del stream
    await trio.lowlevel.checkpoint()


def resets_after(answer: bytes) -> Handler:
    """Read the request, answer, and reset the connection."""

    async def handler(stream: Stream) -> None:
        await head_of_request(stream)
        if answer:
            await stream.send_all(answer)
        _close_by_reset(stream)

    return handler


async def resets_at_once(stream: Stream) -> None:
    """Reset the connection on the first bytes, whatever they are."""
    await stream.receive_some(4096)
    _close_by_reset(stream)


def _close_by_reset(stream: Stream) -> None:
    transport = stream if isinstance(stream, trio.SocketStream) else stream.transport_stream
    transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def demands_certificate(certificate: Path) -> Handler:
    """Ask for a client's certificate, and refuse aloud a client that has none."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    async def handler(stream: Stream) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            incoming.write(await stream.receive_some(4096))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await stream.send_all(outgoing.read())
            except ssl.SSLError:
                await stream.send_all(outgoing.read())  # the alert; trio's own server side would keep it
                await silent(stream)
                return

    return handler


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that a further connect gets no answer at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for sock in waiting:
                sock.close()


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def probe(check: HealthCheck, address: IPAddress, netns: str | None = None) -> ProbeResult:
    """One probe by a prober of its own."""
    outcome: ProbeResult | Exception = AssertionError("a prober ended by itself")
    async with prober(netns) as subject:
        try:
            outcome = await subject.probe(check, address)
        except Exception as error:  # noqa: BLE001 - to be raised outside of the nursery, which would wrap it
            outcome = error
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@asynccontextmanager
async def prober(netns: str | None = None) -> AsyncIterator[Prober]:
    async with trio.open_nursery() as nursery:
        subject = Prober(netns)
        await nursery.start(subject.run)
        yield subject
        nursery.cancel_scope.cancel()


MakeSocket = Callable[[int, int, int], socket.socket]


def make_sockets_with(make: MakeSocket) -> None:
    """For the rest of the test, `make` is asked for every new socket (family, kind, protocol) instead of the kernel."""

    def made(family: int, kind: int, protocol: int) -> socket.socket:
        sock = make(family, kind, protocol)
        sock.setblocking(False)
        return sock

    opening.new_socket = made  # conftest puts it right again


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True
