"""One backend through its life: its first status, then results, orders and reloads; who is told is decided elsewhere.

Each function returns the status it was given if nothing changes. The newest transition tells of a change of state.
"""

from dataclasses import replace

from maglev.core.health import PROBED, Health, Order, State, Transition, carried, obeyed, step, unknown
from maglev.core.model import Backend, HealthCheck, Policy, ProbeResult
from maglev.core.status import BackendStatus

RELOAD = "reload"
"""What did a transition, where the file did it."""


def begun(backend: Backend, now_ns: int) -> BackendStatus:
    """The status of a backend that is new."""
    return BackendStatus(backend, _first(backend), now_ns, ())


def judged(status: BackendStatus, result: ProbeResult, now_ns: int, history: int) -> BackendStatus:
    """After one result, of which an inconclusive one moves nothing; `history` is how many transitions are kept."""
    check = status.backend.check
    if result.passed is None or check is None:
        return status
    health = step(status.health, result.passed, check.policy)
    if health == status.health:
        return status
    return _moved(status, health, now_ns, result.code, result.detail, history)


def ordered(status: BackendStatus, order: Order, now_ns: int, history: int) -> BackendStatus:
    """After an operator's order. Raises Refused."""
    health = obeyed(status.health, order, _policy(status.backend))
    if health is status.health:
        return status
    return _moved(status, health, now_ns, order.value, "by an operator", history)


def removed(status: BackendStatus, now_ns: int, history: int) -> BackendStatus:
    """After a reload without it."""
    health = obeyed(status.health, Order.REMOVE, None)
    return _moved(status, health, now_ns, RELOAD, "it is not in the configuration any more", history)


def reloaded(status: BackendStatus, backend: Backend, now_ns: int, history: int, *, asks_anew: bool) -> BackendStatus:
    """After a reload that has `backend` for it.

    - Enabled or disabled in the file now, and not before: the file wins over what an operator said since.
    - Disabled or paused otherwise: stays so.
    - Another address is another server, of which nothing is known.
    - Another check, or `asks_anew`, starts at unknown; what was known stands until it has answered.
    - A check that asks the same at other times, or counts otherwise, keeps what was found.
    """
    before = status.backend
    if backend is before and not asks_anew and len(status.transitions) <= history:
        return status
    kept = replace(status, backend=backend, transitions=status.transitions[:history])
    state = status.health.state
    if backend.enabled is not before.enabled:
        order = Order.ENABLE if backend.enabled else Order.DISABLE
        health = obeyed(status.health, order, _policy(backend))
        if health is not status.health:
            return _moved(kept, health, now_ns, RELOAD, f"{order.value}d in the file", history)
    if state not in PROBED:
        return kept
    if backend.address != before.address:
        return _moved(kept, unknown(_policy(backend)), now_ns, RELOAD, "its address changed", history)
    if not asks_anew and backend.check and before.check and _ask_the_same(backend.check, before.check):
        return replace(kept, health=carried(status.health, before.check.policy, backend.check.policy))
    if backend.check != before.check or (asks_anew and backend.check):
        why = "its health check changed" if backend.check != before.check else "probes have another network namespace"
        after = _moved(kept, unknown(_policy(backend)), now_ns, RELOAD, why, history)
        return replace(after, stands=status.counts_as) if after.health.state is State.UNKNOWN else after
    return kept


def _ask_the_same(one: HealthCheck, other: HealthCheck) -> bool:
    return (one.spec, one.ipv4_source, one.ipv6_source) == (other.spec, other.ipv4_source, other.ipv6_source)


def _policy(backend: Backend) -> Policy | None:
    return backend.check.policy if backend.check else None


def _first(backend: Backend) -> Health:
    return unknown(_policy(backend)) if backend.enabled else Health(State.DISABLED, 0)


def _moved(status: BackendStatus, health: Health, now_ns: int, code: str, detail: str, history: int) -> BackendStatus:
    before, after = status.health.state, health.state
    if before is after:
        return replace(status, health=health, stands=None)
    change = Transition(now_ns, before, after, code, detail)
    return BackendStatus(status.backend, health, now_ns, (change, *status.transitions)[:history])
