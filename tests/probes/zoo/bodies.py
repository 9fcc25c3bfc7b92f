"""Animals without TLS whose head is right: what they do in the body, asked for a word in it or not."""

import gzip

from tests.probes.peers import Handler, says
from tests.probes.zoo import dens, differences
from tests.probes.zoo.animal import L7OK, L7RSP, L7STS, L7TOUT, Animal, Difference, Outcome, answer, http
from tests.probes.zoo.dens import RESET_S, answers_and_resets, answers_and_stays, answers_in_parts, plain, repeats

_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_BAD_CHUNK = answer(b"200 OK", _CHUNKED, b"zz\r\nhello")


def _sized(length: int, body: bytes, status: bytes = b"200 OK") -> bytes:
    return answer(status, b"Content-Length: %d\r\n" % length, body)


def _unsized(body: bytes, headers: bytes = b"") -> bytes:
    return answer(b"200 OK", headers, body)


def _chunked(chunks: bytes) -> bytes:
    return answer(b"200 OK", _CHUNKED, chunks)


def _asked(
    name: str, does: str, handler: Handler | bytes, ours: Outcome, difference: Difference | None = None
) -> Animal:
    """One that has to say "hello"; bytes are said in answer to the request, and the connection closed."""
    den = plain(says(handler) if isinstance(handler, bytes) else handler)
    return Animal(name, does, den, http(body="hello"), ours, difference)


def _unasked(
    name: str, does: str, handler: Handler | bytes, ours: Outcome, difference: Difference | None = None
) -> Animal:
    den = plain(says(handler) if isinstance(handler, bytes) else handler)
    return Animal(name, does, den, http(), ours, difference)


BODY = (
    _asked("body", "the word", _sized(5, b"hello"), L7OK),
    _asked("wrong-body", "another word", _sized(3, b"bye"), L7RSP),
    _asked("busy-body", "503 with the word", _sized(5, b"hello", b"503 Busy"), L7STS),
    _asked("no-body", "204", answer(b"204 No Content", b""), L7RSP),
    _asked("empty-body", "200 with an empty body", _sized(0, b""), L7RSP),
    _asked("two-parts", "the word in two parts", answers_in_parts(_sized(5, b"hel"), b"lo"), L7OK),
    Animal(
        "second-thought",
        "`ok`, and after a second `, but degraded`",
        plain(answers_in_parts(_sized(16, b"ok"), b", but degraded", pause_s=RESET_S)),
        http(body="^ok$"),
        L7RSP,
        differences.EARLY,
    ),
    _asked("chunks", "the word in two chunks", _chunked(b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), L7OK),
    _asked("bad-chunk", "a chunk without size", _BAD_CHUNK, L7RSP),
    _unasked("bad-chunk-unasked", "a chunk without size", _BAD_CHUNK, L7OK, differences.UNASKED),
    _asked(
        "cut-chunks", "the word, closes before the last chunk", _chunked(b"5\r\nhello\r\n"), L7RSP, differences.EARLY
    ),
    _asked("until-close", "the word, then the close is the end", _unsized(b"hello"), L7OK),
    _asked("no-end", "the word, no length, no close", answers_and_stays(_unsized(b"hello")), L7TOUT, differences.EARLY),
    _asked("short-length", "the word lies behind Content-Length", _sized(3, b"hello"), L7RSP),
    _unasked("long-length-unasked", "closes before Content-Length", _sized(500, b"hello"), L7OK),
    _asked("long-length", "the word, closes before Content-Length", _sized(500, b"hello"), L7RSP, differences.EARLY),
    _asked("cut-body", "closes before Content-Length, and before the word", _sized(500, b"hel"), L7RSP),
    _unasked("resets-in-body-unasked", "resets in the body", answers_and_resets(_sized(500, b"hello")), L7OK),
    _unasked("busy-resets", "503, resets in the body", answers_and_resets(_sized(500, b"no", b"503 Busy")), L7STS),
    _asked("resets-in-body", "resets before the word", answers_and_resets(_sized(9, b"hel")), L7RSP, differences.RESET),
    _asked("resets-later", "the word, then resets", answers_and_resets(_sized(9, b"hello")), L7RSP, differences.EARLY),
    _unasked("stops-in-body-unasked", "stops in the body", answers_and_stays(_sized(9, b"hello")), L7OK),
    _asked("stops-in-body", "stops before the word", answers_and_stays(_sized(9, b"hel")), L7TOUT),
    _asked("stops-later", "the word, then stops", answers_and_stays(_sized(9, b"hello")), L7TOUT, differences.EARLY),
    _asked("drips-body", "a byte each 0.25 s", repeats(_sized(5000, b""), b"x", dens.PAUSE_S), L7TOUT),
    _asked("endless-body", "a body for ever", repeats(_unsized(b""), b"x" * 4096), L7RSP),
    _asked("word-at-15k", "the word behind 15 KiB", _unsized(b"x" * 15360 + b"hello"), L7OK),
    _asked("word-at-20k", "the word behind 20 KiB", _unsized(b"x" * 20480 + b"hello"), L7RSP),
    _asked("packed", "the word in gzip", _unsized(gzip.compress(b"hello"), b"Content-Encoding: gzip\r\n"), L7RSP),
    _asked("word-in-head", "the word in a header only", _unsized(b"bye", b"X: hello\r\n"), L7RSP),
)
