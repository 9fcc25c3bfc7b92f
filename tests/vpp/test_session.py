import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing

from maglev.core.counters import Indexes
from maglev.core.events import Event, VppConnected, VppDisconnected, VppMessage, VppUnavailable
from maglev.core.heartbeat import STILL
from maglev.core.model import VppInfo
from maglev.emulator import stats_server
from maglev.emulator.segment import SegmentWriter
from maglev.errors import MaglevError, ProtocolError, Unavailable
from maglev.vpp.session import BOOTTIME_POLL_S, Session, connect, keep_connected
from tests.vpp.peer import TABLE, Client, Script, listen, reply
from tests.vpp.samples import DEFINITIONS

BOOTTIME_S = 1_700_000_000
RETRY_S, PING_S, DEADLINE_S = 5.0, 10.0, 5.0


@dataclass
class Vpp:
    """Both sockets, in `path`; what was asked, and an event that is set when a ping is left unanswered."""

    path: Path
    table: Mapping[str, int] = field(default_factory=lambda: TABLE)
    asked: list[str] = field(default_factory=list)
    is_silent: bool = False
    was_ignored: trio.Event = field(default_factory=trio.Event)
    hang_up: trio.Event = field(default_factory=trio.Event)
    client: Client | None = None

    @property
    def api(self) -> str:
        return str(self.path / "api.sock")

    @property
    def stats(self) -> str:
        return str(self.path / "stats.sock")

    async def script(self, client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer, client, nursery.cancel_scope)
            await self.hang_up.wait()
            nursery.cancel_scope.cancel()

    async def _answer(self, client: Client, scope: trio.CancelScope) -> None:
        await client.shake_hands(self.table)
        self.client = client
        while True:
            try:
                asked = await client.asked()
            except (EOFError, trio.BrokenResourceError):
                scope.cancel()
                return
            self.asked.append(asked.name)
            if self.is_silent:
                self.was_ignored.set()
            else:
                await client.answer(asked)

    async def say_something(self) -> None:
        """An answer to nothing that waits: all that counts is that there is one."""
        assert self.client is not None
        await self.client.send(reply("control_ping_reply", 0x7FFF0000, body=bytes(8)))


class Heard:
    """What was told, but for single messages; a test waits for the next."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Event](100)

    def emit(self, event: Event) -> None:
        if not isinstance(event, VppMessage):
            self._send.send_nowait(event)

    async def next(self) -> Event:
        with trio.fail_after(120):
            return await self._receive.receive()

    def is_all(self) -> bool:
        return self._receive.statistics().current_buffer_used == 0


@pytest.fixture
def segment() -> Iterator[SegmentWriter]:
    writer = SegmentWriter(1 << 20)
    writer.set_scalar("/sys/boottime", BOOTTIME_S)
    writer.set_scalar("/sys/heartbeat", 0)
    yield writer
    writer.close()


@pytest.fixture
async def vpp(nursery: trio.Nursery, tmp_path: Path, segment: SegmentWriter) -> Vpp:
    one = Vpp(tmp_path)
    await listen(nursery, Path(one.api), one.script)
    await nursery.start(stats_server.serve, one.stats, segment)
    return one


@pytest.fixture
def clock(mock_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    """Real time that can be jumped: a test that hangs still ends."""
    mock_clock.rate = 1.0
    return mock_clock


async def session_of(vpp: Vpp) -> VppInfo:
    with trio.fail_after(120):
        async with connect(vpp.api, vpp.stats, Heard().emit, clock_ns=lambda: 42, deadline_s=DEADLINE_S) as session:
            return session.info


async def test_a_session_knows_its_vpp(vpp: Vpp) -> None:
    assert await session_of(vpp) == VppInfo("26.10-test", "today", "/src", 4711, BOOTTIME_S * 10**9, 42)


async def test_a_session_takes_its_leave(vpp: Vpp) -> None:
    await session_of(vpp)

    assert vpp.asked == ["get_api_json", "control_ping", "show_version", "sockclnt_delete"]


async def test_behind_a_session_nothing_can_be_read(vpp: Vpp) -> None:
    async with connect(vpp.api, vpp.stats, Heard().emit, clock_ns=lambda: 42) as session:
        session.read(Indexes({}, {}, {}), 1)

    with pytest.raises(Unavailable):
        session.read(Indexes({}, {}, {}), 2)
    with pytest.raises(Unavailable):
        await session.ping()


async def test_a_vpp_that_keeps_its_definitions_to_itself_is_a_protocol_error(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    async def refuse(client: Client) -> None:
        await client.shake_hands()
        asked = await client.asked()
        await client.send(reply("get_api_json_reply", asked.context, -1, bytes(4)))

    await listen(nursery, tmp_path / "api.sock", refuse)

    with pytest.raises(ProtocolError, match="retval=-1"):
        await session_of(Vpp(tmp_path))


async def test_without_an_api_socket_vpp_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"api\.sock.*group vpp"):
        await session_of(Vpp(tmp_path))


async def test_a_socket_that_nobody_listens_on_is_unavailable(nursery: trio.Nursery, tmp_path: Path) -> None:
    await trio.Path(tmp_path / "api.sock").touch()

    with pytest.raises(Unavailable, match=r"api\.sock"):
        await session_of(Vpp(tmp_path))


async def test_without_a_stats_socket_there_is_no_session(vpp: Vpp) -> None:
    await trio.Path(vpp.stats).unlink()

    with pytest.raises(Unavailable, match=r"stats\.sock"):
        await session_of(vpp)

    assert vpp.asked[-1] == "sockclnt_delete"


async def test_a_vpp_without_boot_time_is_not_ready(
    nursery: trio.Nursery, vpp: Vpp, segment: SegmentWriter, clock: trio.testing.MockClock
) -> None:
    segment.set_scalar("/sys/boottime", 0)

    async def wait_a_little() -> None:
        while "show_version" not in vpp.asked:
            await trio.testing.wait_all_tasks_blocked(0.01)
        while True:
            await jump(clock, BOOTTIME_POLL_S)

    nursery.start_soon(wait_a_little)
    with pytest.raises(Unavailable, match="not finished its start"):
        await session_of(vpp)


@pytest.mark.parametrize(
    ("lacking", "sentences"),
    [
        ("lb_as_set_weight", ["missing=lb_as_set_weight_2d89bdbd ", "version=26.10-test", "needed=26.10"]),
        ("lb_", ["lb_as_v2_details_90064aae", "with its lb plugin"]),
        ("show_version", ["missing=show_version_51077d14,show_version_reply_c919bde1", "version=unknown"]),
        ("get_api_json", ["missing=get_api_json_51077d14,get_api_json_reply_ea715b59", "version=unknown"]),
    ],
)
async def test_a_vpp_that_lacks_a_message_is_told_which(
    nursery: trio.Nursery, tmp_path: Path, lacking: str, sentences: list[str]
) -> None:
    one = Vpp(tmp_path, {name: number for name, number in TABLE.items() if not name.startswith(lacking)})
    if lacking == "lb_as_set_weight":
        one.table = {**one.table, "lb_as_set_weight_reply_e8d4e804": 900, "lb_as_set_weight_0badcafe": 901}
    await listen(nursery, Path(one.api), one.script)

    with pytest.raises(ProtocolError) as caught:
        await session_of(one)

    assert all(sentence in str(caught.value) for sentence in sentences)


async def test_a_definition_other_than_its_crc_is_a_protocol_error(nursery: trio.Nursery, tmp_path: Path) -> None:
    async def lie(client: Client) -> None:
        await client.introduce_itself([{**DEFINITIONS[0], "messages": DEFINITIONS[0]["messages"][1:]}])

    await listen(nursery, tmp_path / "api.sock", lie)

    with pytest.raises(ProtocolError, match=r"not defined as its CRC promises.*message=show_version"):
        await session_of(Vpp(tmp_path))


async def shake_no_hands(client: Client) -> None:
    await client.message()
    await trio.sleep_forever()


async def say_nothing_more(client: Client) -> None:
    await client.shake_hands()
    await trio.sleep_forever()


@pytest.mark.parametrize("script", [shake_no_hands, say_nothing_more])
async def test_a_silent_vpp_is_unavailable_at_the_deadline(
    nursery: trio.Nursery, tmp_path: Path, clock: trio.testing.MockClock, script: Script
) -> None:
    await listen(nursery, tmp_path / "api.sock", script)
    started = trio.current_time()

    nursery.start_soon(jump, clock, DEADLINE_S)
    with pytest.raises(Unavailable, match="in time"):
        await session_of(Vpp(tmp_path))

    assert trio.current_time() - started < 2 * DEADLINE_S


async def serve_forever(session: Session) -> None:
    await session.ping()
    await trio.sleep_forever()


@dataclass
class Kept:
    """A running keep_connected."""

    heard: Heard
    scope: trio.CancelScope


def keep(nursery: trio.Nursery, vpp: Vpp, serve: Callable[[Session], Awaitable[None]] = serve_forever) -> Kept:
    kept = Kept(Heard(), trio.CancelScope())

    async def run() -> None:
        with kept.scope:
            await keep_connected(
                vpp.api,
                vpp.stats,
                kept.heard.emit,
                serve,
                clock_ns=time.time_ns,
                retry_s=RETRY_S,
                ping_s=PING_S,
                deadline_s=DEADLINE_S,
            )

    nursery.start_soon(run)
    return kept


async def jump(clock: trio.testing.MockClock, seconds: float) -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)
    clock.jump(seconds)


async def disconnected(kept: Kept) -> str:
    event = await kept.heard.next()
    assert isinstance(event, VppDisconnected)
    assert event.retry_s == RETRY_S
    return event.reason


async def test_a_lost_api_socket_ends_the_session_and_it_is_made_again(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock
) -> None:
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)
    await trio.testing.wait_all_tasks_blocked(0.01)
    hung_up, vpp.hang_up = vpp.hang_up, trio.Event()
    lost_at = trio.current_time()

    hung_up.set()

    assert "closed its API socket" in await disconnected(kept)
    assert trio.current_time() - lost_at < PING_S / 2  # seen at once, not by the next ping
    await jump(clock, RETRY_S)
    assert isinstance(await kept.heard.next(), VppConnected)
    assert vpp.asked.count("get_api_json") == 1  # the same VPP: its definitions are known


async def test_a_ping_without_an_answer_ends_the_session(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock
) -> None:
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)
    await trio.testing.wait_all_tasks_blocked(0.01)

    vpp.is_silent = True
    await jump(clock, PING_S)
    await vpp.was_ignored.wait()
    await jump(clock, DEADLINE_S)

    assert "did not answer in time (awaited=control_ping)" in await disconnected(kept)


async def test_a_vpp_that_is_busy_answering_other_things_is_not_given_up(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock
) -> None:
    """A ping behind a long batch of writes waits for all of them: the session must not be lost over that."""
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)
    await trio.testing.wait_all_tasks_blocked(0.01)

    vpp.is_silent = True
    await jump(clock, PING_S)
    await vpp.was_ignored.wait()
    for _ in range(8):
        await vpp.say_something()
        await jump(clock, DEADLINE_S / 2)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert kept.heard.is_all()

    await jump(clock, DEADLINE_S)
    await jump(clock, DEADLINE_S)
    assert "awaited=control_ping" in await disconnected(kept)  # silence ends it all the same


async def test_answered_pings_keep_the_session(nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock) -> None:
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)
    for _ in range(4):
        await jump(clock, PING_S)
    await trio.testing.wait_all_tasks_blocked(0.01)

    assert kept.heard.is_all()
    assert vpp.asked.count("control_ping") == 2 + 4


async def test_a_stats_socket_that_is_gone_ends_the_session(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock
) -> None:
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)

    await trio.Path(vpp.stats).unlink()
    await jump(clock, PING_S)

    assert "stats socket is another one" in await disconnected(kept)


async def test_another_boot_time_ends_the_session(
    nursery: trio.Nursery, vpp: Vpp, segment: SegmentWriter, clock: trio.testing.MockClock
) -> None:
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)

    segment.set_scalar("/sys/boottime", BOOTTIME_S + 100)
    await jump(clock, PING_S)

    assert "started anew" in await disconnected(kept)


async def test_a_heartbeat_that_stops_ends_the_session(
    nursery: trio.Nursery, vpp: Vpp, segment: SegmentWriter, clock: trio.testing.MockClock
) -> None:
    """As when the stats are of a VPP that died, and the API is that of another one."""
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)

    for beat in range(2 * STILL):
        segment.set_scalar("/sys/heartbeat", beat)
        await jump(clock, PING_S)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert kept.heard.is_all()

    for _ in range(STILL):
        await jump(clock, PING_S)
    assert "stand still" in await disconnected(kept)


@pytest.mark.parametrize("error", [Unavailable("no answer"), ProtocolError("nonsense")])
async def test_serving_may_end_the_session(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock, error: MaglevError
) -> None:
    async def give_up(_: Session) -> None:
        raise error

    kept = keep(nursery, vpp, give_up)

    assert isinstance(await kept.heard.next(), VppConnected)
    assert await disconnected(kept) == error.what
    await jump(clock, RETRY_S)
    assert isinstance(await kept.heard.next(), VppConnected)


async def test_any_other_error_of_serving_comes_out(vpp: Vpp) -> None:
    async def stumble(_: Session) -> None:
        raise KeyError("a bug of ours")

    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="a bug of ours"), flatten_subgroups=True):
        await keep_connected(vpp.api, vpp.stats, Heard().emit, stumble, clock_ns=time.time_ns)


async def test_a_bug_beside_a_lost_session_comes_out_too(vpp: Vpp) -> None:
    async def stumble(session: Session) -> None:
        vpp.hang_up.set()
        try:
            await session.transport.lost()
        finally:
            raise KeyError("a bug of ours")

    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="a bug of ours"), flatten_subgroups=True):
        await keep_connected(vpp.api, vpp.stats, Heard().emit, stumble, clock_ns=time.time_ns)


async def test_serving_that_ends_leaves_the_session_up(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock
) -> None:
    kept = keep(nursery, vpp, Session.ping)
    assert isinstance(await kept.heard.next(), VppConnected)
    await jump(clock, PING_S)
    await trio.testing.wait_all_tasks_blocked(0.01)

    assert kept.heard.is_all()


async def test_a_vpp_that_is_not_there_is_told_once_per_reason(
    nursery: trio.Nursery, vpp: Vpp, clock: trio.testing.MockClock
) -> None:
    aside = await trio.Path(vpp.api).rename(vpp.path / "aside.sock")
    kept = keep(nursery, vpp)

    event = await kept.heard.next()
    assert isinstance(event, VppUnavailable)
    assert "No such file" in event.reason
    for _ in range(3):
        await jump(clock, RETRY_S)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert kept.heard.is_all()

    await trio.Path(vpp.api).touch()
    await jump(clock, RETRY_S)
    event = await kept.heard.next()
    assert isinstance(event, VppUnavailable)
    assert "refused" in event.reason

    await aside.rename(vpp.api)
    await jump(clock, RETRY_S)
    assert isinstance(await kept.heard.next(), VppConnected)

    # After a session the same reason is news again.
    await trio.Path(vpp.api).rename(aside)
    vpp.hang_up.set()
    await disconnected(kept)
    await jump(clock, RETRY_S)
    event = await kept.heard.next()
    assert isinstance(event, VppUnavailable)
    assert "No such file" in event.reason


async def test_cancelling_takes_leave_and_ends(nursery: trio.Nursery, vpp: Vpp) -> None:
    kept = keep(nursery, vpp)
    assert isinstance(await kept.heard.next(), VppConnected)
    await trio.testing.wait_all_tasks_blocked(0.01)

    kept.scope.cancel()
    await trio.testing.wait_all_tasks_blocked(0.01)

    assert vpp.asked[-1] == "sockclnt_delete"
    assert kept.heard.is_all()
