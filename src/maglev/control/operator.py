"""What an operator may change while maglevd runs, and what of it outlives a reload; must not know how orders arrive.

All of it happens on the trio thread, at once, and is published as one step.
"""

from maglev.control.checker import Checker, Fleet
from maglev.control.ports import Emit
from maglev.core.events import WeightSaid
from maglev.core.health import PROBED, Order, State
from maglev.core.intent import Intent, Said, applied, configured, surviving
from maglev.core.model import MAX_WEIGHT, Frontend
from maglev.core.naming import named
from maglev.core.status import BackendStatus, FrontendStatus
from maglev.errors import ConfigError


class Operator:
    """Gives orders to the `checker`, which checks `fleet` as the file has it."""

    def __init__(self, checker: Checker, fleet: Fleet, emit: Emit) -> None:
        self._checker = checker
        self._file = fleet
        self._emit = emit
        self._intent: Intent = {}

    def state_of(self, backend: str) -> str | None:
        """The word for a backend's state; None if there is none of that name."""
        status = self._checker.health.value.backends.get(backend)
        return status.health.state.word if status else None

    def weight_of(self, frontend: str, pool: str, backend: str) -> str | None:
        """The weight that counts, such as `100`, or `0, flushed`; None if there is no such place."""
        status = self._checker.health.value.frontends.get(frontend)
        for each in status.frontend.pools if status else ():
            if each.name == pool and backend in each.weights:
                return f"{each.weights[backend]}{', flushed' if backend in each.flushed else ''}"
        return None

    def standing(self) -> list[str]:
        """What counts by an operator's word alone, such as `backend web1 paused`: a restart forgets it."""
        found = []
        for name, backend in self._file.backends.items():
            state = self._checker.health.value.backends[name].health.state
            if state is State.PAUSED or (state is State.DISABLED) is backend.enabled:
                found.append(f"backend {name} {'enabled' if state in PROBED else state.word}")
        for place, said in self._intent.items():
            if said.flush or said.weight != configured(self._file.frontends, place):
                found.append("frontend {} pool {} backend {} weight {}".format(*place, said.weight))
        return found

    def find(self, frontend: str) -> None:
        """Raise NotFound unless there is a frontend of that name."""
        named("frontend", frontend, self._file.frontends)

    def order(self, backend: str, order: Order) -> BackendStatus:
        """Pause, resume, enable or disable; what is so already stays. Raises NotFound, Refused."""
        named("backend", backend, self._file.backends)
        self._checker.order(backend, order)
        return self._checker.health.value.backends[backend]

    def set_weight(self, frontend: str, pool: str, backend: str, weight: int, *, flush: bool) -> FrontendStatus:
        """Set a weight, 0..100; with `flush`, 0 also cuts the backend's flows. Raises NotFound, ConfigError."""
        of_file = named("frontend", frontend, self._file.frontends)
        running = self._checker.health.value.frontends[frontend].frontend
        weights = named(f"pool of {frontend}", pool, {each.name: each.weights for each in running.pools})
        before = named(f"backend in pool {pool} of {frontend}", backend, weights)
        if not 0 <= weight <= MAX_WEIGHT:
            raise ConfigError(f"a weight is a whole number from 0 to {MAX_WEIGHT}", weight=weight)
        if flush and weight:
            raise ConfigError("a flush goes with a weight of 0", weight=weight, hint="set 0 with the flush, then this")
        place = (frontend, pool, backend)
        self._intent = {**self._intent, place: Said(weight, flush)}
        self._emit(WeightSaid(*place, before, weight, flush))
        self._checker.change_frontend(applied(of_file, self._intent))
        return self._checker.health.value.frontends[frontend]

    def reload(self, fleet: Fleet, *, asks_anew: bool) -> None:
        """Take `fleet` for what the file says now; objects that are the same as before did not change."""
        self._intent = surviving(self._intent, self._file.frontends, fleet.frontends)
        self._file = fleet
        running = dict(fleet.frontends)
        for name in {place[0] for place in self._intent}:
            running[name] = self._running(fleet.frontends[name])
        self._checker.reload(Fleet(fleet.backends, running, fleet.history), asks_anew=asks_anew)

    def _running(self, frontend: Frontend) -> Frontend:
        new = applied(frontend, self._intent)
        old = self._checker.health.value.frontends.get(frontend.name)
        return old.frontend if old is not None and new is not frontend and old.frontend == new else new
