"""A VPP that behaves as badly as a test wants: a real unix socket, frames by hand; knows no lb semantics."""

import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from maglev.core.events import Event
from maglev.vpp.handshake import greet
from maglev.vpp.library import without_crc
from maglev.vpp.transport import Transport, running
from maglev.vpp.wire import NEEDED, Bootstrap
from tests.vpp.samples import DEFINITIONS

FRAME = struct.Struct(">QII")
CLIENT_INDEX = 0x80000001
TABLE: Mapping[str, int] = {
    f"{name}_{crc}": {"sockclnt_create": 15, "sockclnt_create_reply": 16}.get(name, 100 + position)
    for position, (name, crc) in enumerate(NEEDED.items())
}
NUMBERS = without_crc(TABLE)


def frame(message: bytes, length: int | None = None) -> bytes:
    """A frame, as VPP makes it: pointer and timestamp are what they happen to be."""
    return FRAME.pack(0x7F00_1234_5678, len(message) if length is None else length, 77) + message


def reply(name: str, context: int, retval: int = 0, body: bytes = b"") -> bytes:
    return frame(struct.pack(">HIi", NUMBERS[name], context, retval) + body)


def detail(name: str, context: int, body: bytes = b"") -> bytes:
    return frame(struct.pack(">HI", NUMBERS[name], context) + body)


class Asked:
    """A request as it came."""

    def __init__(self, message: bytes) -> None:
        self.number, self.client_index, self.context = struct.unpack_from(">HII", message)
        self.body = message[10:]
        self.name = next((name for name, number in NUMBERS.items() if number == self.number), "?")


class Client:
    """The peer's end of one connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def message(self) -> bytes:
        """The next whole message; EOFError when the client hung up."""
        while True:
            if len(self._buffer) >= FRAME.size:
                end = FRAME.size + FRAME.unpack_from(self._buffer)[1]
                if len(self._buffer) >= end:
                    message = bytes(self._buffer[FRAME.size : end])
                    del self._buffer[:end]
                    return message
            chunk = await self.stream.receive_some(65536)
            if not chunk:
                raise EOFError
            self._buffer += chunk

    async def asked(self) -> Asked:
        return Asked(await self.message())

    async def send(self, *frames: bytes) -> None:
        await self.stream.send_all(b"".join(frames))

    async def shake_hands(self, table: Mapping[str, int] = TABLE) -> None:
        number, context = struct.unpack_from(">HI", await self.message())
        assert number == 15
        entries = b"".join(struct.pack(">H64s", at, name.encode()) for name, at in table.items())
        await self.send(frame(struct.pack(">HIIiIH", 16, 0, context, 0, CLIENT_INDEX, len(table)) + entries))

    async def introduce_itself(self, definitions: object = DEFINITIONS) -> None:
        """Answer all that a session asks before it is one."""
        await self.shake_hands()
        for _ in range(3):
            await self.answer(await self.asked(), definitions)

    async def answer(self, asked: Asked, definitions: object = DEFINITIONS) -> None:
        body = b""
        match asked.name:
            case "get_api_json":
                text = json.dumps(definitions).encode()
                body = struct.pack(">I", len(text)) + text + b"\0"
            case "control_ping":
                body = struct.pack(">II", 0, 4711)
            case "show_version":
                body = struct.pack(">32s32s32s256s", b"vpe", b"26.10-test", b"today", b"/src")
        await self.send(reply(f"{asked.name}_reply", asked.context, body=body))


Script = Callable[[Client], Awaitable[None]]


async def listen(nursery: trio.Nursery, path: Path, script: Script) -> str:
    """Run `script` for each connection to the socket at `path`; a client that hangs up ends it."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await script(Client(stream))
            except (EOFError, trio.BrokenResourceError):
                return

    listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await listener.bind(str(path))
    listener.listen()
    await nursery.start(trio.serve_listeners, serve, [trio.SocketListener(listener)])
    return str(path)


@asynccontextmanager
async def connected(nursery: trio.Nursery, path: Path, script: Script, events: list[Event]) -> AsyncIterator[Transport]:
    """A transport past its handshake with a peer that then runs `script`."""

    async def all_of_it(client: Client) -> None:
        await client.shake_hands()
        await script(client)

    stream = await trio.open_unix_socket(await listen(nursery, path / "api.sock", all_of_it))
    async with stream:
        greeting = await greet(stream, "test", Bootstrap())
        async with running(stream, greeting.client_index, without_crc(greeting.table), events.append) as transport:
            yield transport
