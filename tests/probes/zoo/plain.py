"""Animals without TLS: what they do with the connection, and with the head of the answer."""

from tests.probes import peers
from tests.probes.peers import OK, Handler, says
from tests.probes.zoo import dens, differences
from tests.probes.zoo.animal import (
    L4CON,
    L4OK,
    L4TOUT,
    L7OK,
    L7RSP,
    L7STS,
    L7TOUT,
    Animal,
    Difference,
    Outcome,
    Question,
    answer,
    http,
    tcp,
)
from tests.probes.zoo.dens import answers_and_resets, answers_and_stays, answers_in_parts, plain, repeats, speaks_first

_HTTP2_SETTINGS = bytes.fromhex("000000040000000000")
_HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
_ANY_2XX_OR_401 = http(codes=((200, 299), (401, 401)))


def _http(
    name: str,
    does: str,
    handler: Handler | bytes,
    ours: Outcome,
    difference: Difference | None = None,
    *,
    question: Question | None = None,
) -> Animal:
    """One that is asked by HTTP; bytes are said in answer to the request, and the connection closed."""
    den = plain(says(handler) if isinstance(handler, bytes) else handler)
    return Animal(name, does, den, question or http(), ours, difference)


def _tcp(name: str, does: str, handler: Handler) -> Animal:
    return Animal(name, does, plain(handler), tcp(), L4OK)


CONNECTION = (
    Animal("refuses", "nobody listens", dens.nobody, tcp(), L4CON),
    Animal("refuses-http", "nobody listens", dens.nobody, http(), L4CON),
    Animal("drops-syns", "drops SYNs, its queue is full", dens.deaf, tcp(), L4TOUT),
    Animal("drops-syns-http", "drops SYNs, its queue is full", dens.deaf, http(), L4TOUT),
    _tcp("listens", "accepts, is silent", peers.silent),
    _tcp("hangs-up-tcp", "accepts, closes", peers.closes),
    _tcp("greets-tcp", "greets as SMTP does", speaks_first(b"220 mail ESMTP\r\n")),
    _http("silent", "accepts, never answers", peers.silent, L7TOUT),
    _http("closes", "closes after the request", b"", L7RSP),
    _http("resets", "resets after the request", peers.resets_at_once, L7RSP, differences.RESET),
)

STATUS = (
    _http("healthy", "200", OK, L7OK),
    _http("keeps-alive", "200, the connection stays open", answers_and_stays(OK), L7OK),
    _http("impatient", "200 before the request", speaks_first(OK), L7OK),
    _http("impatient-503", "503 before the request", speaks_first(answer(b"503 Full")), L7STS),
    _http("terse", "200 without a reason", answer(b"200"), L7OK),
    _http("edge-199", "199, closes", answer(b"199 Low"), L7RSP, differences.INTERIM),
    _http("edge-299", "299", answer(b"299 High"), L7OK),
    _http("edge-300", "300", answer(b"300 Choices"), L7STS),
    _http("no-content", "204", answer(b"204 No Content", b""), L7OK),
    _http("not-modified", "304", answer(b"304 Not Modified", b""), L7OK, question=http(codes=((304, 304),))),
    _http("locked", "401", answer(b"401 Who"), L7OK, question=_ANY_2XX_OR_401),
    _http("lost", "404", answer(b"404 Not Found"), L7STS, question=_ANY_2XX_OR_401),
    _http("busy", "503", answer(b"503 Busy"), L7STS),
    _http("moved", "302, a redirect", answer(b"302 Found", b"Location: /\r\nContent-Length: 0\r\n"), L7STS),
    _http("moved-expected", "302, a redirect", answer(b"302 Found"), L7OK, question=http(codes=((200, 399),))),
    _http("two-digits", "status 20", answer(b"20 OK"), L7RSP, differences.DIGITS),
    _http("four-digits", "status 2000", answer(b"2000 OK"), L7RSP, differences.DIGITS),
    _http("hints", "103, then 200", _HINTS + OK, L7OK, differences.INTERIM),
    _http("hints-for-ever", "103 for ever", repeats(b"", _HINTS), L7RSP, differences.INTERIM),
    _http("hints-only", "103, then silence", answers_and_stays(_HINTS), L7TOUT, differences.INTERIM),
    _http("switches", "101", answer(b"101 Switching Protocols", b"Upgrade: x\r\n"), L7RSP, differences.SWITCH),
)

PROTOCOL = (
    _http("http-0.9", "only a page, as in HTTP/0.9", b"<html>hello</html>\n", L7RSP),
    _http("http-1.0", "HTTP/1.0 200, ends with the close", b"HTTP/1.0 200 OK\r\n\r\nhello", L7OK),
    _http("http-2", "HTTP/2 settings", _HTTP2_SETTINGS, L7RSP),
    _http("http-3", "HTTP/3.0 200 as text", b"HTTP/3.0 200 OK\r\n\r\n", L7OK),
    _http("lower-case", "http/1.1 200", b"http/1.1 200 ok\r\n\r\n", L7RSP),
    _http("garbage", "bytes of no protocol", b"\x00\xff\x80\r\n" * 100, L7RSP),
    _http("ssh", "greets as SSH does", speaks_first(b"SSH-2.0-OpenSSH_9.2\r\n"), L7RSP),
    _http("smtp", "greets as SMTP does", speaks_first(b"220 mail ESMTP\r\n"), L7RSP),
    _http("line-feeds", "200, lines end with LF", OK.replace(b"\r\n", b"\n"), L7OK),
    _http("blank-first", "an empty line, then 200", b"\r\n" + OK, L7RSP, differences.SLOPPY),
)

HEAD = (
    _http("null-byte", "NUL in a header", answer(b"200 OK", b"X: a\0b\r\n"), L7RSP, differences.SLOPPY),
    _http("no-colon", "a header without colon", answer(b"200 OK", b"hello\r\n"), L7RSP),
    _http("space-colon", "a space before a colon", answer(b"200 OK", b"X : y\r\n"), L7RSP),
    _http("folded", "a folded header", answer(b"200 OK", b"X: a\r\n b\r\n"), L7OK),
    _http("two-lengths", "two lengths", answer(b"200 OK", b"Content-Length: 5\r\nContent-Length: 4\r\n"), L7RSP),
    _http("same-lengths", "a length twice", answer(b"200 OK", b"Content-Length: 0\r\nContent-Length: 0\r\n"), L7OK),
    _http("odd-length", "Content-Length: many", answer(b"200 OK", b"Content-Length: many\r\n"), L7RSP),
    _http(
        "length-and-chunks",
        "a length, and chunked",
        answer(b"200 OK", b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        L7OK,
    ),
    _http(
        "resets-in-head", "resets in the head", answers_and_resets(b"HTTP/1.1 200 OK\r\nX"), L7RSP, differences.RESET
    ),
    _http("closes-in-head", "closes in the head", b"HTTP/1.1 200 OK\r\nX", L7RSP),
    _http("stops-in-head", "stops in the head", answers_and_stays(b"HTTP/1.1 200 OK\r\nX"), L7TOUT),
    _http("drips-head", "a byte each 0.25 s", repeats(b"HTTP/1.1 200 OK\r\nX: ", b"x", dens.PAUSE_S), L7TOUT),
    _http("slow-head", "the head in three parts, in time", answers_in_parts(OK[:10], OK[10:30], OK[30:]), L7OK),
    _http("endless-head", "headers for ever", repeats(b"HTTP/1.1 200 OK\r\n", b"X: filler\r\n" * 100), L7RSP),
    _http("endless-header", "one header for ever", repeats(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000), L7RSP),
    _http("endless-status", "a status line for ever", repeats(b"HTTP/1.1 200 ", b"O" * 1000), L7RSP),
    _http("giant-header", "a header of 64 KiB", answer(b"200 OK", b"X: %b\r\n" % (b"x" * 65536)), L7RSP),
    _http("many-headers", "150 short headers", answer(b"200 OK", b"X: y\r\n" * 150), L7OK, differences.HEADERS),
)
