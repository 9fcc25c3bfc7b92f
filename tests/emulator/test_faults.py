"""Faults as they are written, counted and met: by bare bytes, as the product's own client might mend or hide them."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from maglev.emulator.faults import Again, Fault, Faults, Kind, parse_fault
from maglev.emulator.lb import Died
from maglev.emulator.service import Emulator, EmulatorConfig, serve
from tests.emulator.engine import vip
from tests.emulator.test_service import FRAME, PING, Client
from tests.processes import DEADLINE_S

Sockets = tuple[str, str]
CONF = "lb_conf"
KEEP = b"\xff" * 4


def conf(last: int) -> bytes:
    """The body of a write that changes nothing but a source address."""
    return bytes([192, 0, 2, last]) + bytes(16) + KEEP + KEEP


@asynccontextmanager
async def faulty(sockets: Sockets, *faults: str) -> AsyncIterator[tuple[Emulator, Client]]:
    config = EmulatorConfig(*sockets, faults=tuple(parse_fault(text) for text in faults))
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            emulator: Emulator = await nursery.start(serve, config)
            client = await Client.connect(sockets[0])
            async with client.stream:
                yield emulator, client
            nursery.cancel_scope.cancel()


async def write(client: Client, *numbers: int) -> None:
    """One write per number, which is its context too, sent at once."""
    await client.send(*(client.request(CONF, number, conf(number)) for number in numbers))


async def answers(client: Client, count: int) -> list[tuple[int, int]]:
    """Context and retval of the next `count` messages."""
    messages = [await client.receive() for _ in range(count)]
    assert {struct.unpack_from(">H", message)[0] for message in messages} <= {client.ids["lb_conf_reply"]}
    return [struct.unpack_from(">Ii", message, 2) for message in messages]


async def heard_to_the_end(client: Client) -> bytes:
    heard = b""
    while chunk := await client.stream.receive_some(1 << 16):
        heard += chunk
    return heard


def carried_out(emulator: Emulator) -> int:
    """The number of the last write that was carried out."""
    return emulator.vpp.lb.ip4_source[3]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("break", Fault(Kind.BREAK)),
        ("break:3", Fault(Kind.BREAK, at=3)),
        ("mute:any", Fault(Kind.MUTE, "any")),
        ("mute:control_ping:2+", Fault(Kind.MUTE, "control_ping", 2, Again.ALL)),
        ("refuse=-81:add-as:7=", Fault(Kind.REFUSE, "add-as", 7, Again.SAME, -81)),
        ("late=0.25:write:1", Fault(Kind.LATE, value=0.25)),
    ],
)
def test_a_fault_is_read_as_it_is_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is no kind of fault: break, lose"),
        ("explode:write:1", "'explode' is no kind"),
        ("break:lb_add_del_vip", "'lb_add_del_vip' is no request: say write, any, add-vip"),
        ("break:sockclnt_create", "is no request"),
        ("break:lb_conf_reply", "is no request"),
        ("break:write:0", "'0' is no place"),
        ("break:0", "'0' is no request"),
        ("break:write:3x", "'3x' is no place: 3, 3"),
        ("break:3:write", "'3:write' is no place"),
        ("break:write:3:4", "too many colons"),
        ("break=1", "break takes no value"),
        ("late=soon", "'soon' is no number"),
        ("late=nan", "nan is no value for late"),
        ("late=-1", "-1 is no value for late: 0 to 3600"),
        ("short=7", "7 is no value for short: 0 to 6"),
        ("refuse=0", "0 is no value for refuse"),
        ("refuse=-1.5", "-1.5 is no value"),
        ("refuse:lb_vip_dump", "lb_vip_dump has no answer that could be a refusal"),
    ],
)
def test_what_is_no_fault_is_said_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_fault(text)
    assert why in str(caught.value)


def test_requests_are_counted_each_fault_for_itself() -> None:
    first, later = parse_fault("mute:lb_conf:2"), parse_fault("stray:write:2+")
    faults = Faults(first, later)
    names = ("lb_conf", "control_ping", "lb_as_set_weight", "lb_conf", "lb_conf")

    assert [faults.strike(name, {}) for name in names] == [None, None, later, first, later]
    assert faults.struck == 3

    faults.order(first)
    assert (faults.struck, faults.strike("lb_conf", {})) == (0, None)


def test_the_like_of_a_request_asks_the_same_whoever_asks() -> None:
    fault = parse_fault("refuse:write:1=")
    faults = Faults(fault)

    asked = {"client_index": 1, "context": 1, "weight": 3}
    assert faults.strike("lb_as_set_weight", asked) is fault
    assert faults.strike("lb_as_set_weight", {**asked, "weight": 4}) is None
    assert faults.strike("lb_flush_vip", asked) is None
    assert faults.strike("lb_as_set_weight", {**asked, "client_index": 9, "context": 2}) is fault


def test_additions_and_deletions_are_told_apart() -> None:
    for word, name in (("vip", "lb_add_del_vip_v2"), ("as", "lb_add_del_as_v2")):
        assert Faults(parse_fault(f"mute:add-{word}")).strike(name, {"is_del": False})
        assert not Faults(parse_fault(f"mute:add-{word}")).strike(name, {"is_del": True})
        assert Faults(parse_fault(f"mute:del-{word}")).strike(name, {"is_del": True})


async def test_a_broken_connection_carries_nothing_out_behind_the_last_answer(sockets: Sockets) -> None:
    async with faulty(sockets, "break:2") as (emulator, client):
        await write(client, 1, 2, 3)
        assert await answers(client, 2) == [(1, 0), (2, 0)]
        assert await client.is_cut_off()
        assert carried_out(emulator) == 2


async def test_lost_answers_are_those_of_what_was_carried_out(sockets: Sockets) -> None:
    async with faulty(sockets, "lose:2") as (emulator, client):
        await write(client, 1, 2, 3)
        assert await answers(client, 1) == [(1, 0)]
        assert await heard_to_the_end(client) == b""
        assert carried_out(emulator) == 3


async def test_a_vpp_that_stalls_does_it_to_one_connection_until_it_ends(sockets: Sockets) -> None:
    async with faulty(sockets, "stall:2") as (emulator, client):
        await write(client, 1, 2, 3)
        assert await answers(client, 1) == [(1, 0)]
        await write(client, 4)
        other = await Client.connect(sockets[0])
        assert await other.ping() == 1
        await wait_all_tasks_blocked()
        assert (carried_out(emulator), emulator.api_server.connections) == (1, 2)
        await client.stream.aclose()
        await wait_all_tasks_blocked()
        assert emulator.api_server.connections == 1
        await other.stream.aclose()


async def test_a_mute_request_is_carried_out(sockets: Sockets) -> None:
    async with faulty(sockets, "mute:1+") as (emulator, client):
        await write(client, 1, 2)
        assert await client.ping(3) == 3
        assert (carried_out(emulator), emulator.faults.struck) == (2, 2)


async def test_a_late_answer_keeps_its_place(sockets: Sockets) -> None:
    async with faulty(sockets, "late=0.01:1") as (_, client):
        began = trio.current_time()
        await write(client, 1, 2)
        assert await answers(client, 2) == [(1, 0), (2, 0)]
        assert trio.current_time() - began >= 0.01


async def test_answers_in_reverse(sockets: Sockets) -> None:
    async with faulty(sockets, "reverse:2+") as (_, client):
        await write(client, 1, 2, 3, 4)
        assert await answers(client, 4) == [(1, 0), (4, 0), (3, 0), (2, 0)]


async def test_a_stray_answer_comes_first(sockets: Sockets) -> None:
    async with faulty(sockets, "stray") as (_, client):
        await write(client, 1)
        (stray, right) = await answers(client, 2)
        assert stray[0] != 1
        assert right == (1, 0)


async def test_answers_that_are_no_answers(sockets: Sockets) -> None:
    async with faulty(sockets, "short:1", "short=3:2", "long:3", "alien:4", "huge:5") as (emulator, client):
        await write(client, 1, 2, 3, 4, 5)
        right = struct.pack(">H", client.ids["lb_conf_reply"])
        assert await client.receive() == right + (1).to_bytes(4, "big")
        assert await client.receive() == right + b"\0"
        assert await client.receive() == right + struct.pack(">Ii", 3, 0) + bytes(64)
        assert await client.receive() == b"\xff\xff" + struct.pack(">Ii", 4, 0)
        assert FRAME.unpack(await client.stream.receive_some(FRAME.size))[1] == 0xFFFF_FFFF
        assert carried_out(emulator) == 5


@pytest.mark.parametrize("name", ["lb_conf", "lb_conf_get", "cli_inband", "get_api_json", "control_ping"])
async def test_whatever_has_one_answer_can_be_refused(sockets: Sockets, name: str) -> None:
    bodies = {"lb_conf": conf(1), "cli_inband": struct.pack(">I", 0)}
    async with faulty(sockets, "refuse=-81:any") as (emulator, client):
        await client.send(client.request(name, 7, bodies.get(name, b"")))
        assert struct.unpack_from(">HIi", await client.receive()) == (client.ids[f"{name}_reply"], 7, -81)
        assert carried_out(emulator) == 255  # as from the start: nothing was carried out


async def test_a_vpp_that_dies_of_a_write_has_carried_it_out_and_answers_no_more(sockets: Sockets) -> None:
    async def serve_and_die(task_status: trio.TaskStatus[Emulator]) -> None:
        with pytest.raises(Died, match=r"fault=die:write:2"):
            await serve(EmulatorConfig(*sockets, faults=(parse_fault("die:2"),)), task_status=task_status)

    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            emulator: Emulator = await nursery.start(serve_and_die)
            client = await Client.connect(sockets[0])
            await write(client, 1, 2, 3)
            assert len(await heard_to_the_end(client)) in (0, FRAME.size + 10)
            assert carried_out(emulator) == 2
            await client.stream.aclose()


async def test_a_dump_goes_wrong_in_each_of_its_messages(sockets: Sockets) -> None:
    async with faulty(sockets, "stray:lb_vip_dump") as (emulator, client):
        emulator.vpp.lb.add_vip(vip())
        await client.send(client.request("lb_vip_dump", 5, bytes(23)), client.request(PING, 5))
        contexts = [struct.unpack_from(">I", await client.receive(), 2)[0] for _ in range(3)]
        assert contexts[0] != 5
        assert contexts[1:] == [5, 5]
