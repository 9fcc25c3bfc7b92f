"""Commands from the serving thread, carried out on trio's, one task each, and the audit record of each.

What a command does is done even if whoever asked for it has gone, as an order must not depend on a client's patience.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import trio

from maglev.control.operator import Operator
from maglev.control.ports import Emit
from maglev.control.reconciler import Reconciler
from maglev.control.syncs import Synced
from maglev.core.denials import WINDOW_S, Denials
from maglev.core.events import ConfigReloaded, Ordered, Outcome
from maglev.core.health import Order
from maglev.core.naming import LONGEST
from maglev.core.orders import RELOAD, SET_WEIGHT, SYNC, action_of
from maglev.core.status import BackendStatus, FrontendStatus
from maglev.errors import Broken, ConfigError, Forbidden, MaglevError, Unavailable
from maglev.reloading import Reloader
from maglev.rpc.access import bounded, canonical, require
from maglev.rpc.ports import Caller, Faults, Role

SIGHUP = Caller("SIGHUP", "", Role.OPERATOR)
_LOGGER = logging.getLogger(__name__)
_NAMED = 4  # things of a kind that a record names; the line of the reload itself has more
_RESULT = 512  # characters of a record's result

SYNC_DEADLINE_S = 60.0

V = TypeVar("V")


@dataclass(slots=True)
class _Record:
    """The audit record of one order, filled in while that is carried out; `no` is why it was not."""

    caller: Caller
    action: str
    what: str
    before: str | None = None
    after: str | None = None
    no: BaseException | None = None

    def event(self) -> Ordered:
        """As it is told."""
        outcome, result = Outcome.REFUSED, ""
        match self.no:
            case None:
                outcome, result = Outcome.OK, "ok"
            case Forbidden() as no:
                outcome, result = Outcome.DENIED, f"{canonical(no)}: {no}"
            case MaglevError() as no:
                result = f"{canonical(no)}: {no}"
            case no:
                result = f"INTERNAL: {no!r}"
        who, result = self.caller, bounded(result, _RESULT)
        return Ordered(who.who, who.origin, who.says, self.action, self.what, self.before, self.after, outcome, result)


class Commands:
    """The commands of maglev.rpc.ports, to be awaited on an asyncio loop while `run` runs on trio's."""

    def __init__(self, operator: Operator, reloader: Reloader, reconciler: Reconciler, emit: Emit) -> None:
        self._operator = operator
        self._reconciler = reconciler
        self._reloader = reloader
        self._emit = emit
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._denials = Denials()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry out commands until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._token = trio.lowlevel.current_trio_token()
            task_status.started()
            await trio.sleep_forever()

    async def order(self, backend: str, order: Order, caller: Caller) -> BackendStatus:
        """As `Operator.order`. Raises Forbidden."""
        record = _Record(caller, action_of(order), f"backend {_name(backend)}")

        async def call() -> BackendStatus:
            record.before = record.after = self._operator.state_of(backend)
            status = self._operator.order(backend, order)
            record.after = self._operator.state_of(backend)
            return status

        return await self._done(call, record)

    async def set_weight(
        self, frontend: str, pool: str, backend: str, weight: int, caller: Caller, *, flush: bool
    ) -> FrontendStatus:
        """As `Operator.set_weight`. Raises Forbidden."""
        what = f"frontend {_name(frontend)} pool {_name(pool)} backend {_name(backend)}"
        record = _Record(caller, SET_WEIGHT, what)

        async def call() -> FrontendStatus:
            record.before = record.after = self._operator.weight_of(frontend, pool, backend)
            status = self._operator.set_weight(frontend, pool, backend, weight, flush=flush)
            record.after = self._operator.weight_of(frontend, pool, backend)
            return status

        return await self._done(call, record)

    async def sync(self, frontend: str, caller: Caller) -> Synced:
        """As `Reconciler.synced`, within SYNC_DEADLINE_S. Raises NotFound for a `frontend` that is not there."""
        record = _Record(caller, SYNC, f"frontend {_name(frontend)}" if frontend else "all frontends")

        async def call() -> Synced:
            if frontend:
                self._operator.find(frontend)
            with trio.move_on_after(SYNC_DEADLINE_S):
                synced = await self._reconciler.synced()
                record.after = f"{synced.operations} operations, {synced.refused_vips} VIPs refused"
                return synced
            raise Unavailable(
                f"the sync is not done after {SYNC_DEADLINE_S:g} s", hint="it goes on; the log and GetVPPLBState tell"
            )

        return await self._done(call, record)

    async def check_config(self) -> Faults | None:
        """What is wrong with the configuration file; None: nothing."""
        faults = await self._done(self._reloader.check)
        return Faults(faults.is_syntax, str(faults)) if faults else None

    async def reload_config(self, caller: Caller) -> Faults | None:
        """Reload; what is wrong with the file, so that nothing of it was taken over. Raises Forbidden."""
        record = _Record(caller, RELOAD, "config")
        return await self._done(partial(self._reload, record), record)

    async def reload_by_signal(self) -> None:
        """Reload, on trio's thread; what came of it is told by events and the log alone."""
        record = _Record(SIGHUP, RELOAD, "config")
        with suppress(MaglevError):
            await _unbroken(partial(self._recorded, partial(self._reload, record), record))

    async def _reload(self, record: _Record) -> Faults | None:
        told = await self._reloader.reload()
        if isinstance(told, ConfigReloaded):
            record.after = _summary(told)
            return None
        more = f"; the log has {len(told.faults)} faults" if len(told.faults) > 1 else ""
        record.no = ConfigError(f"{told.faults[0]}{more}")
        return Faults(told.is_syntax, str(told))

    async def _recorded(self, call: Callable[[], Awaitable[V]], record: _Record) -> V:
        """Carry it out if its caller may, and leave the record of it, whatever happens."""
        try:
            require(record.caller, record.action)
            return await call()
        except trio.Cancelled:
            record.no = _stopping()
            raise
        except Exception as error:
            record.no = error
            raise
        finally:
            self._tell(record.event())

    def _tell(self, record: Ordered) -> None:
        if record.outcome is Outcome.DENIED and self._nursery is not None:
            if not self._denials:
                self._nursery.start_soon(self._tell_denials, name="denials")
            if not self._denials.take(record):
                return
        self._emit(record)

    async def _tell_denials(self) -> None:
        try:
            while self._denials:
                await trio.sleep(WINDOW_S)
                for record in self._denials.turn():
                    self._emit(record)
        finally:
            for record in self._denials.end():
                self._emit(record)

    async def _done(self, call: Callable[[], Awaitable[V]], record: _Record | None = None) -> V:
        ordered = partial(self._recorded, call, record) if record else call
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V] = loop.create_future()

        def tell(settle: Callable[[], None]) -> None:
            if not answer.done():  # whoever asked may have gone
                settle()

        async def carry_out() -> None:
            settle = partial(answer.set_exception, _stopping())
            try:
                settle = partial(answer.set_result, await _unbroken(ordered))
            except MaglevError as error:
                settle = partial(answer.set_exception, error)
            finally:
                post(settle)

        def begin(nursery: trio.Nursery) -> None:
            try:
                nursery.start_soon(carry_out)
            except RuntimeError:  # trio's word for a nursery that has closed
                post(partial(answer.set_exception, self._not_begun(record, _stopping())))

        def post(settle: Callable[[], None]) -> None:
            with suppress(RuntimeError):  # the serving loop may have ended meanwhile
                loop.call_soon_threadsafe(tell, settle)

        token, nursery = self._token, self._nursery
        if token is None or nursery is None:
            raise self._not_begun(record, Unavailable("maglevd is starting", hint="try again in a moment"))
        try:
            token.run_sync_soon(begin, nursery)
        except trio.RunFinishedError as error:
            raise self._not_begun(record, _stopping()) from error
        return await answer

    def _not_begun(self, record: _Record | None, why: Unavailable) -> Unavailable:
        if record is not None:
            record.no = why
            self._tell(record.event())
        return why


async def _unbroken(call: Callable[[], Awaitable[V]]) -> V:
    """What comes of it. Raises Broken for what nobody expects: one order that fails must not end every probe."""
    try:
        return await call()
    except MaglevError:
        raise
    except Exception as error:
        _LOGGER.exception("an order failed")
        raise Broken("maglevd failed over this", hint="a fault of its own: report the traceback in its log") from error


def _stopping() -> Unavailable:
    return Unavailable("maglevd is stopping")


def _name(typed: str) -> str:
    """A name that can exist is told whole: two things must not look like one."""
    return bounded(typed, LONGEST)


def _summary(reloaded: ConfigReloaded) -> str:
    """What another configuration brought, such as `added backend web9; changed frontend www`."""
    kinds = {"added": reloaded.added, "removed": reloaded.removed, "changed": reloaded.changed}
    return "; ".join(f"{kind} {_some(names)}" for kind, names in kinds.items() if names) or "nothing else than before"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
