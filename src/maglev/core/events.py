"""What happened, as values with fields; who logs, counts or streams them is decided elsewhere.

The level says who should care: `debug` for each probe and message, `info` for a change, `warning` for what a human
must look at. `name` is the word that logs use.
"""

import enum
from dataclasses import dataclass
from typing import ClassVar

from maglev.core.desired import FrontendState
from maglev.core.health import State
from maglev.core.model import IPAddress, ProbeResult, VppInfo
from maglev.core.plan import Op


class Level(enum.Enum):
    """Log levels that events carry; the values are those of the logging module."""

    DEBUG = 10
    INFO = 20
    WARNING = 30


@dataclass(frozen=True, slots=True)
class ProbeStarted:
    """A probe of `backend` goes out."""

    name: ClassVar[str] = "probe-start"
    level: ClassVar[Level] = Level.DEBUG
    backend: str
    type: str


@dataclass(frozen=True, slots=True)
class ProbeDone:
    """A probe of `backend` answered."""

    name: ClassVar[str] = "probe-done"
    level: ClassVar[Level] = Level.DEBUG
    backend: str
    type: str
    result: ProbeResult


@dataclass(frozen=True, slots=True)
class BackendTransition:
    """A backend changed its state; `code` and `detail` are those of the probe that did it."""

    name: ClassVar[str] = "backend-transition"
    level: ClassVar[Level] = Level.INFO
    backend: str
    address: IPAddress
    before: State
    after: State
    code: str
    detail: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class FrontendTransition:
    """A frontend changed its state."""

    name: ClassVar[str] = "frontend-transition"
    level: ClassVar[Level] = Level.INFO
    frontend: str
    before: FrontendState
    after: FrontendState
    at_ns: int


@dataclass(frozen=True, slots=True)
class VppConnected:
    """API and stats are ours, all needed messages are there."""

    name: ClassVar[str] = "vpp-connect"
    level: ClassVar[Level] = Level.INFO
    vpp: VppInfo


@dataclass(frozen=True, slots=True)
class VppDisconnected:
    """A session ended; both sockets are torn down and will be tried again."""

    name: ClassVar[str] = "vpp-disconnect"
    level: ClassVar[Level] = Level.WARNING
    reason: str
    retry_s: float


@dataclass(frozen=True, slots=True)
class VppUnavailable:
    """No session could be made; said once per reason, tried again every `retry_s` seconds."""

    name: ClassVar[str] = "vpp-unavailable"
    level: ClassVar[Level] = Level.WARNING
    reason: str
    retry_s: float


@dataclass(frozen=True, slots=True)
class VppMessage:
    """One API message: `direction` is send or recv, `result` is ok or the retval."""

    name: ClassVar[str] = "vpp-api"
    level: ClassVar[Level] = Level.DEBUG
    message: str
    direction: str
    result: str


@dataclass(frozen=True, slots=True)
class OpApplied:
    """VPP acknowledged one operation."""

    name: ClassVar[str] = "vpp-op"
    level: ClassVar[Level] = Level.DEBUG
    op: Op


@dataclass(frozen=True, slots=True)
class Programmed:
    """VPP acknowledged these operations, in this order; one line for a human, however many there are."""

    name: ClassVar[str] = "vpp-programmed"
    level: ClassVar[Level] = Level.INFO
    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class OpRefused:
    """VPP refused one operation; it is tried again after the next audit."""

    name: ClassVar[str] = "vpp-refused"
    level: ClassVar[Level] = Level.WARNING
    op: Op
    reason: str


@dataclass(frozen=True, slots=True)
class Drift:
    """An audit found VPP's table other than we left it; `ops` operations put it right."""

    name: ClassVar[str] = "vpp-drift"
    level: ClassVar[Level] = Level.WARNING
    ops: int


@dataclass(frozen=True, slots=True)
class ListingUnreadable:
    """VPP's listing could not be read: counters and src-ip-sticky are unknown until it can."""

    name: ClassVar[str] = "vpp-listing"
    level: ClassVar[Level] = Level.WARNING
    reason: str


@dataclass(frozen=True, slots=True)
class SampleFailed:
    """Counters could not be read; nothing is published instead of something wrong."""

    name: ClassVar[str] = "vpp-sample"
    level: ClassVar[Level] = Level.WARNING
    reason: str


Event = (
    ProbeStarted
    | ProbeDone
    | BackendTransition
    | FrontendTransition
    | VppConnected
    | VppDisconnected
    | VppUnavailable
    | VppMessage
    | OpApplied
    | Programmed
    | OpRefused
    | Drift
    | ListingUnreadable
    | SampleFailed
)
