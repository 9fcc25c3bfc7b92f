"""What is read without h11 is read as h11 reads it."""

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maglev.probes.head import plain_status

CODES = st.sampled_from(b"200 204 301 304 404 503 599 600 100 103 2000 20".split())
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1"])
REASONS = st.sampled_from([b"", b" ", b" OK", b" Not  Found ", b" \xe9t\xe9", b" a\x00b", b" tab\tbed", b"\tOK"])
ENDS = st.sampled_from([b"\r\n"] * 6 + [b"\n", b"\r"])
HEADERS = st.sampled_from(
    [
        b"Server: x",
        b"Date: Tue, 24 Nov 2026 09:00:00 GMT",
        b"Empty:",
        b"Content-Length: 5",
        b"content-length:5",
        b"Content-Length: 6",
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: 5, 6",
        b"Content-Length: 0x5",
        b"Content-Length: \xb2",
        b"Content-Length:" + b"9" * 30,
        b"Content-Length : 5",
        b"Content-Length-Of: any",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked ",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Connection: close",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b" folded",
        b"\tfolded",
        b"no colon",
        b": no name",
        b"a b: c",
        b"X: a\x00b",
        b"X: a\x7fb",
        b"X: \xff\x80",
        b"X:\x0b",
        b"X: a\tb",
    ]
)


def by_h11(data: bytes) -> tuple[int, bytes] | None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x"), ("Connection", "close")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return (event.status_code, bytes(event.reason)) if isinstance(event, h11.Response) else None


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = [draw(VERSIONS) + b" " + draw(CODES) + draw(REASONS), *draw(st.lists(HEADERS, max_size=4)), b""]
    return b"".join(line + draw(ENDS) for line in lines) + draw(st.sampled_from([b"", b"hello", b"\r\n"]))


@given(heads())
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")
@example(b"HTTP/1.1 200\r\n\r\n")
@example(b"HTTP/1.1 200OK\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\n\r\n\r\n")
def test_what_is_plain_is_read_as_h11_reads_it(data: bytes) -> None:
    if (plain := plain_status(data)) is not None:
        assert by_h11(data) == plain


@given(heads(), st.integers(0, 200), st.binary(max_size=3))
def test_so_is_what_was_damaged_or_cut(data: bytes, place: int, damage: bytes) -> None:
    for changed in (data[:place] + damage + data[place + 1 :], data[:place]):
        if (plain := plain_status(changed)) is not None:
            assert by_h11(changed) == plain


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Server: nginx\r\nDate: Tue, 24 Nov 2026 09:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 5\r\n",
        b"Server: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n",
        b"Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nX: \r\n",
    ],
)
@pytest.mark.parametrize("code", [200, 204, 301, 404, 503])
def test_what_servers_usually_say_is_plain(code: int, headers: bytes) -> None:
    assert plain_status(b"HTTP/1.1 %d Some Reason\r\n%b\r\nrest" % (code, headers)) == (code, b"Some Reason")
