"""The API socket: handshake, registrations, who is answered; must not know what a request asks for.

From VPP src/vlibmemory/socket_api.c. Every connection has a registration, whose handle the handshake tells. An answer
goes to the registration that the request names: a request with a wrong one is carried out and answered to nobody. A
message that is too short, or whose id is unknown, is logged and dropped. Faults that were ordered come in between the
engine's answers and the client.
"""

import logging
import socket
import struct
from collections.abc import Iterator
from typing import NoReturn

import trio

from maglev.emulator.api import Answers, Api
from maglev.emulator.connection import MESSAGE_BYTES_MAX, Connection
from maglev.emulator.faults import Fault, Faults, Kind, mangled
from maglev.emulator.lb import Died
from maglev.emulator.unix_socket import accept, listening
from maglev.emulator.wire import Fields, Wire
from maglev.errors import ProtocolError

_log = logging.getLogger(__name__)

CONNECTIONS_MAX = 256

_MESSAGES_PER_TURN = 32
_SOCKET_HANDLE = 1 << 31
_CONTEXT_OF_CREATE = struct.Struct(">2xI")


class ApiServer:
    """Serves one engine to any number of clients, within bounds."""

    def __init__(self, api: Api, faults: Faults) -> None:
        self._api = api
        self._faults = faults
        self._wire = Wire()
        self._connections: dict[int, Connection] = {}
        self._free_numbers: list[int] = []

    @property
    def connections(self) -> int:
        """How many clients there are."""
        return len(self._connections)

    def kill(self) -> None:
        """Break all connections, as VPP does by dying."""
        for connection in self._connections.values():
            connection.scope.cancel()

    async def serve(self, path: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen at `path` until cancelled, started once connections are taken; removes the socket it made, no other.

        Raises Unavailable when it cannot listen there, and lb.Died.
        """
        death: Died | None = None
        async with listening(path, socket.SOCK_STREAM, "API") as listener:
            try:
                async with trio.open_nursery() as nursery:
                    task_status.started()
                    await self._accept_all(listener, nursery)
            except* Died as group:
                death = _first(group)
        if death is not None:
            raise death

    async def _accept_all(self, listener: trio.socket.SocketType, nursery: trio.Nursery) -> None:
        while True:
            accepted = await accept(listener)
            if accepted is None:
                continue
            stream = trio.SocketStream(accepted)
            if len(self._connections) >= CONNECTIONS_MAX:
                _log.warning("%d API clients are enough: one turned away", CONNECTIONS_MAX)
                await trio.aclose_forcefully(stream)
            else:
                nursery.start_soon(self._serve_client, stream, self._register(stream))

    def _register(self, stream: trio.SocketStream) -> Connection:
        number = self._free_numbers.pop() if self._free_numbers else len(self._connections) + 1
        connection = Connection(stream, _SOCKET_HANDLE | number)
        self._connections[connection.handle] = connection
        return connection

    async def _serve_client(self, stream: trio.SocketStream, connection: Connection) -> None:
        try:
            # The stream is closed outside of the scope: Cancelled out of its closing would replace Died.
            async with stream:
                with connection.scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(connection.send)
                        await self._take_all(connection)
                        nursery.cancel_scope.cancel()
        finally:
            del self._connections[connection.handle]
            self._free_numbers.append(connection.handle & ~_SOCKET_HANDLE)

    async def _take_all(self, connection: Connection) -> None:
        while await connection.receive():
            for turn, message in enumerate(connection.messages(), 1):
                try:
                    await self._take(connection, message)
                except ProtocolError as error:
                    _log.warning("%s: dropped", error)
                if turn % _MESSAGES_PER_TURN == 0:
                    await trio.lowlevel.checkpoint()
            connection.put_held()
            if connection.is_mute:
                await self._end(connection)
            if connection.is_choked:
                _log.warning("API client sends a message of more than %d bytes: disconnected", MESSAGE_BYTES_MAX)
                return

    async def _take(self, connection: Connection, message: bytes) -> None:
        name = self._wire.name(message)
        match name:
            case None:
                raise ProtocolError("no handler for this message", id=int.from_bytes(message[:2], "big"))
            case "sockclnt_create":
                self._greet(connection, message)
            case "sockclnt_delete":
                self._part(connection, self._wire.unpack(name, message))
            case _:
                request = self._wire.unpack(name, message)
                fault = self._faults.strike(name, request)
                if fault is None:
                    await self._answer(name, request)
                else:
                    await self._answer_wrong(fault, connection, name, request)
        await connection.room()

    def _greet(self, connection: Connection, message: bytes) -> None:
        if len(message) < _CONTEXT_OF_CREATE.size:
            raise ProtocolError("truncated message", message="sockclnt_create", bytes=len(message))
        # Not unpacked in full: the name after the context may be any bytes, and we have no use for it.
        (context,) = _CONTEXT_OF_CREATE.unpack_from(message)
        table = self._wire.table
        fields = {"response": 0, "index": connection.handle, "count": len(table), "message_table": table}
        connection.put(self._wire.frame("sockclnt_create_reply", {"context": context, **fields}))

    def _part(self, connection: Connection, request: Fields) -> None:
        if request["client_index"] not in self._connections:
            return
        is_known = request["index"] in self._connections
        fields = {"context": request["context"], "response": 1 if is_known else -1}
        connection.put(self._wire.frame("sockclnt_delete_reply", fields))
        if is_known:
            connection.end_when_sent()
        else:
            _log.warning("unknown client ID %d", request["index"])

    async def _answer(self, name: str, request: Fields) -> None:
        answers = self._api.answer(name, request)
        if answers is None:
            raise ProtocolError("no handler for this message", name=name)
        recipient = self._connections.get(request["client_index"])
        if recipient is None:
            return
        for turn, frame in enumerate(self._frames(request, answers), 1):
            recipient.put(frame)
            await recipient.room()
            if turn % _MESSAGES_PER_TURN == 0:
                await trio.lowlevel.checkpoint()

    def _frames(self, request: Fields, answers: Answers) -> Iterator[bytes]:
        context = {"context": request["context"]}
        return (self._wire.frame(name, context | dict(fields)) for name, fields in answers)

    async def _answer_wrong(self, fault: Fault, connection: Connection, name: str, request: Fields) -> None:
        """As the fault wants it; the answer goes to the connection that asked, whatever the request names."""
        if fault.kind is Kind.STALL:
            await connection.discard_all()
            return
        if fault.kind is Kind.REFUSE:
            answers: Answers | None = [(f"{name}_reply", {"retval": int(fault.figure)})]
        else:
            answers = self._api.answer(name, request)
        frames = [each for frame in self._frames(request, answers or ()) for each in mangled(fault, frame)]
        match fault.kind:
            case Kind.DIE:
                raise Died("VPP was ordered to die here", fault=fault)
            case Kind.MUTE:
                return
            case Kind.LOSE:
                connection.is_mute = True
            case Kind.REVERSE:
                connection.hold(b"".join(frames))
                return
            case Kind.LATE:
                await trio.sleep(fault.figure)
        connection.put(b"".join(frames))
        if fault.kind is Kind.BREAK:
            await self._end(connection)

    async def _end(self, connection: Connection) -> NoReturn:
        """Take nothing more from the client; what is queued is still sent, which ends the connection."""
        connection.end_when_sent()
        await trio.sleep_forever()


def _first(group: BaseExceptionGroup[Died]) -> Died:
    """There is no dying twice: the first to be found."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
