"""Fans what happens out to all who watch: one stream comes in, each watcher reads at its own pace; knows no gRPC.

Whoever asks for the same things is in one group, which keeps the latest messages once for all of them. A watcher is a
place in that; one that falls behind what is kept has lost something, is told so, and starts again. So those who do not
read cost nothing while they do not, and a watcher more costs only what it reads.

The present states that a watcher gets first come by the same stream, as a Mark that the thread which owns all states
puts there: what lies before it is in them, and what lies behind it is not.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass

from maglev.core.events import Event
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.core.status import HealthStatus
from maglev.errors import Overloaded
from maglev.rpc import happenings
from maglev.rpc.happenings import Wants
from maglev.rpc.pace import TURN_S, Pace

KEPT = 8192  # messages of a group: how far a watcher may fall behind
INBOX = 65_536  # what may wait for the serving loop
WATCHERS = 1024
LOOK_EVERY_S = 0.02  # into the inbox: to wake the serving loop for each happening costs more than to hand it on
_EACH_LOOK = 128  # happenings, which take a millisecond or so


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the stream, and the states that are true there."""

    health: HealthStatus


Happening = Event | Record | Mark


class _Group:
    """What those get who want the same."""

    def __init__(self, wants: Wants) -> None:
        self.wants = wants
        self.watchers = 0
        self.end = 0  # the number of the next message
        self.kept: dict[int, bytes] = {}
        self.news = asyncio.Event()

    def add(self, message: bytes, bound: int) -> None:
        self.kept[self.end] = message
        self.kept.pop(self.end - bound, None)
        self.end += 1

    def wake(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()


class Hub:
    """`ask` has the owner of the states publish a Mark soon; `listening` is told what log level is wanted now.

    `share` is of `rpc.pace`.
    """

    def __init__(
        self,
        ask: Callable[[], None],
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
        self._next_look: asyncio.Handle | None = None  # into the inbox
        self._look_every_s = look_every_s
        self._pace = Pace(share)
        self._is_spilt = False
        self._groups: dict[Wants, _Group] = {}
        self._newcomers: list[tuple[_Group, asyncio.Future[tuple[HealthStatus, int]]]] = []
        self.watchers = 0
        self.resyncs = 0  # times that one was too slow, ever

    def publish(self, happening: Happening) -> None:
        """Have those told who want it. From any thread; at once, and next to free if nobody watches."""
        if not self.watchers:
            return
        if isinstance(happening, Mark) or (len(self._inbox) < self._inbox_bound and not self._is_spilt):
            self._inbox.append(happening)
        else:
            self._is_spilt = True  # and nothing more gets in until all know that something is missing

    async def watch(self, wants: Wants) -> AsyncGenerator[bytes, None]:
        """Serialized messages, the present states first, without end. Raises Overloaded when too many watch."""
        group = self._join(wants)
        try:
            health, at = await self._present(group)
            while True:
                for message in happenings.present(health, wants):
                    await self._pace.turn()
                    yield message
                while at == group.end or at in group.kept:
                    while (kept := group.kept.get(at)) is not None:
                        await self._pace.turn()
                        at += 1
                        yield kept
                    if at == group.end:
                        await group.news.wait()
                fell_behind_at = at
                self.resyncs += 1
                health, at = await self._present(group)
                yield happenings.resync(at - fell_behind_at)
        finally:
            self._leave(group)

    def _join(self, wants: Wants) -> _Group:
        if self.watchers >= self._watchers_bound:
            raise Overloaded(
                f"{self.watchers} clients watch already, which is as many as may", hint="end one, or try again later"
            )
        group = self._groups.setdefault(wants, _Group(wants))
        group.watchers += 1
        self.watchers += 1
        self._set_level()
        if self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_soon(self._take_in)
        return group

    def _leave(self, group: _Group) -> None:
        group.watchers -= 1
        self.watchers -= 1
        if not group.watchers:
            del self._groups[group.wants]
            self._set_level()
        if not self.watchers:
            self._inbox.clear()

    def _set_level(self) -> None:
        levels = [level for wants in self._groups if (level := wants.log) is not None]
        self._listening(min(levels, key=lambda level: level.value, default=None))

    async def _present(self, group: _Group) -> tuple[HealthStatus, int]:
        """The states of this moment, and the number of the first message that is not in them."""
        told: asyncio.Future[tuple[HealthStatus, int]] = asyncio.get_running_loop().create_future()
        self._newcomers.append((group, told))
        if len(self._newcomers) == 1:  # else a Mark is under way, which is as good
            self._ask()
        try:
            return await told
        finally:
            with suppress(ValueError):
                self._newcomers.remove((group, told))

    def _take_in(self) -> None:
        """Look into the inbox, and again soon for as long as anybody watches."""
        self._next_look = None
        if not self.watchers:
            return
        self._pace.begin()
        woken: set[Wants] = set()
        for _ in range(_EACH_LOOK):
            if not self._inbox:
                break
            self._deliver(self._inbox.popleft(), woken)
        if self._is_spilt and not self._inbox:
            self._spill(woken)
        for wants in woken:
            self._groups[wants].wake()
        wait_s = 2 * TURN_S if self._inbox else self._look_every_s
        self._next_look = asyncio.get_running_loop().call_later(wait_s, self._take_in)

    def _deliver(self, happening: Happening, woken: set[Wants]) -> None:
        if isinstance(happening, Mark):
            newcomers, self._newcomers = self._newcomers, []
            for group, told in newcomers:
                if not told.done():
                    told.set_result((happening.health, group.end))
            return
        message = None
        for wants, group in self._groups.items():
            if happenings.is_wanted(happening, wants):
                message = message or happenings.message(happening)
                group.add(message, self._kept)
                woken.add(wants)

    def _spill(self, woken: set[Wants]) -> None:
        """Something was lost before it came here: nobody has all of it, so everybody is behind."""
        self._is_spilt = False
        for wants, group in self._groups.items():
            group.kept.clear()
            group.end += 1
            woken.add(wants)
