import select
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from maglev.core.events import Event, VppMessage
from maglev.errors import ProtocolError, Unavailable
from maglev.vpp import transport as transport_module
from maglev.vpp.framing import MAX_FRAME
from maglev.vpp.transport import BURST, WINDOW, Ask, Call, Dump, Transport
from tests.processes import DEADLINE_S
from tests.vpp.peer import CLIENT_INDEX, NUMBERS, Asked, Client, Script, connected, detail, frame, reply

PING = Call("control_ping", b"", "control_ping_reply")
WEIGHT = Call("lb_as_set_weight", b"", "lb_as_set_weight_reply")
DUMP = Dump("lb_vip_dump", b"", "lb_vip_details")


def weight(number: int) -> Call:
    return Call("lb_as_set_weight", struct.pack(">I", number), "lb_as_set_weight_reply")


def numbered(asked: Asked) -> bytes:
    """Answer a `weight(n)` with the retval n, so that a mixed up answer is seen."""
    return reply("lb_as_set_weight_reply", asked.context, *struct.unpack(">I", asked.body))


def retvals(answers: Sequence[Sequence[bytes]]) -> list[int]:
    return [struct.unpack_from(">i", answer[0], 6)[0] for answer in answers]


async def ask(
    nursery: trio.Nursery, path: Path, script: Script, asks: Iterable[Ask], events: list[Event] | None = None
) -> list[list[bytes]]:
    async with connected(nursery, path, script, [] if events is None else events) as transport:
        with trio.fail_after(DEADLINE_S):
            return await transport.exchange(asks)


async def echo(client: Client) -> None:
    while True:
        await client.send(numbered(await client.asked()))


async def test_answers_come_in_the_order_of_the_questions(nursery: trio.Nursery, tmp_path: Path) -> None:
    assert retvals(await ask(nursery, tmp_path, echo, [weight(n) for n in range(10)])) == list(range(10))


async def test_nothing_to_ask_is_answered_at_once(nursery: trio.Nursery, tmp_path: Path) -> None:
    assert await ask(nursery, tmp_path, echo, []) == []


async def test_replies_out_of_order_find_their_questions(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def backwards(client: Client) -> None:
        asked = [await client.asked() for _ in range(20)]
        await client.send(*map(numbered, reversed(asked)))

    assert retvals(await ask(nursery, tmp_path, backwards, [weight(n) for n in range(20)])) == list(range(20))


async def test_a_request_carries_our_client_index(nursery: trio.Nursery, tmp_path: Path) -> None:
    seen: list[Asked] = []

    async def note(client: Client) -> None:
        seen.append(await client.asked())
        await client.send(numbered(seen[0]))

    await ask(nursery, tmp_path, note, [weight(7)])

    assert (seen[0].client_index, seen[0].name, seen[0].body) == (CLIENT_INDEX, "lb_as_set_weight", b"\0\0\0\x07")


async def test_at_most_a_window_of_requests_is_on_its_way(nursery: trio.Nursery, tmp_path: Path) -> None:
    has_more: list[bool] = []

    async def in_waves(client: Client) -> None:
        for _ in range(3):
            wave = [await client.asked() for _ in range(WINDOW)]
            await trio.testing.wait_all_tasks_blocked()
            readable, _, _ = select.select([client.stream.socket.fileno()], [], [], 0)
            has_more.append(bool(readable))
            await client.send(*map(numbered, wave))

    asks = [weight(n) for n in range(3 * WINDOW)]

    assert retvals(await ask(nursery, tmp_path, in_waves, asks)) == list(range(3 * WINDOW))
    assert has_more == [False] * 3


async def test_requests_are_made_while_vpp_works_on_those_before(nursery: trio.Nursery, tmp_path: Path) -> None:
    made = 0
    seen: list[int] = []

    def asks() -> Iterator[Call]:
        nonlocal made
        for made in range(1, 4 * BURST + 1):
            yield weight(made - 1)

    async def in_bursts(client: Client) -> None:
        for _ in range(4):
            burst = [await client.asked() for _ in range(BURST)]
            await trio.testing.wait_all_tasks_blocked()
            seen.append(made)
            await client.send(*map(numbered, burst))

    assert retvals(await ask(nursery, tmp_path, in_bursts, asks())) == list(range(4 * BURST))
    # A window is on its way, and one burst more is ready.
    assert seen == [3 * BURST, 4 * BURST, 4 * BURST, 4 * BURST]


async def test_frames_in_crumbs_are_put_together(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def crumbs(client: Client) -> None:
        for _ in range(3):
            for byte in numbered(await client.asked()):
                await client.stream.send_all(bytes([byte]))
                await trio.lowlevel.checkpoint()

    assert retvals(await ask(nursery, tmp_path, crumbs, [weight(n) for n in range(3)])) == [0, 1, 2]


async def test_a_dump_ends_where_the_ping_behind_it_is_answered(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def dump(client: Client) -> None:
        first, ping, last = [await client.asked() for _ in range(3)]
        assert (first.name, ping.name, last.name) == ("lb_vip_dump", "control_ping", "lb_as_set_weight")
        assert first.context == ping.context != last.context
        records = [detail("lb_vip_details", first.context, bytes([n])) for n in range(3)]
        await client.send(*records, reply("control_ping_reply", ping.context, body=bytes(8)), numbered(last))

    records, answer = await ask(nursery, tmp_path, dump, [DUMP, weight(5)])

    assert [record[6:] for record in records] == [b"\0", b"\1", b"\2"]
    assert retvals([answer]) == [5]


async def test_an_empty_dump_is_empty(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def dump(client: Client) -> None:
        await client.asked()
        await client.send(reply("control_ping_reply", (await client.asked()).context))

    assert await ask(nursery, tmp_path, dump, [DUMP]) == [[]]


async def test_a_dump_that_never_ends_is_a_protocol_error(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "MAX_DUMP", 1000)

    async def flood(client: Client) -> None:
        asked = await client.asked()
        while True:
            await client.send(detail("lb_vip_details", asked.context, bytes(100)))

    with pytest.raises(ProtocolError, match="larger than we take"):
        await ask(nursery, tmp_path, flood, [DUMP])


async def test_what_nobody_asked_for_is_told_and_ignored(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def chatter(client: Client) -> None:
        asked = await client.asked()
        await client.send(
            reply("lb_conf_reply", 4711),
            frame(struct.pack(">HI", 9999, asked.context)),
            reply("lb_conf_reply", asked.context),
            numbered(asked),
        )

    events: list[Event] = []

    assert retvals(await ask(nursery, tmp_path, chatter, [weight(3)], events)) == [3]
    assert events[1:4] == [
        VppMessage("lb_conf_reply", "recv", "unexpected"),
        VppMessage("message 9999", "recv", "unexpected"),
        VppMessage("lb_conf_reply", "recv", "unexpected"),
    ]


async def test_each_message_is_told_with_its_result(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def refuse(client: Client) -> None:
        await client.send(reply("lb_as_set_weight_reply", (await client.asked()).context, -6))

    events: list[Event] = []
    await ask(nursery, tmp_path, refuse, [WEIGHT], events)

    assert events == [
        VppMessage("lb_as_set_weight", "send", "ok"),
        VppMessage("lb_as_set_weight_reply", "recv", "-6"),
    ]


@pytest.mark.parametrize("length", [0, 5, MAX_FRAME + 1, 2**32 - 1])
async def test_a_frame_of_impossible_length_ends_it_for_all(nursery: trio.Nursery, tmp_path: Path, length: int) -> None:
    async def lie(client: Client) -> None:
        await client.asked()
        await client.send(frame(b"", length))
        await client.asked()

    with pytest.raises(ProtocolError, match=f"impossible length.*seen={length}"):
        await ask(nursery, tmp_path, lie, [WEIGHT])


@pytest.mark.parametrize(
    "said", [b"", b"\0" * 7, frame(b"half of it", 100)], ids=["nothing", "half a head", "half a body"]
)
async def test_a_close_in_the_middle_is_unavailable(nursery: trio.Nursery, tmp_path: Path, said: bytes) -> None:
    async def close(client: Client) -> None:
        asked = await client.asked()
        await client.send(numbered(asked), said)

    with pytest.raises(Unavailable, match=r"closed its API socket|broke"):
        await ask(nursery, tmp_path, close, [weight(1), weight(2)])


async def test_all_who_wait_are_told_each_with_an_error_of_its_own(nursery: trio.Nursery, tmp_path: Path) -> None:
    caught: list[Unavailable] = []

    async def close(client: Client) -> None:
        for _ in range(3):
            await client.asked()

    async def one(transport: Transport) -> None:
        try:
            await transport.call(WEIGHT)
        except Unavailable as error:
            caught.append(error)

    async with connected(nursery, tmp_path, close, []) as transport:
        with trio.fail_after(DEADLINE_S):
            async with trio.open_nursery() as askers:
                for _ in range(3):
                    askers.start_soon(one, transport)
        with pytest.raises(Unavailable):
            await transport.call(PING)
        with pytest.raises(Unavailable):
            await transport.lost()

    assert len(caught) == len({id(error) for error in caught}) == 3


async def test_those_who_wait_for_room_are_told_too(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def close(client: Client) -> None:
        for _ in range(WINDOW):
            await client.asked()

    with pytest.raises(Unavailable):
        await ask(nursery, tmp_path, close, [WEIGHT] * (WINDOW + 1))


async def test_a_cancelled_request_leaves_the_stream_whole_and_gives_its_place_back(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    held: list[Asked] = []
    is_full = trio.Event()
    may_answer = trio.Event()

    async def hold(client: Client) -> None:
        while len(held) < WINDOW:
            held.append(await client.asked())
        is_full.set()
        await may_answer.wait()
        await client.send(*map(numbered, held))
        await echo(client)

    async with connected(nursery, tmp_path, hold, []) as transport:
        with trio.fail_after(DEADLINE_S):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as askers:
                    askers.start_soon(transport.exchange, [weight(n) for n in range(5000)])
                    await is_full.wait()
                    scope.cancel()
            may_answer.set()
            # More than a window: it fits only when every place of the cancelled one came back.
            answers = await transport.exchange([weight(n) for n in range(2 * WINDOW)])

    assert retvals(answers) == list(range(2 * WINDOW))


async def test_a_silent_peer_is_left_at_the_callers_deadline(
    nursery: trio.Nursery, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def silence(client: Client) -> None:
        await client.asked()
        await trio.sleep_forever()

    async with connected(nursery, tmp_path, silence, []) as transport:
        with trio.move_on_after(5) as scope:
            await transport.call(WEIGHT)

    assert scope.cancelled_caught


async def test_many_tasks_share_one_connection(nursery: trio.Nursery, tmp_path: Path) -> None:
    found: dict[int, list[int]] = {}

    async def one(transport: Transport, start: int) -> None:
        found[start] = retvals(await transport.exchange([weight(n) for n in range(start, start + 300)]))

    async with connected(nursery, tmp_path, echo, []) as transport:
        with trio.fail_after(DEADLINE_S):
            async with trio.open_nursery() as askers:
                for start in (0, 1000, 2000):
                    askers.start_soon(one, transport, start)

    assert found == {start: list(range(start, start + 300)) for start in (0, 1000, 2000)}


async def test_what_the_block_raises_comes_out_as_it_is(nursery: trio.Nursery, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with connected(nursery, tmp_path, echo, []):
            raise KeyError("mine")


async def test_behind_the_block_nothing_can_be_asked(nursery: trio.Nursery, tmp_path: Path) -> None:
    async with connected(nursery, tmp_path, echo, []) as transport:
        pass

    with trio.fail_after(DEADLINE_S), pytest.raises(Unavailable, match="was closed"):
        await transport.call(WEIGHT)


def test_our_numbers_are_those_of_the_peer() -> None:
    assert NUMBERS["sockclnt_create"] == 15
