"""Commands made by hand, for tests of those who give them."""

from dataclasses import dataclass, field, replace

from maglev.control.syncs import Synced
from maglev.core.health import Health, Order, State
from maglev.core.status import BackendStatus, FrontendStatus
from maglev.errors import MaglevError
from maglev.rpc.ports import Caller, Faults
from tests.rpc import statuses


@dataclass
class Desk:
    """Notes what it is told, and answers, or fails as it is told to."""

    failure: MaglevError | None = None
    faults: Faults | None = None
    told: list[object] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)

    def _note(self, *what: object, caller: Caller | None = None) -> None:
        self.told.append(what)
        if caller is not None:
            self.callers.append(caller)
        if self.failure is not None:
            raise self.failure

    async def order(self, backend: str, order: Order, caller: Caller) -> BackendStatus:
        self._note(backend, order, caller=caller)
        return replace(statuses.HEALTH.backends["web1"], health=Health(State.PAUSED, 0))

    async def set_weight(
        self, frontend: str, pool: str, backend: str, weight: int, caller: Caller, *, flush: bool
    ) -> FrontendStatus:
        self._note(frontend, pool, backend, weight, flush, caller=caller)
        return statuses.HEALTH.frontends["web"]

    async def sync(self, frontend: str, caller: Caller) -> Synced:
        self._note("sync", frontend, caller=caller)
        return Synced(1_700_000_000_000_000_000, 3, 1)

    async def check_config(self) -> Faults | None:
        self._note("check")
        return self.faults

    async def reload_config(self, caller: Caller) -> Faults | None:
        self._note("reload", caller=caller)
        return self.faults
