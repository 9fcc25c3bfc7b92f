"""States that move, and watchers of them, for tests of the hub."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from ipaddress import ip_address

from maglev.core.events import BackendTransition
from maglev.core.health import Health, State
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.core.status import HealthStatus
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.happenings import Wants
from maglev.rpc.hub import Hub, Mark
from tests.rpc import statuses

BACKENDS = Wants(log=None, backend=True, frontend=False)
EVERYTHING = Wants(log=Level.DEBUG, backend=True, frontend=True)
NAMES = ("web1", "web2", "web3")
STATES = (State.UP, State.DOWN)


class World:
    """Owns the states of three backends, as trio's thread does, and marks them in the stream when it likes to."""

    def __init__(self, kept: int = 8, inbox: int = 1000, watchers: int = 10) -> None:
        self.states = dict.fromkeys(NAMES, State.UNKNOWN)
        self.happened = 0
        self.asked = 0
        self.levels: list[Level | None] = []
        self.hub = Hub(self._ask, self.levels.append, kept=kept, inbox=inbox, watchers=watchers, look_every_s=0.0)

    def _ask(self, number: int) -> None:
        self.asked = number

    def mark(self) -> None:
        if self.asked:
            asked, self.asked = self.asked, 0
            self.hub.publish(Mark(self.health, asked))

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
        self.happened += 1
        self.hub.publish(BackendTransition(name, ip_address("10.0.0.1"), before, state, "L7OK", "", self.happened))

    def log(self, level: Level = Level.INFO) -> None:
        self.happened += 1
        self.hub.publish(Record(self.happened, level, "note", {}))


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
        if event.HasField("log"):
            continue
        if event.HasField("resync"):
            lost += event.resync.lost
            states = states if event.resync.log_only else {}
            continue
        backend = event.backend
        before = getattr(backend, "from")
        assert states.get(backend.backend, before) == before, "something is missing, or came twice"
        states[backend.backend] = backend.to
    return states, lost
