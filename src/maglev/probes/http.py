"""GETs one path and judges status and body; follows no redirect and keeps no connection.

The peer is not trusted: the head is bounded by h11, interim answers and the body that is looked at by constants, and
all of it by the probe's deadline.
"""

import ssl
from contextlib import suppress

import h11
import re2
import trio

from maglev import __version__
from maglev.core.model import HttpSpec, IPAddress
from maglev.probes.tcp import connected
from maglev.probes.tls import secured, why_broken
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict

MAX_HEAD = 16 * 1024  # bytes of status line and headers, and of any one line of a chunked body
MAX_INTERIM = 8  # answers 1xx before the real one
MAX_BODY = 16 * 1024  # bytes searched, as in HAProxy; the time is linear in it, with all else standing still
CHUNK = 16 * 1024
START = b"HTTP/"  # of every answer; h11 would wait for the end of a head that cannot become one

# For `re2.compile`, whose own cache of 128 patterns saves compiling at each probe; with more it is a millisecond or so.
# The configuration has judged the pattern under the same options.
_REGEXP = re2.Options()
_REGEXP.log_errors = False
_REGEXP.never_capture = True  # only whether it matches is asked
_REGEXP.max_mem = 1024 * 1024


async def check_http(spec: HttpSpec, target: Target, progress: Progress) -> Verdict:
    """GET `spec.path`, over TLS where the spec says so."""
    async with connected(target, spec.port, progress) as stream:
        if spec.tls is None:
            return await _answer(stream, spec, target, progress)
        async with secured(stream, spec.tls, progress) as channel:
            return await _answer(channel, spec, target, progress)


async def _answer(stream: trio.abc.Stream, spec: HttpSpec, target: Target, progress: Progress) -> Verdict:
    progress.phase = Phase.ANSWER
    try:
        return await _Exchange(stream).judge(spec, target.address)
    except trio.BrokenResourceError as error:
        # With TLS 1.3 a server that wants a certificate of ours says so only after the handshake.
        code = Code.L6RSP if isinstance(error.__cause__, ssl.SSLError) else Code.L7RSP
        raise Fault(code, f"the connection broke: {why_broken(error)}") from error


class _Exchange:
    """One request and its answer over `stream`."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._start = b""

    async def judge(self, spec: HttpSpec, address: IPAddress) -> Verdict:
        await self._send(_request(spec, address))
        response = await self._response()
        status = f"HTTP {response.status_code} {response.reason.decode('latin-1')}".rstrip()
        if not any(low <= response.status_code <= high for low, high in spec.codes):
            raise Fault(Code.L7STS, status)
        if spec.body_regexp is None:
            return Verdict(Code.L7OK, status)
        body, is_whole = await self._body()
        text = body.decode("utf-8", "replace").encode()  # a `.` shall match what is no UTF-8 too, as in Go
        if not re2.compile(spec.body_regexp, _REGEXP).search(text):
            where = "the body" if is_whole else f"the first {MAX_BODY} bytes of the body"
            raise Fault(Code.L7RSP, f"{where} did not match response-regexp")
        return Verdict(Code.L7OK, status)

    async def _send(self, request: h11.Request) -> None:
        head, end = self._http.send(request), self._http.send(h11.EndOfMessage())
        # A server may answer and close without reading; what it said counts, and is read next.
        with suppress(trio.BrokenResourceError):
            await self._stream.send_all((head or b"") + (end or b""))

    async def _response(self) -> h11.Response:
        for _ in range(MAX_INTERIM + 1):
            match await self._event():
                case h11.Response() as response:
                    return response
                case h11.InformationalResponse():
                    continue
                case _:
                    raise Fault(Code.L7RSP, "closed without an HTTP answer")
        raise Fault(Code.L7RSP, f"more than {MAX_INTERIM} interim answers")

    async def _body(self) -> tuple[bytes, bool]:
        """The body, at most MAX_BODY of it, and whether that is all."""
        body = bytearray()
        while len(body) < MAX_BODY:
            match await self._event():
                case h11.Data(data=data):
                    body += data
                case _:
                    return bytes(body), True
        return bytes(body[:MAX_BODY]), False

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise Fault(Code.L7RSP, f"no proper HTTP answer: {error}") from error
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._received())

    async def _received(self) -> bytes:
        chunk = bytes(await self._stream.receive_some(CHUNK))
        if not chunk and self._http.their_state is h11.SEND_RESPONSE and not self._http.trailing_data[0]:
            raise Fault(Code.L7RSP, "closed without an HTTP answer")
        if len(self._start) < len(START):
            self._start += chunk[:32]
            if not self._start.startswith(START[: len(self._start)]):
                raise Fault(Code.L7RSP, f"no HTTP answer: it begins with {self._start!r}")
        return chunk


def _request(spec: HttpSpec, address: IPAddress) -> h11.Request:
    headers = [
        ("Host", spec.host or _host(address, spec.port, 443 if spec.tls else 80)),
        ("User-Agent", f"maglev/{__version__}"),
        ("Accept", "*/*"),
        ("Connection", "close"),
    ]
    return h11.Request(method="GET", target=spec.path, headers=headers)


def _host(address: IPAddress, port: int, usual_port: int) -> str:
    bare = str(address).partition("%")[0]  # a zone means something here only
    host = f"[{bare}]" if address.version == 6 else bare
    return host if port == usual_port else f"{host}:{port}"
