"""Reads the configuration anew: checked whole in a thread of its own, taken over in one step, told either way.

A large file takes seconds to read, in which the loop goes on probing and writing, at half its speed. So one is read at
a time, and whoever asks meanwhile shares the answer of the next reading with all others who do.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Generic, TypeVar

import trio

from maglev.config.change import Change, change
from maglev.config.model import Config
from maglev.config.parse import ConfigFaults, load
from maglev.control.ports import Emit
from maglev.core.events import ConfigReloaded, ReloadRefused
from maglev.errors import Broken, MaglevError, Unavailable

V = TypeVar("V")


class _Round(Generic[V]):
    """One reading, for all who asked before it began; `told` holds what came of it, else `no` is why it has not."""

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.told: list[V] = []
        self.no: MaglevError = Unavailable("maglevd is stopping")


class _Shared(Generic[V]):
    """Does `work` whenever asked, while nobody else has the `turn`."""

    def __init__(self, work: Callable[[], Awaitable[V]], turn: trio.Lock) -> None:
        self._work = work
        self._turn = turn
        self._next: _Round[V] | None = None  # that has not begun

    async def __call__(self) -> V:
        """What comes of work that began after this call. Raises Unavailable, and Broken where a shared one failed."""
        if (shared := self._next) is not None:
            await shared.ended.wait()
            if not shared.told:
                raise shared.no
            return shared.told[0]
        own = self._next = _Round[V]()
        try:
            async with self._turn:
                self._next = None
                told = await self._work()
                own.told.append(told)
                return told
        except Exception:  # goes to who began it, and into the log
            own.no = Broken("maglevd failed over this", hint="a fault of its own: report the traceback in its log")
            raise
        finally:
            if self._next is own:
                self._next = None
            own.ended.set()


class Reloader:
    """Holds the configuration in use, which was read from `path`; `take` has everybody work by another one.

    `reloading` is held while a file is read to be taken over, and until it is.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        take: Callable[[Config, Config], None],
        emit: Emit,
        now_ns: Callable[[], int],
        *,
        vpp_in_use: bool,
        reloading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._path = path
        self._config = config
        self._take = take
        self._emit = emit
        self._now_ns = now_ns
        self._vpp_in_use = vpp_in_use
        self._around = reloading
        turn = trio.Lock()
        self._checking, self._reloading = _Shared(self._check, turn), _Shared(self._reload, turn)
        self._is_asked = trio.Event()

    def ask(self) -> None:
        """Have `run` reload soon; asking again before it began asks for nothing more."""
        self._is_asked.set()

    async def run(
        self, reload: Callable[[], Awaitable[object]], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Await `reload`, which comes back to this one, whenever asked, until cancelled."""
        task_status.started()
        while True:
            await self._is_asked.wait()
            self._is_asked = trio.Event()
            await reload()

    async def check(self) -> ConfigFaults | None:
        """What is wrong with the file as it is now; changes nothing. Raises Unavailable."""
        return await self._checking()

    async def reload(self) -> ConfigReloaded | ConfigFaults:
        """Take the file over as it is now, or, if anything is wrong with it, nothing of it; returns what came of it.

        Raises Unavailable.
        """
        return await self._reloading()

    async def _check(self) -> ConfigFaults | None:
        read = await trio.to_thread.run_sync(self._read, self._config, abandon_on_cancel=True)
        return read if isinstance(read, ConfigFaults) else None

    async def _reload(self) -> ConfigReloaded | ConfigFaults:
        with self._around():
            return await self._read_and_take()

    async def _read_and_take(self) -> ConfigReloaded | ConfigFaults:
        read = await trio.to_thread.run_sync(self._read, self._config, abandon_on_cancel=True)
        if isinstance(read, ConfigFaults):
            self._emit(ReloadRefused(tuple(map(str, read.faults))))
            return read
        old, self._config = self._config, read.config
        self._take(old, read.config)
        gone = read.removed_backends, read.removed_frontends
        reloaded = ConfigReloaded(read.added, read.removed, read.changed, self._now_ns(), *gone)
        self._emit(reloaded)
        return reloaded

    def _read(self, old: Config) -> Change | ConfigFaults:
        try:
            return change(old, load(self._path, vpp_in_use=self._vpp_in_use))
        except ConfigFaults as faults:
            return faults
