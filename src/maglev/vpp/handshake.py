"""The first two messages of an API socket: who we are, and VPP's numbers for messages; nothing can be asked before."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import trio

from maglev.errors import ProtocolError, Unavailable
from maglev.vpp.codec import text
from maglev.vpp.framing import Splitter, framed
from maglev.vpp.wire import Bootstrap

SOCKCLNT_CREATE, SOCKCLNT_CREATE_REPLY = 15, 16
"""The only message numbers that are the same in every VPP."""

_START = struct.Struct(">HI")
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Greeting:
    """What VPP gave us: our `client_index`, and its message numbers by `name_crc`."""

    client_index: int
    table: Mapping[str, int]


async def greet(stream: trio.SocketStream, client_name: str, bootstrap: Bootstrap) -> Greeting:
    """Register as a client. Raises Unavailable when VPP hangs up, ProtocolError for an answer that is none."""
    request = _START.pack(SOCKCLNT_CREATE, 0) + bootstrap.create(client_name.encode())
    try:
        await stream.send_all(framed(request))
        reply = await _one_message(stream)
    except trio.BrokenResourceError as error:
        raise Unavailable("VPP hung up during the handshake", seen=error.__cause__ or error) from error
    number, _ = _START.unpack_from(reply)
    if number != SOCKCLNT_CREATE_REPLY:
        raise ProtocolError(
            "VPP answered the handshake with another message",
            seen=number,
            expected=SOCKCLNT_CREATE_REPLY,
            hint="is this VPP's API socket?",
        )
    response, client_index, entries = bootstrap.create_reply(reply)
    if response:
        raise ProtocolError("VPP did not take us as a client", response=response)
    return Greeting(client_index, {text(name): number for number, name in entries})


async def _one_message(stream: trio.SocketStream) -> bytes:
    splitter = Splitter()
    while True:
        chunk = await stream.receive_some(_CHUNK)
        if not chunk:
            raise Unavailable("VPP hung up during the handshake")
        messages = splitter.feed(chunk)
        if messages:
            break
    if len(messages) > 1 or not splitter.is_empty:
        raise ProtocolError("VPP sent more than an answer to the handshake", seen=f"{len(messages)} messages")
    return messages[0]
