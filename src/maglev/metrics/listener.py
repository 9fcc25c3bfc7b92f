"""Serves /metrics over HTTP/1.1 on an asyncio loop; must not know what is measured.

One request per connection: a scraper comes every few seconds, and a connection that is closed after its answer needs
no idle timer. Each connection has a deadline to send its request and one to take its answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import urlsplit

import h11

from maglev import listen
from maglev.errors import ConfigError
from maglev.metrics.exposition import Page
from maglev.metrics.negotiation import Form, is_gzip_wanted, media_type
from maglev.metrics.rendering import Rendering

log = logging.getLogger(__name__)

_CHUNK = 4096
_TEXT = "text/plain; charset=utf-8"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what strangers can make us hold: connections, seconds per direction, bytes of an unfinished head."""

    connections: int = 64
    deadline_s: float = 10.0
    head_bytes: int = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, complete, its body in pieces; to a HEAD the body is only measured."""

    code: int
    body: Sequence[bytes]
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()
    is_head: bool = False


class Listener:
    """A listening /metrics; made by `start`."""

    def __init__(self, page: Page, limits: Limits) -> None:
        self.port = 0
        self._rendering = Rendering(page)
        self._limits = limits
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, address: listen.TcpAddress) -> None:
        """Begin to accept. Raises ConfigError."""
        sockets = listen.bind(address)
        self.port = sockets[0].getsockname()[1]
        for each in sockets:
            self._servers.append(await asyncio.start_server(self._accept, sock=each, limit=_CHUNK))

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        for server in self._servers:
            server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._rendering.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._limits.connections:
            writer.write(_BUSY)
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="metrics connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
        try:
            answer = await self._answer(protocol, reader)
            if answer is not None:
                async with asyncio.timeout(self._limits.deadline_s):
                    for part in _encoded(protocol, answer):
                        writer.write(part)
                        await writer.drain()  # all scrapers share one page: none has a copy of its own waiting
                    await _linger(reader, writer)
        except (TimeoutError, OSError) as error:
            log.debug("metrics connection lost: %r", error)
        finally:
            writer.transport.abort()

    async def _answer(self, protocol: h11.Connection, reader: asyncio.StreamReader) -> Answer | None:
        """Read one request and answer it; None when the peer left without one."""
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                request = await _request(protocol, reader)
        except TimeoutError:
            return _refusal(408, f"no whole request within {self._limits.deadline_s:g} s")
        except h11.RemoteProtocolError as error:
            return _refusal(error.error_status_hint, str(error))
        if request is None:
            return None
        return replace(await answer(request, self._rendering), is_head=request.method == b"HEAD")


async def start(address: str, page: Page, limits: Limits | None = None) -> Listener:
    """Serve `page` at `address`: `host:port`, `:port` or `[::1]:port`.

    Raises ConfigError when that is no address, is in use, or cannot be listened on.
    """
    where = listen.parse(address)
    if isinstance(where, listen.UnixAddress):
        raise ConfigError(f"cannot serve metrics on {where}", hint=f"Prometheus scrapes TCP only: {listen.FORMS}")
    listener = Listener(page, limits or Limits())
    await listener.listen(where)
    return listener


async def answer(request: h11.Request, rendering: Rendering) -> Answer:
    """What a request gets."""
    if not request.http_version.startswith(b"1."):
        return _refusal(505, "HTTP/1.1 only")
    try:
        path = urlsplit(request.target.decode("ascii")).path
    except ValueError as error:
        return _refusal(400, f"bad target: {error}")
    page = _PAGES.get(path)
    if page is None:
        return _refusal(404, "nothing here; metrics are at /metrics")
    if request.method not in (b"GET", b"HEAD"):
        return _refusal(405, "GET and HEAD only", (("Allow", "GET, HEAD"),))
    try:
        return await page(request, rendering)
    except Exception:
        log.exception("metrics could not be rendered")
        return _refusal(500, "metrics could not be rendered; maglevd's log says why")


async def _metrics(request: h11.Request, rendering: Rendering) -> Answer:
    is_openmetrics, content_type = media_type(_header(request, b"accept"))
    form = Form(is_openmetrics, is_gzip_wanted(_header(request, b"accept-encoding")))
    headers = [("Vary", "Accept, Accept-Encoding")]
    if form.is_gzip:
        headers.append(("Content-Encoding", "gzip"))
    return Answer(200, await rendering.body(form), content_type, tuple(headers))


async def _pointer(_: h11.Request, __: Rendering) -> Answer:
    return Answer(200, (b"maglevd: metrics are at /metrics\n",))


_PAGES: dict[str, Callable[[h11.Request, Rendering], Awaitable[Answer]]] = {"/": _pointer, "/metrics": _metrics}


def _header(request: h11.Request, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in request.headers if key == name)


def _refusal(code: int, sentence: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(code, (f"{sentence}\n".encode(),), headers=headers)


async def _request(protocol: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The head of one request; None when the peer closed first. Raises h11.RemoteProtocolError."""
    while True:
        event = protocol.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        protocol.receive_data(await reader.read(_CHUNK))


def _encoded(protocol: h11.Connection, answer: Answer) -> Iterator[bytes]:
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", answer.content_type),
        ("Content-Length", str(sum(map(len, answer.body)))),
        ("Connection", "close"),
        *answer.headers,
    ]
    reason = HTTPStatus(answer.code).phrase.encode()
    yield protocol.send(h11.Response(status_code=answer.code, headers=headers, reason=reason)) or b""
    if not answer.is_head:
        for piece in answer.body:
            yield protocol.send(h11.Data(data=piece)) or b""
    yield protocol.send(h11.EndOfMessage()) or b""


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close our side, then read until the peer has closed: closing on unread bytes would reset the answer away."""
    writer.write_eof()
    while await reader.read(_CHUNK):
        pass
