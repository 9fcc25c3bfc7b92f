"""WatchEvents over real connections; what it fans out is tested in test_hub."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import grpc
import pytest

from maglev.core.health import State
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.rpc import server
from maglev.rpc._pb import maglev_pb2 as pb
from tests.processes import until
from tests.rpc import statuses
from tests.rpc.served import Deaf, answering, serving
from tests.rpc.world import NAMES, STATES, World, folded

WATCHERS, TRANSITIONS = 100, 1000
BACKENDS = pb.WatchRequest(log=False, frontend=False)


@contextmanager
def watched(world: World) -> Iterator[str]:
    served = server.Served(lambda: statuses.FULL, Deaf(), world.hub, is_awake=lambda: True)
    with serving(served) as address:
        yield address


async def watch(address: str, request: pb.WatchRequest) -> AsyncGenerator[pb.Event, None]:
    """On a connection of its own."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        rpc = channel.unary_stream(
            "/maglev.Maglev/WatchEvents",
            request_serializer=pb.WatchRequest.SerializeToString,
            response_deserializer=pb.Event.FromString,
        )
        async for event in rpc(request):
            yield event


class Owner:
    """A thread that owns the world, as trio's does: alone it moves states, and marks them when asked."""

    def __init__(self, world: World, transitions: int) -> None:
        world.states["end"] = State.UNKNOWN
        self._world = world
        self._transitions = transitions
        self.may_begin, self.may_end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._own)

    def _own(self) -> None:
        while not self.may_begin.wait(0.001):
            self._world.mark()
        for number in range(self._transitions):
            self._world.move(NAMES[number % 3], STATES[number // 3 % 2])
            self._world.mark()
        while not self.may_end.wait(0.001):
            self._world.mark()
        self._world.move("end", State.UP)


def test_a_hundred_watchers_get_a_thousand_transitions_each_once_and_in_order() -> None:
    world = World(kept=8192, inbox=65536, watchers=WATCHERS)
    owner = Owner(world, TRANSITIONS)

    async def follow(address: str, begun: asyncio.Semaphore) -> list[pb.Event]:
        events: list[pb.Event] = []
        async for event in watch(address, BACKENDS):
            events.append(event)
            if len(events) == len(world.states):
                begun.release()
            if event.backend.backend == "end" and event.backend.to == "up":
                break
        return events

    async def main(address: str) -> list[list[pb.Event]]:
        begun = asyncio.Semaphore(0)
        followers = [asyncio.create_task(follow(address, begun)) for _ in range(WATCHERS // 2)]
        for _ in followers:
            await begun.acquire()
        owner.may_begin.set()  # the other half comes while things happen
        followers += [asyncio.create_task(follow(address, begun)) for _ in range(WATCHERS // 2)]
        for _ in range(WATCHERS // 2):
            await begun.acquire()
        owner.may_end.set()
        return await asyncio.gather(*followers)

    with watched(world) as address:
        owner.thread.start()
        try:
            told = asyncio.run(main(address))
        finally:
            owner.may_begin.set()
            owner.may_end.set()
            owner.thread.join()

    for events in told:
        states, lost = folded(events)
        assert (lost, states) == (0, {name: state.word for name, state in world.states.items()})
    for events in told[: WATCHERS // 2]:
        assert len(events) == len(world.states) + TRANSITIONS + 1


def test_one_who_does_not_read_slows_nobody_and_is_told_what_it_lost() -> None:
    """Its messages are as long as they may be, so that a few fill what lies between a client and us."""
    world = World(kept=64, inbox=65536)
    watched_log = pb.WatchRequest(log=True, backend=False, frontend=False)

    def tell(number: int) -> None:
        world.hub.publish(Record(number, Level.INFO, "note", {"text": "x" * 10_000}))

    async def main(address: str) -> tuple[list[int], list[pb.Event]]:
        slow, quick = watch(address, watched_log), watch(address, watched_log)
        firsts = [asyncio.ensure_future(anext(each)) for each in (slow, quick)]
        await asyncio.to_thread(until, lambda: world.asked > 0, lambda: "both to come")
        await asyncio.to_thread(until, lambda: world.hub.watchers == 2, lambda: "both to watch")
        world.mark()
        numbers = []
        for number in range(1000):
            tell(number)
            event = await (firsts[1] if number == 0 else anext(quick))
            numbers.append(event.log.at_ns)
        late = [await firsts[0]]
        reading = asyncio.ensure_future(_until_resync(slow))
        late += await reading
        assert (await anext(slow)).log.at_ns == 1000 - 64  # the oldest that was kept
        for each in (slow, quick):
            await each.aclose()
        return numbers, late

    with watched(world) as address:
        numbers, late = asyncio.run(main(address))

    assert numbers == list(range(1000))
    *early, resync = late
    assert [event.log.at_ns for event in early] == list(range(len(early)))
    assert (resync.resync.lost, resync.resync.log_only) == (1000 - 64 - len(early), True)


async def _until_resync(events: AsyncGenerator[pb.Event, None]) -> list[pb.Event]:
    read = []
    async for event in events:
        read.append(event)
        if event.HasField("resync"):
            break
    return read


@pytest.mark.parametrize(
    ("request_", "kinds"),
    [
        (pb.WatchRequest(log=False), {"backend", "frontend"}),
        (pb.WatchRequest(log=False, backend=False), {"frontend"}),
        (pb.WatchRequest(log=False, backend=True, frontend=False), {"backend"}),
    ],
)
def test_the_present_states_are_those_that_were_asked_for(request_: pb.WatchRequest, kinds: set[str]) -> None:
    present = len(statuses.HEALTH.backends) * ("backend" in kinds) + len(statuses.HEALTH.frontends) * (
        "frontend" in kinds
    )

    async def main(address: str) -> list[pb.Event]:
        events = watch(address, request_)
        first = [await anext(events) for _ in range(present)]
        await events.aclose()
        return first

    with serving(answering(lambda: statuses.FULL)) as address:
        events = asyncio.run(main(address))

    assert {event.WhichOneof("event") for event in events} == kinds
    for event in events:
        told = event.backend if event.HasField("backend") else event.frontend
        assert getattr(told, "from") == told.to
        if isinstance(told, pb.BackendEvent):
            assert told.to == statuses.HEALTH.backends[told.backend].health.state.word
        else:
            frontend = statuses.HEALTH.frontends[told.frontend]
            assert (told.at_ns, told.to) == (frontend.changed_at_ns, frontend.resolved.state.word)


def refusal(address: str, request: pb.WatchRequest) -> grpc.aio.AioRpcError:
    async def main() -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(watch(address, request))
        return refused.value

    return asyncio.run(main())


def test_an_unknown_log_level_is_refused() -> None:
    with serving(answering(lambda: statuses.FULL)) as address:
        error = refusal(address, pb.WatchRequest(log_level="loud"))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "'loud' is no log level; it is one of debug, info, warning, error"


def test_one_too_many_is_refused() -> None:
    world = World(watchers=0)
    with watched(world) as address:
        error = refusal(address, BACKENDS)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "end one, or try again later" in (error.details() or "")


def test_who_leaves_is_forgotten() -> None:
    world = World()

    async def main(address: str) -> None:
        events = watch(address, BACKENDS)
        first = asyncio.ensure_future(anext(events))
        await asyncio.to_thread(until, lambda: world.asked > 0, lambda: "it to come")
        world.mark()
        await first
        await events.aclose()

    with watched(world) as address:
        asyncio.run(main(address))
        until(lambda: world.hub.watchers == 0, lambda: "it to have left")
