"""The embedded VPP as its users in this process see it: sockets, clock, bounds, death."""

import socket
import struct
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from maglev.emulator import connection
from maglev.emulator.api_server import CONNECTIONS_MAX
from maglev.emulator.lb import Died
from maglev.emulator.service import Emulator, EmulatorConfig, serve
from maglev.errors import Unavailable
from tests.emulator.engine import vip
from tests.processes import DEADLINE_S

Sockets = tuple[str, str]
FRAME = struct.Struct(">QII")
PING, AS_DUMP, ADD_VIP = "control_ping", "lb_as_v2_dump", "lb_add_del_vip_v2"


class Client:
    """Bare bytes; `ids` are taken from the handshake."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.handle = 0
        self.ids: dict[str, int] = {}

    @classmethod
    async def connect(cls, path: str) -> "Client":
        client = cls(await trio.open_unix_socket(path))
        await client.send(struct.pack(">HI64s", 15, 1, b"\xff not ASCII"))
        reply = await client.receive()
        (client.handle,) = struct.unpack_from(">I", reply, 14)
        for index, name in struct.iter_unpack(">H64s", reply[20:]):
            client.ids[name.rstrip(b"\0").decode().rpartition("_")[0]] = index
        return client

    def request(self, name: str, context: int, body: bytes = b"") -> bytes:
        return struct.pack(">HII", self.ids[name], self.handle, context) + body

    async def send(self, *payloads: bytes) -> None:
        await self.stream.send_all(b"".join(FRAME.pack(0, len(p), 0) + p for p in payloads))

    async def receive(self) -> bytes:
        _, length, _ = FRAME.unpack(await self._exactly(FRAME.size))
        return await self._exactly(length)

    async def ping(self, context: int = 1) -> int:
        await self.send(self.request(PING, context))
        _, answered = struct.unpack_from(">HI", await self.receive())
        return int(answered)

    async def is_cut_off(self) -> bool:
        try:
            while await self.stream.receive_some(1 << 16):
                pass
        except trio.BrokenResourceError:
            pass
        return True

    async def _exactly(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            chunk = await self.stream.receive_some(size - len(taken))
            assert chunk, "the emulator hung up"
            taken += chunk
        return taken


async def start(nursery: trio.Nursery, sockets: Sockets, config: EmulatorConfig | None = None) -> Emulator:
    emulator: Emulator = await nursery.start(serve, config or EmulatorConfig(*sockets))
    return emulator


def present(sockets: Sockets) -> list[bool]:
    return [Path(path).is_socket() for path in sockets]


async def test_cancelling_removes_both_sockets(sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        await start(nursery, sockets)
        assert present(sockets) == [True, True]
        nursery.cancel_scope.cancel()

    assert present(sockets) == [False, False]


@pytest.mark.parametrize("taken", [0, 1])
async def test_a_socket_in_use_is_refused_and_left_alone(sockets: Sockets, taken: int) -> None:
    with socket.socket(socket.AF_UNIX, (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)[taken]) as other:
        other.bind(sockets[taken])
        other.listen()

        with pytest.raises(Unavailable, match="Address already in use"):
            await serve(EmulatorConfig(*sockets))

        assert present(sockets) == [taken == 0, taken == 1]


async def test_a_socket_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"API socket.*/nowhere/api\.sock.*No such file or directory"):
        await serve(EmulatorConfig(str(tmp_path / "nowhere" / "api.sock"), str(tmp_path / "stats.sock")))


@pytest.mark.parametrize(
    "config",
    [
        EmulatorConfig("a", "s", workers=-1),
        EmulatorConfig("a", "s", workers=1000),
        EmulatorConfig("a", "s", routes=-1),
        EmulatorConfig("a", "s", traffic_pps=-1),
    ],
)
async def test_figures_out_of_bounds_are_refused(config: EmulatorConfig) -> None:
    with pytest.raises(ValueError, match="are possible"):
        await serve(config)


async def test_kill_breaks_every_connection_but_not_the_service(sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        emulator = await start(nursery, sockets)
        clients = [await Client.connect(sockets[0]) for _ in range(3)]
        assert emulator.api_server.connections == 3

        emulator.api_server.kill()

        assert all([await client.is_cut_off() for client in clients])
        again = await Client.connect(sockets[0])
        assert await again.ping() == 1
        for client in (*clients, again):
            await client.stream.aclose()
        nursery.cancel_scope.cancel()


async def test_the_heart_beats_and_the_dead_are_swept(mock_clock: MockClock, sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        emulator = await start(nursery, sockets)
        emulator.vpp.lb.add_vip(vip())
        emulator.vpp.lb.delete_vip(vip().key)
        for _ in range(13):
            await wait_all_tasks_blocked()
            mock_clock.jump(10)
        await wait_all_tasks_blocked()

        assert emulator.vpp._heartbeats == 13
        assert list(emulator.vpp.lb.vips) == []
        nursery.cancel_scope.cancel()


async def test_traffic_flows_with_the_clock(mock_clock: MockClock, sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        emulator = await start(nursery, sockets, EmulatorConfig(*sockets, traffic_pps=1000, workers=2))
        emulator.vpp.lb.add_vip(vip())
        for _ in range(10):
            await wait_all_tasks_blocked()
            mock_clock.jump(0.05)
        await wait_all_tasks_blocked()

        route = emulator.vpp.fib.longest(4, int.from_bytes(vip().key.prefix.address[12:], "big"))
        assert emulator.vpp.fib.to.get(route.index)[0] == pytest.approx(500, abs=1)
        nursery.cancel_scope.cancel()


async def test_what_vpp_dies_of_ends_the_service(sockets: Sockets) -> None:
    body = bytes([0, 192, 0, 2, 1]) + bytes(12) + b"\x20" + struct.pack(">BHIBIHHIBB", 17, 80, 0, 0, 0, 0, 0, 0, 0, 0)
    cut_off = False

    async def ask_for_death() -> None:
        nonlocal cut_off
        client = await Client.connect(sockets[0])
        await client.send(client.request(ADD_VIP, 1, body))
        cut_off = await client.is_cut_off()
        await client.stream.aclose()

    async def serve_and_die(task_status: trio.TaskStatus[Emulator]) -> None:
        with pytest.raises(Died, match=r"192.0.2.1/32 length=0"):
            await serve(EmulatorConfig(*sockets), task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve_and_die)
        nursery.start_soon(ask_for_death)

    assert cut_off
    assert present(sockets) == [False, False]


async def test_a_client_that_reads_nothing_stalls_nobody_and_fills_only_its_queue(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "QUEUE_BYTES_MAX", 100_000)
    async with trio.open_nursery() as nursery:
        emulator = await start(nursery, sockets)
        slow, quick = await Client.connect(sockets[0]), await Client.connect(sockets[0])

        async def send_without_reading() -> None:
            while True:
                await slow.send(*(slow.request("get_api_json", context) for context in range(50)))

        def longest_queue() -> int:
            return max(len(c._queue) for c in emulator.api_server._connections.values())

        with trio.fail_after(DEADLINE_S):
            async with trio.open_nursery() as sending:
                sending.start_soon(send_without_reading)
                while longest_queue() <= 50_000:  # from half of the limit on, only reading makes it shorter
                    assert await quick.ping(1) == 1
                for context in range(100):
                    assert await quick.ping(context) == context
                sending.cancel_scope.cancel()

        assert longest_queue() < 150_000
        for client in (slow, quick):
            await client.stream.aclose()
        nursery.cancel_scope.cancel()


async def test_a_queue_that_was_full_is_answered_to_the_end(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "QUEUE_BYTES_MAX", 10_000)
    async with trio.open_nursery() as nursery:
        await start(nursery, sockets)
        client = await Client.connect(sockets[0])
        nursery.start_soon(client.send, *(client.request("get_api_json", context) for context in range(1, 101)))
        await wait_all_tasks_blocked()

        contexts = [struct.unpack_from(">HI", await client.receive())[1] for _ in range(100)]

        assert contexts == list(range(1, 101))
        await client.stream.aclose()
        nursery.cancel_scope.cancel()


async def test_a_message_beyond_the_limit_cuts_the_client_off(sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        await start(nursery, sockets)
        client = await Client.connect(sockets[0])
        await client.stream.send_all(FRAME.pack(0, connection.MESSAGE_BYTES_MAX + 1, 0))

        assert await client.is_cut_off()
        await client.stream.aclose()
        nursery.cancel_scope.cancel()


async def test_too_many_clients_are_turned_away(sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        await start(nursery, sockets)
        streams = [await trio.open_unix_socket(sockets[0]) for _ in range(CONNECTIONS_MAX)]
        await wait_all_tasks_blocked()

        surplus = Client(await trio.open_unix_socket(sockets[0]))
        assert await surplus.is_cut_off()

        await streams.pop().aclose()
        await wait_all_tasks_blocked()
        welcome = await Client.connect(sockets[0])
        assert await welcome.ping() == 1
        for stream in (*streams, surplus.stream, welcome.stream):
            await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_pid_and_boottime_can_play_a_restart(sockets: Sockets) -> None:
    async with trio.open_nursery() as nursery:
        emulator = await start(nursery, sockets, EmulatorConfig(*sockets, pid=4711, boottime_s=1_800_000_000))

        assert emulator.vpp.identity.pid == 4711
        client = await Client.connect(sockets[0])
        await client.send(client.request(PING, 1))
        assert (await client.receive())[-4:] == (4711).to_bytes(4, "big")
        await client.stream.aclose()
        nursery.cancel_scope.cancel()


async def test_answers_for_a_client_that_ends_are_not_waited_for(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "QUEUE_BYTES_MAX", 10_000)
    async with trio.open_nursery() as nursery:
        await start(nursery, sockets)
        victim, meddler = await Client.connect(sockets[0]), await Client.connect(sockets[0])
        own, meddler.handle = meddler.handle, victim.handle
        nursery.start_soon(meddler.send, *(meddler.request("get_api_json", context) for context in range(100)))
        await wait_all_tasks_blocked()

        await victim.stream.aclose()

        meddler.handle = own
        with trio.fail_after(DEADLINE_S):
            assert await meddler.ping(7) == 7
        await meddler.stream.aclose()
        nursery.cancel_scope.cancel()
