"""Commands from the serving thread, carried out on trio's, one task each; decides nothing.

What a command does is done even if whoever asked for it has gone, as an order must not depend on a client's patience.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from maglev.control.operator import Operator
from maglev.control.reconciler import Reconciler
from maglev.control.syncs import Synced
from maglev.core.health import Order
from maglev.core.status import BackendStatus, FrontendStatus
from maglev.errors import MaglevError, Unavailable
from maglev.reloading import Reloader
from maglev.rpc.ports import Faults

SYNC_DEADLINE_S = 60.0

V = TypeVar("V")


class Commands:
    """The commands of maglev.rpc.ports, to be awaited on an asyncio loop while `run` runs on trio's."""

    def __init__(self, operator: Operator, reloader: Reloader, reconciler: Reconciler) -> None:
        self._operator = operator
        self._reconciler = reconciler
        self._reloader = reloader
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry out commands until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._token = trio.lowlevel.current_trio_token()
            task_status.started()
            await trio.sleep_forever()

    async def order(self, backend: str, order: Order) -> BackendStatus:
        """As `Operator.order`."""

        async def call() -> BackendStatus:
            return self._operator.order(backend, order)

        return await self._done(call)

    async def set_weight(self, frontend: str, pool: str, backend: str, weight: int, *, flush: bool) -> FrontendStatus:
        """As `Operator.set_weight`."""

        async def call() -> FrontendStatus:
            return self._operator.set_weight(frontend, pool, backend, weight, flush=flush)

        return await self._done(call)

    async def sync(self) -> Synced:
        """As `Reconciler.synced`, within SYNC_DEADLINE_S."""

        async def call() -> Synced:
            with trio.move_on_after(SYNC_DEADLINE_S):
                return await self._reconciler.synced()
            raise Unavailable(
                f"the sync is not done after {SYNC_DEADLINE_S:g} s", hint="it goes on; the log and GetVPPLBState tell"
            )

        return await self._done(call)

    async def check_config(self) -> Faults | None:
        """What is wrong with the configuration file; None: nothing."""
        faults = await self._done(self._reloader.check)
        return Faults(faults.is_syntax, str(faults)) if faults else None

    async def reload_config(self) -> Faults | None:
        """Reload; what is wrong with the file, so that nothing of it was taken over."""
        faults = await self._done(self._reloader.reload)
        return Faults(faults.is_syntax, str(faults)) if faults else None

    async def _done(self, call: Callable[[], Awaitable[V]]) -> V:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V] = loop.create_future()

        def tell(settle: Callable[[], None]) -> None:
            if not answer.done():  # whoever asked may have gone
                settle()

        async def carry_out() -> None:
            settle = partial(answer.set_exception, Unavailable("maglevd is stopping"))
            try:
                settle = partial(answer.set_result, await call())
            except MaglevError as error:
                settle = partial(answer.set_exception, error)
            finally:
                post(settle)

        def begin(nursery: trio.Nursery) -> None:
            try:
                nursery.start_soon(carry_out)
            except RuntimeError:  # trio's word for a nursery that has closed
                post(partial(answer.set_exception, Unavailable("maglevd is stopping")))

        def post(settle: Callable[[], None]) -> None:
            with suppress(RuntimeError):  # the serving loop may have ended meanwhile
                loop.call_soon_threadsafe(tell, settle)

        token, nursery = self._token, self._nursery
        if token is None or nursery is None:
            raise Unavailable("maglevd is starting", hint="try again in a moment")
        try:
            token.run_sync_soon(begin, nursery)
        except trio.RunFinishedError as error:
            raise Unavailable("maglevd is stopping") from error
        return await answer
