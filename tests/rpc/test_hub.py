import asyncio
import threading
from dataclasses import replace

import pytest

from maglev.core.events import LoopStalled
from maglev.core.health import State
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.core.status import BackendStatus, HealthStatus
from maglev.errors import Overloaded
from maglev.rpc import happenings, hub
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.happenings import Wants
from maglev.rpc.hub import BATCH, Mark
from tests.rpc.world import BACKENDS, EVERYTHING, NAMES, STATES, Watcher, World, folded, quiet


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


def test_the_log_may_be_lost_and_no_transition_with_it() -> None:
    async def main() -> None:
        world = World(kept=4)
        slow = Watcher(world, EVERYTHING, permits=3)
        await quiet()
        world.mark()
        await quiet()
        for turn in range(3):
            for _ in range(100):
                world.log()
            world.move("web1", STATES[turn % 2])
            await quiet()
        slow.permit(100)
        await quiet()

        rest = slow.read[3:]
        (resync,) = [event.resync for event in rest if event.HasField("resync")]
        assert (resync.lost, resync.log_only) == (296, True)
        assert sum(event.HasField("log") for event in rest) == 4
        assert [event.backend.to for event in rest if event.HasField("backend")] == ["up", "down", "up"]
        assert world.asked == 0  # nothing has to begin again
        await slow.end()

    asyncio.run(main())


def test_a_mark_that_was_left_behind_is_nobodys_present() -> None:
    async def main() -> None:
        world = World()
        first = Watcher(world)
        await quiet()
        await first.end()
        world.hub._inbox.append(Mark(world.health, 1))  # by a thread that looked for watchers before the last one left
        world.move("web1", State.UP)
        second = Watcher(world)
        world.hub._inbox.append(Mark(HealthStatus(), 1))
        await quiet()
        assert second.read == []
        world.mark()
        await quiet()
        assert [event.backend.to for event in second.read] == ["up", "unknown", "unknown"]
        await second.end()

    asyncio.run(main())


def test_who_asks_for_batches_gets_the_same_in_few_messages() -> None:
    async def main() -> None:
        world = World(kept=1000)
        batched = Watcher(world, replace(EVERYTHING, frontend=False, batch=True))
        single = Watcher(world, replace(EVERYTHING, frontend=False))
        await quiet()
        world.mark()
        for turn in range(300):
            world.log()
            world.move("web1", STATES[turn % 2])
        await quiet()
        await single.until(603)
        await quiet()

        events = [each for message in batched.read for each in message.batch.events or [message]]
        assert events == single.read
        assert len(batched.read) < 60
        assert all(len(message.batch.events) <= BATCH for message in batched.read)
        for watcher in (batched, single):
            await watcher.end()

    asyncio.run(main())


def test_the_present_is_made_once_for_all_who_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    standing = happenings._standing

    def counted(status: BackendStatus) -> pb.BackendEvent:
        made.append(status.backend.name)
        return standing(status)

    monkeypatch.setattr(happenings, "_standing", counted)

    async def main() -> None:
        world = World()
        watchers = [Watcher(world, permits=number) for number in (1, 100, 2)]
        await quiet()
        world.mark()
        await quiet()
        for watcher in watchers:
            watcher.permit(100)
        await quiet()
        assert [len(watcher.read) for watcher in watchers] == [3, 3, 3]
        for watcher in watchers:
            await watcher.end()

    asyncio.run(main())

    assert made == list(NAMES)


def test_a_happening_that_breaks_us_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> bytes:
        raise RuntimeError("a fault of ours")

    async def main() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
        world = World()
        watcher = Watcher(world)
        await quiet()
        world.mark()
        await quiet()
        with monkeypatch.context() as patch:
            patch.setattr(happenings, "message", broken)
            world.move("web1", State.UP)
            await quiet()
        world.move("web1", State.DOWN)
        await quiet()
        assert len(faults) == 1
        world.mark()  # it was told that something is missing
        await quiet()
        assert watcher.read[3].resync.lost == 2  # that one, and the next, which is in the states that come anew
        assert [event.backend.to for event in watcher.read[4:]] == ["down", "unknown", "unknown"]
        await watcher.end()

    asyncio.run(main())


def test_of_the_present_only_the_newest_is_kept() -> None:
    async def main() -> None:
        world = World()
        watchers = [Watcher(world, permits=2)]
        await quiet()
        world.mark()
        await quiet()
        outdated = world.hub._present
        world.move("web1", State.UP)
        watchers.append(Watcher(world, permits=100))
        await quiet()
        world.mark()
        await quiet()
        assert outdated._made is None
        watchers[0].permit(100)
        await quiet()
        # The first one goes on where it was, in the states of its own moment, and then hears of the move.
        assert [event.backend.to for event in watchers[0].read] == ["unknown", "unknown", "unknown", "up"]
        assert [event.backend.to for event in watchers[1].read] == ["up", "unknown", "unknown"]
        for watcher in watchers:
            await watcher.end()

    asyncio.run(main())


def test_one_door_takes_no_places_of_the_other() -> None:
    async def main() -> None:
        world = World(watchers=1)
        first = Watcher(world)
        await quiet()
        with pytest.raises(Overloaded):
            await anext(world.hub.watch(BACKENDS))
        other = asyncio.create_task(anext(world.hub.watch(BACKENDS, "unix")))
        await quiet()
        world.mark()
        assert pb.Event.FromString(await other).backend.backend == "web1"
        await first.end()

    asyncio.run(main())


def test_a_batch_has_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BATCH_BYTES", 50)

    async def main() -> None:
        world = World()
        watcher = Watcher(world, replace(BACKENDS, batch=True))
        await quiet()
        world.mark()
        await quiet()
        assert [len(event.batch.events) for event in watcher.read] == [2, 1]
        await watcher.end()

    asyncio.run(main())
