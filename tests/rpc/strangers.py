"""Clients that gRPC's own library would never be, in raw HTTP/2: frames of RFC 9113, headers of RFC 7541."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = b"\0\4"
_FRAME_HEAD = 9


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


GREETING = PREFACE + frame(SETTINGS, 0, 0)


def call_headers(path: str) -> bytes:
    """The HEADERS frame on stream 1 that begins a call; by itself, one whose request never comes."""
    fields = {b":path": path.encode(), b":authority": b"a", b"content-type": b"application/grpc", b"te": b"trailers"}
    pairs = (b"\0%c%s%c%s" % (len(name), name, len(value), value) for name, value in fields.items())
    return frame(HEADERS, END_HEADERS, 1, b"\x83\x86" + b"".join(pairs))  # POST and http are in HPACK's table


@asynccontextmanager
async def deaf_call(address: str, path: str, request: bytes) -> AsyncIterator[None]:
    """A call whose caller lets no byte of an answer come; it is under way when this begins."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    message = b"\0" + len(request).to_bytes(4) + request
    writer.write(
        PREFACE
        + frame(SETTINGS, 0, 0, INITIAL_WINDOW_SIZE + bytes(4))
        + call_headers(path)
        + frame(DATA, END_STREAM, 1, message)
    )
    try:
        kind = -1
        while kind != HEADERS:  # which no window holds back: they go out with the first message of the answer
            head = await reader.readexactly(_FRAME_HEAD)
            kind = head[3]
            await reader.readexactly(int.from_bytes(head[:3]))
            if kind == SETTINGS and not head[4]:
                writer.write(frame(SETTINGS, 1, 0))
        yield
    finally:
        writer.close()
        await writer.wait_closed()
