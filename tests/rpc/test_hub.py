import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.events import BackendTransition, LoopStalled
from maglev.core.health import Health, State
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.core.status import HealthStatus
from maglev.errors import Overloaded
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.happenings import Wants
from maglev.rpc.hub import Hub, Mark
from tests.rpc import statuses

BACKENDS = Wants(log=None, backend=True, frontend=False)
NAMES = ("web1", "web2", "web3")
STATES = (State.UP, State.DOWN)


class World:
    """Owns the states of three backends, as trio's thread does, and marks them in the stream when it likes to."""

    def __init__(self, kept: int = 8, inbox: int = 1000, watchers: int = 10) -> None:
        self.states = dict.fromkeys(NAMES, State.UNKNOWN)
        self.asked = 0
        self.levels: list[Level | None] = []
        self.hub = Hub(self._ask, self.levels.append, kept=kept, inbox=inbox, watchers=watchers, look_every_s=0.0)

    def _ask(self) -> None:
        self.asked += 1

    def mark(self) -> None:
        if self.asked:
            self.asked = 0
            self.hub.publish(Mark(self.health))

    @property
    def health(self) -> HealthStatus:
        known = statuses.HEALTH.backends["web1"]
        return HealthStatus(
            {
                name: replace(known, backend=replace(known.backend, name=name), health=Health(state, 0))
                for name, state in self.states.items()
            }
        )

    def move(self, name: str, state: State) -> None:
        before, self.states[name] = self.states[name], state
        self.hub.publish(BackendTransition(name, ip_address("10.0.0.1"), before, state, "L7OK", "", 1))


class Watcher:
    """Reads a message for each permit that it has, and keeps what it read."""

    def __init__(self, world: World, wants: Wants = BACKENDS, permits: int = 1_000_000) -> None:
        self.read: list[pb.Event] = []
        self._permits, self._more = asyncio.Semaphore(permits), asyncio.Event()
        self.task = asyncio.create_task(self._run(world.hub.watch(wants)))

    def permit(self, count: int) -> None:
        for _ in range(count):
            self._permits.release()

    async def _run(self, events: AsyncGenerator[bytes, None]) -> None:
        while True:
            await self._permits.acquire()
            self.read.append(pb.Event.FromString(await anext(events)))
            self._more.set()

    async def until(self, count: int) -> None:
        """Until it has read so many."""
        while len(self.read) < count:
            self._more.clear()
            await self._more.wait()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def quiet() -> None:
    """Let the loop run until nothing that is ready is left: no chain of ours is longer."""
    for _ in range(200):
        await asyncio.sleep(0)


def folded(events: list[pb.Event]) -> tuple[dict[str, str], int]:
    """The states by a watcher's account, each step of which must fit the one before; and how many it lost."""
    states: dict[str, str] = {}
    lost = 0
    for event in events:
        if event.HasField("resync"):
            lost += event.resync.lost
            states = {}
            continue
        backend = event.backend
        before = getattr(backend, "from")
        assert states.get(backend.backend, before) == before, "something is missing, or came twice"
        states[backend.backend] = backend.to
    return states, lost


steps = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from(STATES)),
        st.tuples(st.just("join"), st.just(""), st.just(State.UP)),
        st.tuples(st.just("mark"), st.just(""), st.just(State.UP)),
        st.tuples(st.just("run"), st.just(""), st.just(State.UP)),
        st.tuples(st.just("read"), st.just(""), st.just(State.UP)),
    ),
    max_size=60,
)


@given(steps)
def test_every_watcher_knows_all_states_in_the_end_whenever_it_came_and_however_slowly_it_read(
    script: list[tuple[str, str, State]],
) -> None:
    async def main() -> None:
        world, watchers = World(kept=4), list[Watcher]()
        for what, name, state in script:
            match what:
                case "move":
                    world.move(name, state)
                case "join" if len(watchers) < 3:
                    watchers.append(Watcher(world, permits=0))
                case "mark":
                    world.mark()
                case "run":
                    await quiet()
                case "read":
                    for watcher in watchers:
                        watcher.permit(2)
        for watcher in watchers:
            watcher.permit(10_000)
        for _ in range(3):  # one who fell behind asks for another mark
            await quiet()
            world.mark()
        await quiet()
        for watcher in watchers:
            states, _ = folded(watcher.read)
            assert states == {name: state.word for name, state in world.states.items()}
            await watcher.end()
        assert world.hub.watchers == 0

    asyncio.run(main())


def moves(events: list[pb.Event]) -> list[str]:
    return [event.backend.to for event in events if getattr(event.backend, "from") != event.backend.to]


def test_the_present_states_come_first_and_then_every_transition_in_order() -> None:
    async def main() -> None:
        world = World()
        world.move("web1", State.UP)  # before anybody watches: only part of the present
        watcher = Watcher(world)
        await quiet()
        world.move("web1", State.DOWN)  # before the mark: in the present states
        await quiet()
        assert watcher.read == []
        world.mark()
        world.move("web1", State.UP)  # behind the mark
        await quiet()
        world.move("web1", State.DOWN)
        await quiet()

        first, rest = watcher.read[:3], watcher.read[3:]
        assert [(e.backend.backend, getattr(e.backend, "from"), e.backend.to) for e in first] == [
            ("web1", "down", "down"),
            ("web2", "unknown", "unknown"),
            ("web3", "unknown", "unknown"),
        ]
        assert moves(rest) == ["up", "down"]
        await watcher.end()

    asyncio.run(main())


def test_who_does_not_read_is_told_how_much_it_lost_and_starts_again_while_others_get_all() -> None:
    async def main() -> None:
        world = World(kept=4)
        slow, quick = Watcher(world, permits=3), Watcher(world)
        await quiet()
        world.mark()
        await quiet()
        for turn in range(10):
            world.move("web1", STATES[turn % 2])
            await quiet()
        assert len(moves(quick.read)) == 10
        assert len(slow.read) == 3
        slow.permit(100)
        await quiet()
        world.mark()
        world.move("web2", State.UP)
        await quiet()

        resync, *after = slow.read[3:]
        assert resync.resync.lost == 10
        assert world.hub.resyncs == 1
        assert [event.backend.to for event in after] == ["down", "unknown", "unknown", "up"]
        for watcher in (slow, quick):
            await watcher.end()

    asyncio.run(main())


def test_what_spilt_before_it_came_to_the_watchers_makes_all_of_them_start_again() -> None:
    async def main() -> None:
        world = World(kept=100, inbox=5)
        watchers = [Watcher(world), Watcher(world)]
        await quiet()
        world.mark()
        await quiet()
        for turn in range(9):  # without a turn of the loop: four of them find no room
            world.move("web1", STATES[turn % 2])
        for _ in range(3):
            await quiet()
            world.mark()
        await quiet()
        for watcher in watchers:
            states, lost = folded(watcher.read)
            assert lost >= 1
            assert states["web1"] == "up"
            await watcher.end()

    asyncio.run(main())


def test_only_what_is_wanted_is_sent_and_only_such_records_are_asked_for() -> None:
    def record(level: Level) -> Record:
        return Record(5, level, "note", {"n": 1, "text": 'a "b"', "yes": True, "none": None, "ratio": 0.5})

    async def main() -> None:
        world = World()
        warned = Watcher(world, Wants(log=Level.WARNING, backend=False, frontend=False))
        await quiet()
        nosy = Watcher(world, Wants(log=Level.DEBUG, backend=True, frontend=False))
        await quiet()
        world.mark()
        await quiet()
        for level in (Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR):
            world.hub.publish(record(level))
        world.move("web1", State.UP)
        world.hub.publish(LoopStalled(1, 1.0, 0.0))  # told as a record by whoever logs it
        await quiet()

        assert [event.log.level for event in warned.read] == ["warning", "error"]
        assert dict(warned.read[0].log.fields) == {
            "n": "1",
            "text": 'a "b"',
            "yes": "true",
            "none": "null",
            "ratio": "0.5",
        }
        assert [event.WhichOneof("event") for event in nosy.read[3:]] == ["log"] * 4 + ["backend"]
        await nosy.end()
        await warned.end()
        assert world.levels == [Level.WARNING, Level.DEBUG, Level.WARNING, None]

    asyncio.run(main())


def test_there_is_room_for_so_many_and_room_comes_back() -> None:
    async def main() -> None:
        world = World(watchers=2)
        first, second = Watcher(world), Watcher(world)
        await quiet()
        with pytest.raises(Overloaded, match="2 clients watch already"):
            await anext(world.hub.watch(BACKENDS))
        await second.end()
        third = Watcher(world)
        await quiet()
        world.mark()
        await quiet()
        assert len(third.read) == 3
        for watcher in (first, third):
            await watcher.end()

    asyncio.run(main())


def test_nothing_is_kept_while_nobody_watches() -> None:
    async def main() -> None:
        world = World()
        watcher = Watcher(world)
        await quiet()
        await watcher.end()
        world.move("web1", State.UP)
        assert not world.hub._inbox
        assert not world.hub._groups

    asyncio.run(main())


def test_what_many_threads_tell_comes_whole_and_each_one_in_order() -> None:
    async def main() -> None:
        world = World(kept=10_000, inbox=10_000)
        watcher = Watcher(world, Wants(log=Level.INFO, backend=False, frontend=False))
        await quiet()
        world.mark()
        await quiet()

        def tell(who: int) -> None:
            for number in range(500):
                world.hub.publish(Record(number, Level.INFO, str(who), {}))

        threads = [threading.Thread(target=tell, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        async with asyncio.timeout(30):
            await watcher.until(4 * 500)
        for who in range(4):
            assert [e.log.at_ns for e in watcher.read if e.log.name == str(who)] == list(range(500))
        await watcher.end()

    asyncio.run(main())
