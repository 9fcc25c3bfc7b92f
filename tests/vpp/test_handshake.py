import struct
from pathlib import Path

import pytest
import trio

from maglev.errors import ProtocolError, Unavailable
from maglev.vpp.handshake import Greeting, greet
from maglev.vpp.wire import Bootstrap
from tests.processes import DEADLINE_S
from tests.vpp.peer import CLIENT_INDEX, TABLE, Client, Script, frame, listen

BOOTSTRAP = Bootstrap()


async def greeting_from(nursery: trio.Nursery, path: Path, script: Script) -> Greeting:
    where = await listen(nursery, path / "api.sock", script)
    async with await trio.open_unix_socket(where) as stream:
        with trio.fail_after(DEADLINE_S):
            return await greet(stream, "vpp-maglev", BOOTSTRAP)


async def test_a_greeting_brings_our_index_and_the_message_table(nursery: trio.Nursery, tmp_path: Path) -> None:
    assert await greeting_from(nursery, tmp_path, Client.shake_hands) == Greeting(CLIENT_INDEX, TABLE)


async def test_we_say_our_name(nursery: trio.Nursery, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def note(client: Client) -> None:
        asked.append(await client.message())

    with pytest.raises(Unavailable):
        await greeting_from(nursery, tmp_path, note)

    assert asked == [struct.pack(">HI64s", 15, 0, b"vpp-maglev")]


async def test_a_peer_that_hangs_up_is_unavailable(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def hang_up(client: Client) -> None:
        await client.message()

    with pytest.raises(Unavailable, match="hung up"):
        await greeting_from(nursery, tmp_path, hang_up)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (frame(struct.pack(">HII", 17, 0, 0)), "another message"),
        (frame(struct.pack(">HIIiIH", 16, 0, 0, -1, 0, 0)), "did not take us"),
        (frame(struct.pack(">HIIiIH", 16, 0, 0, 0, 0, 3)), "wrong length"),
        (frame(struct.pack(">HIIiIH", 16, 0, 0, 0, 0, 0)) * 2, "more than an answer"),
        (frame(struct.pack(">HIIiIH", 16, 0, 0, 0, 0, 0)) + b"\0", "more than an answer"),
        (b"220 mail.example.com ESMTP ready\r\n", "impossible length"),
    ],
    ids=["another message", "refusal", "short table", "two answers", "one byte more", "no VPP at all"],
)
async def test_an_answer_that_is_none_is_a_protocol_error(
    nursery: trio.Nursery, tmp_path: Path, answer: bytes, what: str
) -> None:
    async def reply(client: Client) -> None:
        await client.message()
        await client.send(answer)

    with pytest.raises(ProtocolError, match=what):
        await greeting_from(nursery, tmp_path, reply)
