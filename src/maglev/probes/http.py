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
from maglev.probes.connections import CHUNK
from maglev.probes.head import plain_status
from maglev.probes.stream import Plain, Stream
from maglev.probes.tcp import Exchange, asked, tcp_socket
from maglev.probes.tls import secured, why_broken
from maglev.probes.verdict import Code, Fault, Phase, Progress, Target, Verdict

MAX_HEAD = 16 * 1024  # bytes of status line and headers, and of any one line of a chunked body
MAX_INTERIM = 8  # answers 1xx before the real one
MAX_BODY = 16 * 1024  # bytes searched, as in HAProxy; the time is linear in it, with all else standing still
START = b"HTTP/"  # of every answer; h11 would wait for the end of a head that cannot become one

_OTHER_HEADERS = f"User-Agent: maglev/{__version__}\r\nAccept: */*\r\nConnection: close\r\n"

# h11 reads answers by what was asked. It writes no request of ours: that takes as long as reading the answer, and ours
# differ in two words.
_ASKED = (h11.Request(method="GET", target="/", headers=[("Host", "any"), ("Connection", "close")]), h11.EndOfMessage())

# For `re2.compile`, whose own cache of 128 patterns saves compiling at each probe; with more it is a millisecond or so.
# The configuration has judged the pattern under the same options.
_REGEXP = re2.Options()
_REGEXP.log_errors = False
_REGEXP.never_capture = True  # only whether it matches is asked
_REGEXP.max_mem = 1024 * 1024


async def check_http(spec: HttpSpec, target: Target, progress: Progress, exchange: Exchange) -> Verdict:
    """GET `spec.path`, over TLS where the spec says so."""
    request = _request(spec, target.address)
    sock = tcp_socket(target)
    try:
        if spec.tls is None:
            begin = await asked(sock, target, spec.port, request, progress, exchange)
            return await _judge(Plain(sock, progress), begin, spec)
        await asked(sock, target, spec.port, None, progress, exchange)
        async with secured(sock, spec.tls, progress) as channel:
            progress.phase = Phase.ANSWER
            # A server may answer and close without reading; what it said counts, and is read next.
            with suppress(trio.BrokenResourceError):
                await channel.send_all(request)
            return await _judge(channel, bytes(await channel.receive_some(CHUNK)), spec)
    except trio.BrokenResourceError as error:
        # With TLS 1.3 a server that wants a certificate of ours says so only after the handshake.
        code = Code.L6RSP if isinstance(error.__cause__, ssl.SSLError) else Code.L7RSP
        raise Fault(code, f"the connection broke: {why_broken(error)}") from error
    finally:
        sock.close()


async def _judge(stream: Stream, begin: bytes, spec: HttpSpec) -> Verdict:
    if spec.body_regexp is None and (plain := plain_status(begin)) is not None:
        return _judged(*plain, spec)
    return await _Answer(stream, begin).judged(spec)


def _judged(code: int, reason: bytes, spec: HttpSpec) -> Verdict:
    """By the status alone. Raises Fault."""
    status = f"HTTP {code} {reason.decode('latin-1')}".rstrip()
    if not any(low <= code <= high for low, high in spec.codes):
        raise Fault(Code.L7STS, status)
    return Verdict(Code.L7OK, status)


class _Answer:
    """An answer on `stream`, of which `begin` has been received."""

    def __init__(self, stream: Stream, begin: bytes) -> None:
        self._stream = stream
        self._begin: bytes | None = begin  # until it is read
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        for event in _ASKED:
            self._http.send(event)
        self._start = b""

    async def judged(self, spec: HttpSpec) -> Verdict:
        """By status and body. Raises Fault."""
        response = await self._response()
        verdict = _judged(response.status_code, bytes(response.reason), spec)
        if spec.body_regexp is None:
            return verdict
        body, is_whole = await self._body()
        text = body.decode("utf-8", "replace").encode()  # a `.` shall match what is no UTF-8 too, as in Go
        if not re2.compile(spec.body_regexp, _REGEXP).search(text):
            where = "the body" if is_whole else f"the first {MAX_BODY} bytes of the body"
            raise Fault(Code.L7RSP, f"{where} did not match response-regexp")
        return verdict

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
        chunk, self._begin = self._begin, None
        if chunk is None:
            chunk = bytes(await self._stream.receive_some(CHUNK))
        if not chunk and self._http.their_state is h11.SEND_RESPONSE and not self._http.trailing_data[0]:
            raise Fault(Code.L7RSP, "closed without an HTTP answer")
        if len(self._start) < len(START):
            self._start += chunk[:32]
            if not self._start.startswith(START[: len(self._start)]):
                raise Fault(Code.L7RSP, f"no HTTP answer: it begins with {self._start!r}")
        return chunk


def _request(spec: HttpSpec, address: IPAddress) -> bytes:
    """The configuration lets nothing into path and host but visible ASCII."""
    host = spec.host or _host(address, spec.port, 443 if spec.tls else 80)
    return f"GET {spec.path} HTTP/1.1\r\nHost: {host}\r\n{_OTHER_HEADERS}\r\n".encode("ascii")


def _host(address: IPAddress, port: int, usual_port: int) -> str:
    bare = str(address).partition("%")[0]  # a zone means something here only
    host = f"[{bare}]" if address.version == 6 else bare
    return host if port == usual_port else f"{host}:{port}"
