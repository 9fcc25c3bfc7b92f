"""Fans what happens out to all who watch: one stream comes in, each watcher reads at its own pace; knows no gRPC.

What is wanted by many is kept once, in rings: one of states for each choice of backends and frontends, one of log
records for each level. A watcher is a place in one of each, and reads both in the order in which things happened. So
those who do not read cost nothing while they do not, and a watcher more costs only what it reads. One that falls behind
what is kept of states is told so and starts again; of the log, it is told so and goes on.

The present states that a watcher gets first come by the same stream, as a Mark that the thread which owns all states
puts there when it is asked: what lies before it is in them, and what lies behind it is not.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass

from maglev.core.events import Event
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.core.status import HealthStatus
from maglev.errors import Overloaded
from maglev.rpc import happenings
from maglev.rpc.happenings import Present, Wants
from maglev.rpc.pace import TURN_S, Pace
from maglev.rpc.ring import Reader, Ring

KEPT = 8192  # messages of a ring: how far a watcher may fall behind
INBOX = 65_536  # what may wait for the serving loop
WATCHERS = 1024
LOOK_EVERY_S = 0.02  # into the inbox: to wake the serving loop for each happening costs more than to hand it on
BATCH = 128  # events of one message, for those who asked for that
BATCH_BYTES = 256 * 1024  # or so: a client takes 4 MiB, and a record of the log may have 16 KiB a field
_EACH_LOOK = 128  # happenings, which take a millisecond or so


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the stream, the states that are true there, and the number of the question that it answers."""

    health: HealthStatus
    asked: int


Happening = Event | Record | Mark


class _Group:
    """Those who want the same."""

    def __init__(self, rings: Sequence[Ring]) -> None:
        self.rings = rings
        self.watchers = 0
        self.news = asyncio.Event()

    def wake(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """Waits for the Mark that answers its question, or a later one."""

    number: int
    group: _Group
    told: "asyncio.Future[tuple[Present, Reader]]"


class Hub:
    """`ask` has the owner of the states publish a Mark with that number soon; `listening` hears which level is wanted.

    `share` is of `rpc.pace`.
    """

    def __init__(
        self,
        ask: Callable[[int], None],
        listening: Callable[[Level | None], None],
        *,
        kept: int = KEPT,
        inbox: int = INBOX,
        watchers: int = WATCHERS,
        share: Callable[[], float] = lambda: 0.5,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._ask = ask
        self._listening = listening
        self._kept, self._inbox_bound, self._watchers_bound = kept, inbox, watchers
        self._inbox: deque[Happening] = deque()
        self._spilt = 0  # happenings that found no room
        self._next_look: asyncio.Handle | None = None  # into the inbox
        self._look_every_s = look_every_s
        self._pace = Pace(share)
        self._rings: dict[Wants, Ring] = {}
        self._groups: dict[Wants, _Group] = {}
        self._newcomers: list[_Newcomer] = []
        self._asked = 0
        self._happened = 0
        self._present = Present(HealthStatus())
        self._by_door: Counter[str] = Counter()
        self.watchers = 0
        self.resyncs = 0  # times that one was too slow, ever

    def publish(self, happening: Happening) -> None:
        """Have those told who want it. From any thread; at once, and next to free if nobody watches."""
        if not self.watchers or not isinstance(happening, (*happenings.TOLD, Mark)):
            return
        if isinstance(happening, Mark) or (len(self._inbox) < self._inbox_bound and not self._spilt):
            self._inbox.append(happening)
        else:
            self._spilt += 1  # and nothing more gets in until all know that something is missing

    async def watch(self, wants: Wants, door: str = "") -> AsyncGenerator[bytes, None]:
        """Serialized messages, the present states first, without end.

        Raises Overloaded when too many watch who came by the same door.
        """
        group = self._join(wants, door)
        try:
            present, reader = await self._states_of_now(group)
            states = present.messages(wants)
            while True:
                while portion := self._portion(states, wants) or self._portion(reader, wants):
                    await self._pace.turn()
                    yield portion
                if reader.has_lost_states:
                    before = reader
                    self.resyncs += 1
                    present, reader = await self._states_of_now(group)
                    states = present.messages(wants)
                    await self._pace.turn()
                    yield happenings.resync(before.lost_until(reader), log_only=False)
                elif reader.is_at_the_end:
                    await group.news.wait()
        finally:
            self._leave(wants, group, door)

    def _portion(self, messages: Iterator[bytes], wants: Wants) -> bytes:
        """The next message, or some of them in one; empty if there is none now."""
        first = next(messages, b"")
        if not wants.batch or not first:
            return first
        portion, size = [first], len(first)
        while len(portion) < BATCH and size < BATCH_BYTES and (message := next(messages, b"")):
            portion.append(message)
            size += len(message)
        return happenings.batch(portion)

    def _join(self, wants: Wants, door: str) -> _Group:
        if self._by_door[door] >= self._watchers_bound:
            raise Overloaded(
                f"{self._by_door[door]} clients watch already, which is as many as may",
                hint="end one, or try again later",
            )
        if not self.watchers:  # what a thread put there as the last one left is nobody's
            self._inbox.clear()
            self._spilt = 0
        if wants not in self._groups:
            self._groups[wants] = _Group([self._ring(part) for part in wants.parts])
        group = self._groups[wants]
        group.watchers += 1
        self.watchers += 1
        self._by_door[door] += 1
        self._set_level()
        if self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_soon(self._take_in)
        return group

    def _ring(self, part: Wants) -> Ring:
        return self._rings.setdefault(part, Ring(self._kept, is_log=part.log is not None))

    def _leave(self, wants: Wants, group: _Group, door: str) -> None:
        group.watchers -= 1
        self.watchers -= 1
        self._by_door[door] -= 1
        if not group.watchers:
            del self._groups[wants]
            used = {part for each in self._groups for part in each.parts}
            self._rings = {part: ring for part, ring in self._rings.items() if part in used}
            self._set_level()
        if not self.watchers:
            self._renew(HealthStatus())

    def _set_level(self) -> None:
        levels = [part.log for part in self._rings if part.log is not None]
        self._listening(min(levels, key=lambda level: level.value, default=None))

    async def _states_of_now(self, group: _Group) -> tuple[Present, Reader]:
        """The states of this moment, and a reader of what is not in them."""
        self._asked += 1
        newcomer = _Newcomer(self._asked, group, asyncio.get_running_loop().create_future())
        self._newcomers.append(newcomer)
        self._ask(newcomer.number)
        try:
            return await newcomer.told
        finally:
            self._newcomers = [each for each in self._newcomers if each is not newcomer]

    def _take_in(self) -> None:
        """Look into the inbox, and again soon for as long as anybody watches."""
        self._next_look = None
        if not self.watchers:
            return
        self._pace.begin()
        woken: set[Wants] = set()
        try:
            for _ in range(_EACH_LOOK):
                if not self._inbox:
                    break
                self._deliver(self._inbox.popleft(), woken)
            if self._spilt and not self._inbox:
                self._spill(woken)
        finally:  # whatever one happening may do to us, those behind it are told
            for wants, group in self._groups.items():
                if not woken.isdisjoint(wants.parts):
                    group.wake()
            wait_s = 2 * TURN_S if self._inbox else self._look_every_s
            self._next_look = asyncio.get_running_loop().call_later(wait_s, self._take_in)

    def _deliver(self, happening: Happening, woken: set[Wants]) -> None:
        """Put it into the rings of those who want it, which are added to `woken`."""
        if isinstance(happening, Mark):
            self._answer(happening)
            return
        self._happened += 1
        message = None
        for wants, ring in self._rings.items():
            if happenings.is_wanted(happening, wants):
                woken.add(wants)
                try:
                    message = message or happenings.message(happening)
                except Exception:
                    ring.lose(1)  # whoever wanted it is told that something is missing
                    raise
                ring.add(self._happened, message)

    def _answer(self, mark: Mark) -> None:
        if mark.health is not self._present.health:
            self._renew(mark.health)
        for newcomer in self._newcomers:
            if newcomer.number <= mark.asked and not newcomer.told.done():
                newcomer.told.set_result((self._present, Reader(newcomer.group.rings)))

    def _renew(self, health: HealthStatus) -> None:
        self._present.is_outdated()
        self._present = Present(health)

    def _spill(self, woken: set[Wants]) -> None:
        """Something was lost before it came here: nobody has all of it, so everybody is behind."""
        lost, self._spilt = self._spilt, 0
        for wants, ring in self._rings.items():
            ring.lose(lost)
            woken.add(wants)
