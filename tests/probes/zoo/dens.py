"""Where animals live: one port of loopback each, with or without TLS; and what they do there in several steps."""

import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from tests.probes import peers
from tests.probes.peers import Handler, Stream
from tests.probes.zoo.animal import Den

PAUSE_S = 0.25  # well under the timeout, which only the sum of many exceeds
RESET_S = 1.0  # who has not hung up by then wants to know what comes


def plain(handler: Handler) -> Den:
    """Serve `handler`."""

    @asynccontextmanager
    async def den(folder: Path) -> AsyncIterator[int]:
        del folder
        async with peers.peer(handler) as port:
            yield port

    return den


def over_tls(
    handler: Handler,
    certificate: str = "good",
    only: ssl.TLSVersion | None = None,
    *,
    wants_certificate: bool = False,
    wants_name: bool = False,
    says_goodbye: bool = False,
) -> Den:
    """Serve `handler` behind a handshake; `says_goodbye`: with a close_notify at its end."""

    async def shakes_hands(context: ssl.SSLContext, stream: Stream) -> None:
        assert isinstance(stream, trio.SocketStream)
        channel = trio.SSLStream(stream, context, server_side=True, https_compatible=not says_goodbye)
        try:
            await channel.do_handshake()
        except trio.BrokenResourceError:
            await stream.send_all(channel._outgoing.read())  # the alert, which trio keeps to itself
            await peers.silent(stream)
        else:
            await handler(channel)
            await channel.aclose()

    @asynccontextmanager
    async def den(folder: Path) -> AsyncIterator[int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{certificate}.pem")
        if only is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # that old, on purpose
                context.minimum_version = context.maximum_version = only
            context.set_ciphers("ALL:@SECLEVEL=0")  # what OpenSSL 3 asks for before it speaks TLS 1.0
        if wants_certificate:
            context.load_verify_locations(folder / "ca.crt")
            context.verify_mode = ssl.CERT_REQUIRED
        if wants_name:
            context.sni_callback = _refuse_nameless
        async with peers.peer(partial(shakes_hands, context)) as port:
            yield port

    return den


def _refuse_nameless(tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
    del tls, context
    return None if name else int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)


@asynccontextmanager
async def nobody(folder: Path) -> AsyncIterator[int]:
    """A port that is taken, so that no other test gets it, and where nobody listens."""
    del folder
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@asynccontextmanager
async def deaf(folder: Path) -> AsyncIterator[int]:
    """A port whose queue is full: SYNs are dropped."""
    del folder
    with peers.deaf_port() as port:
        yield port


def speaks_first(greeting: bytes) -> Handler:
    """Say something before any request comes, and hold the connection."""

    async def handler(stream: Stream) -> None:
        await stream.send_all(greeting)
        await peers.silent(stream)

    return handler


def answers_and_stays(answer: bytes) -> Handler:
    """Read the request, answer, and hold the connection."""

    async def handler(stream: Stream) -> None:
        await peers.head_of_request(stream)
        await stream.send_all(answer)
        await peers.silent(stream)

    return handler


def answers_in_parts(*parts: bytes, pause_s: float = PAUSE_S) -> Handler:
    """Read the request, answer part by part with a pause between, close."""

    async def handler(stream: Stream) -> None:
        await peers.head_of_request(stream)
        for number, part in enumerate(parts):
            if number:
                with trio.move_on_after(pause_s):
                    await peers.silent(stream)
            await stream.send_all(part)

    return handler


def answers_and_resets(answer: bytes) -> Handler:
    """Read the request, answer, leave the client time to make up its mind about that, reset the connection."""

    async def handler(stream: Stream) -> None:
        await peers.head_of_request(stream)
        await stream.send_all(answer)
        with trio.move_on_after(RESET_S):
            await peers.silent(stream)
        peers._close_by_reset(stream)

    return handler


def repeats(start: bytes, block: bytes, pause_s: float = 0) -> Handler:
    """Read the request, say `start`, then `block` for ever."""

    async def handler(stream: Stream) -> None:
        await peers.head_of_request(stream)
        await stream.send_all(start)
        while True:
            await trio.sleep(pause_s)
            await stream.send_all(block)

    return handler


def sends_to_hello(reply: bytes, *, stays: bool = False) -> Handler:
    """Answer the client's first bytes; then close, or hold the connection."""

    async def handler(stream: Stream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(reply)
        if stays:
            await peers.silent(stream)

    return handler
