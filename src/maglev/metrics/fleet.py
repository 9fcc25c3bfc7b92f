"""What health checking has found out -> families of frontends and backends; a change costs the chunks that it is in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from maglev.core.health import State
from maglev.core.snapshot import Snapshot
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus
from maglev.metrics.exposition import Family, escaped
from maglev.metrics.keeping import KeptByChunk
from maglev.metrics.lines import vip_labels

V = TypeVar("V", BackendStatus, FrontendStatus)


@dataclass(frozen=True, slots=True)
class _Gauge(Generic[V]):
    """`lines` about a value, which are the same while `said` is."""

    name: str
    help: str
    lines: Callable[[V], str]
    said: Callable[[V], object]
    kind: str = "gauge"


class FleetFamilies:
    """Families that follow from a HealthStatus."""

    def __init__(self) -> None:
        self._backends = tuple((gauge, KeptByChunk(gauge.lines, gauge.said)) for gauge in _OF_BACKENDS)
        self._frontends = tuple((gauge, KeptByChunk(gauge.lines, gauge.said)) for gauge in _OF_FRONTENDS)

    def families(self, health: HealthStatus) -> Iterator[Family]:
        """All of them, in their order on the page."""
        backends, frontends = _chunks(health.backends), _chunks(health.frontends)
        for of_backend, kept_backends in self._backends:
            yield Family(of_backend.name, of_backend.help, of_backend.kind, kept_backends.blocks(backends))
        for of_frontend, kept_frontends in self._frontends:
            yield Family(of_frontend.name, of_frontend.help, of_frontend.kind, kept_frontends.blocks(frontends))

    @property
    def held_bytes(self) -> int:
        """What is kept of them."""
        of_backends = sum(kept.held_bytes for _, kept in self._backends)
        return of_backends + sum(kept.held_bytes for _, kept in self._frontends)


def _chunks(values: Mapping[str, V]) -> tuple[tuple[V, ...], ...]:
    return (values if isinstance(values, Snapshot) else Snapshot(values)).chunks


def _backend_state(status: BackendStatus) -> str:
    return f'maglev_backend_state{{backend="{_name(status)}",state="{status.health.state.word}"}} 1\n'


def _backend_health(status: BackendStatus) -> str:
    if status.backend.check is None:
        return ""
    return f'maglev_backend_health{{backend="{_name(status)}"}} {status.health.counter}\n'


def _backend_enabled(status: BackendStatus) -> str:
    return f'maglev_backend_enabled{{backend="{_name(status)}"}} {int(status.health.state is not State.DISABLED)}\n'


def _name(status: BackendStatus) -> str:
    return escaped(status.backend.name)


def _frontend_state(status: FrontendStatus) -> str:
    name = escaped(status.frontend.name)
    return f'maglev_frontend_state{{frontend="{name}",state="{status.resolved.state.word}"}} 1\n'


def _frontend_vip(status: FrontendStatus) -> str:
    name = escaped(status.frontend.name)
    return f'maglev_frontend_info{{frontend="{name}",{vip_labels(status.frontend.vip)}}} 1\n'


def _active_pool(status: FrontendStatus) -> str:
    rank = status.resolved.active_pool
    if rank is None:
        return ""
    name, pool = escaped(status.frontend.name), escaped(status.frontend.pools[rank].name)
    return f'maglev_frontend_active_pool_rank{{frontend="{name}",pool="{pool}"}} {rank}\n'


def _configured_weights(status: FrontendStatus) -> str:
    return _weights("maglev_frontend_pool_backend_weight", status, [pool.weights for pool in status.frontend.pools])


def _effective_weights(status: FrontendStatus) -> str:
    weights = [{name: cell.weight for name, cell in cells.items()} for cells in status.resolved.pools]
    return _weights("maglev_frontend_pool_backend_effective_weight", status, weights)


def _weights(family: str, status: FrontendStatus, weights: Sequence[Mapping[str, int]]) -> str:
    lines = []
    for pool, of_pool in zip(status.frontend.pools, weights, strict=True):
        head = f'{family}{{frontend="{escaped(status.frontend.name)}",pool="{escaped(pool.name)}",backend="'
        lines += [f'{head}{escaped(name)}"}} {weight}\n' for name, weight in of_pool.items()]
    return "".join(lines)


def _state_said(status: BackendStatus) -> object:
    return status.backend.name, status.health.state


def _health_said(status: BackendStatus) -> object:
    return status.backend.name, status.backend.check is None, status.health.counter


_OF_BACKENDS: tuple[_Gauge[BackendStatus], ...] = (
    _Gauge(
        "maglev_backend_state",
        "1 for the state the backend is in: unknown, up, down, paused or disabled. down: `maglevc show backends NAME` "
        "has the reason",
        _backend_state,
        _state_said,
    ),
    _Gauge(
        "maglev_backend_health",
        "The backend's health counter, from 0 (down for long) to rise + fall - 1 (up for long); absent without a "
        "health check. One that keeps moving is a backend that fails now and then",
        _backend_health,
        _health_said,
    ),
    _Gauge(
        "maglev_backend_enabled",
        "0 while the backend is disabled, in the file or by an operator: it takes no traffic until it is enabled again",
        _backend_enabled,
        _state_said,
    ),
)
_OF_FRONTENDS: tuple[_Gauge[FrontendStatus], ...] = (
    _Gauge(
        "maglev_frontend_state",
        "1 for the state the frontend is in. down: no backend of any pool can take traffic, and VPP drops what comes; "
        "unknown: no backend has been probed yet, or in the warmup some have not, and VPP's table is left as it is",
        _frontend_state,
        lambda status: (status.frontend.name, status.resolved.state),
    ),
    _Gauge(
        "maglev_frontend",
        "1, with the frontend's VIP: joins its name to figures of VPP, which knows VIPs only, by on (prefix, protocol, "
        "port) group_left (frontend)",
        _frontend_vip,
        lambda status: (status.frontend.name, status.frontend.vip),
        "info",
    ),
    _Gauge(
        "maglev_frontend_active_pool_rank",
        "Place of the pool that takes the traffic, 0 for the first one; absent while none does. Above 0 the preferred "
        "pools are all down: mend them before the fallback fails too",
        _active_pool,
        lambda status: (status.frontend, status.resolved.active_pool),
    ),
    _Gauge(
        "maglev_frontend_pool_backend_weight",
        "Configured weight, 0 to 100, or the one that an operator has set since",
        _configured_weights,
        lambda status: status.frontend,
    ),
    _Gauge(
        "maglev_frontend_pool_backend_effective_weight",
        "Weight that VPP shall use now, 0 to 100: 0 unless the backend is up and its pool is the active one",
        _effective_weights,
        lambda status: (status.frontend, status.resolved.pools),
    ),
)
