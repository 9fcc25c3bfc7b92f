"""What happened, as values with fields; who logs, counts or streams them is decided elsewhere.

The level says who should care; `name` is the word that logs use. What concerns VPP is in vpp_events, audit records
are in orders, and all of it here too.
"""

from dataclasses import dataclass
from typing import ClassVar

from maglev.core.desired import FrontendState
from maglev.core.health import State
from maglev.core.level import Level
from maglev.core.model import IPAddress, ProbeResult
from maglev.core.orders import Ordered, Outcome
from maglev.core.vpp_events import (
    Audited,
    ConfChange,
    Drift,
    HeldBack,
    ListingUnreadable,
    OpApplied,
    OpRefused,
    Programmed,
    SampleFailed,
    VppConnected,
    VppDisconnected,
    VppEvent,
    VppMessage,
    VppUnavailable,
)

__all__ = [
    "ActivePoolChanged",
    "Audited",
    "BackendAdded",
    "BackendTransition",
    "ConfChange",
    "ConfigReloaded",
    "Drift",
    "Event",
    "FrontendAdded",
    "FrontendRemoved",
    "FrontendTransition",
    "HeldBack",
    "Level",
    "ListingUnreadable",
    "LoopStalled",
    "OpApplied",
    "OpRefused",
    "Ordered",
    "Outcome",
    "ProbeDone",
    "ProbeStarted",
    "ProbesInconclusive",
    "Programmed",
    "ReloadRefused",
    "SampleFailed",
    "UplinkSuspected",
    "VppConnected",
    "VppDisconnected",
    "VppEvent",
    "VppMessage",
    "VppUnavailable",
    "WeightSaid",
]


@dataclass(frozen=True, slots=True)
class ProbeStarted:
    """A probe of `backend` goes out, `late_s` seconds after it was due."""

    name: ClassVar[str] = "probe-start"
    level: ClassVar[Level] = Level.DEBUG
    backend: str
    type: str
    late_s: float


@dataclass(frozen=True, slots=True)
class ProbeDone:
    """A probe of `backend` answered."""

    name: ClassVar[str] = "probe-done"
    level: ClassVar[Level] = Level.DEBUG
    backend: str
    type: str
    result: ProbeResult


@dataclass(frozen=True, slots=True)
class ProbesInconclusive:
    """This machine cannot probe, which moves nobody's health; said once per reason, and again while it lasts.

    `backend` is one of the `backends` whose latest probe ended so.
    """

    name: ClassVar[str] = "probe-inconclusive"
    level: ClassVar[Level] = Level.WARNING
    backend: str
    type: str
    code: str
    detail: str
    backends: int


@dataclass(frozen=True, slots=True)
class LoopStalled:
    """maglevd stood still: `times` since this was last told, for `worst_s` at most; the last time ended `ago_s` ago."""

    name: ClassVar[str] = "loop-stalled"
    level: ClassVar[Level] = Level.WARNING
    times: int
    worst_s: float
    ago_s: float
    hint: str = "failures that overlap a stall are doubted and repeated; is this machine short of CPU?"


@dataclass(frozen=True, slots=True)
class UplinkSuspected:
    """`failed` of `probed` backends failed within one interval of their checks; their states follow the probes."""

    name: ClassVar[str] = "uplink-suspected"
    level: ClassVar[Level] = Level.WARNING
    failed: int
    probed: int
    hint: str = "so many at once are rarely the backends' fault: look at this machine's own uplink and routes"


@dataclass(frozen=True, slots=True)
class BackendTransition:
    """A backend changed its state; `code` and `detail` say what did it, as in `core.health.Transition`."""

    name: ClassVar[str] = "backend-transition"
    backend: str
    address: IPAddress
    before: State
    after: State
    code: str
    detail: str
    at_ns: int

    @property
    def level(self) -> Level:
        """A backend that goes down is for a human."""
        return Level.WARNING if self.after is State.DOWN else Level.INFO


@dataclass(frozen=True, slots=True)
class FrontendTransition:
    """A frontend changed its state."""

    name: ClassVar[str] = "frontend-transition"
    frontend: str
    before: FrontendState
    after: FrontendState
    at_ns: int

    @property
    def level(self) -> Level:
        """A frontend that goes down drops its traffic."""
        return Level.WARNING if self.after is FrontendState.DOWN else Level.INFO


@dataclass(frozen=True, slots=True)
class BackendAdded:
    """A reload brought a backend, in this state; its transitions are to come."""

    name: ClassVar[str] = "backend-added"
    level: ClassVar[Level] = Level.DEBUG
    backend: str
    address: IPAddress
    state: State
    at_ns: int


@dataclass(frozen=True, slots=True)
class FrontendAdded:
    """A reload brought a frontend, in this state; its transitions are to come."""

    name: ClassVar[str] = "frontend-added"
    level: ClassVar[Level] = Level.DEBUG
    frontend: str
    state: FrontendState
    at_ns: int


@dataclass(frozen=True, slots=True)
class FrontendRemoved:
    """A reload took a frontend away, which was in this state."""

    name: ClassVar[str] = "frontend-removed"
    level: ClassVar[Level] = Level.DEBUG
    frontend: str
    state: FrontendState
    at_ns: int


@dataclass(frozen=True, slots=True)
class ActivePoolChanged:
    """Another pool of a frontend takes the traffic; None: no pool can. `rank` counts from 0, the preferred one."""

    name: ClassVar[str] = "frontend-pool"
    frontend: str
    before: str | None
    after: str | None
    rank: int | None

    @property
    def level(self) -> Level:
        """Anything but the preferred pool is for a human."""
        return Level.INFO if self.rank == 0 else Level.WARNING


@dataclass(frozen=True, slots=True)
class WeightSaid:
    """An operator set the weight of a backend in a pool; it counts until a reload finds another one in the file."""

    name: ClassVar[str] = "weight-set"
    level: ClassVar[Level] = Level.INFO
    frontend: str
    pool: str
    backend: str
    before: int
    after: int
    flush: bool


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """A new configuration counts; each field names what is other than before, such as `backend web1`."""

    name: ClassVar[str] = "config-reload"
    level: ClassVar[Level] = Level.INFO
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    at_ns: int
    removed_backends: frozenset[str]
    removed_frontends: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReloadRefused:
    """The file has `faults`: the configuration from before goes on counting."""

    name: ClassVar[str] = "config-refused"
    level: ClassVar[Level] = Level.WARNING
    faults: tuple[str, ...]


Event = (
    ProbeStarted
    | ProbeDone
    | ProbesInconclusive
    | LoopStalled
    | UplinkSuspected
    | BackendTransition
    | FrontendTransition
    | BackendAdded
    | FrontendAdded
    | FrontendRemoved
    | ActivePoolChanged
    | WeightSaid
    | Ordered
    | ConfigReloaded
    | ReloadRefused
    | VppEvent
)
