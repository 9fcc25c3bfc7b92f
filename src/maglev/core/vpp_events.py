"""What happened between us and VPP, as values with fields; see core.events for the rest and for the rules."""

from dataclasses import dataclass
from typing import ClassVar

from maglev.core.audits import AuditReason
from maglev.core.level import Level
from maglev.core.model import LbConf, VppInfo
from maglev.core.plan import DelVip, Op


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

    level: ClassVar[Level] = Level.DEBUG
    message: str
    direction: str
    result: str

    @property
    def name(self) -> str:
        """Users of logs tell the directions apart by name."""
        return f"vpp-api-{self.direction}"


@dataclass(frozen=True, slots=True)
class OpApplied:
    """VPP acknowledged one operation."""

    name: ClassVar[str] = "vpp-op"
    op: Op

    @property
    def level(self) -> Level:
        """The end of a VIP is never hidden behind `and 8 more`."""
        return Level.WARNING if isinstance(self.op, DelVip) else Level.DEBUG


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
class HeldBack:
    """VPP ended `deaths` sessions in a row right after it was programmed: nothing is written for `pause_s` seconds."""

    name: ClassVar[str] = "vpp-held-back"
    level: ClassVar[Level] = Level.WARNING
    deaths: int
    pause_s: float
    hint: str = "VPP seems to die of what we write: look at its log and core file; its table stays as it is meanwhile"


@dataclass(frozen=True, slots=True)
class ConfChange:
    """The global parameters are about to be written; another bucket count drops every flow of a VPP that has VIPs."""

    name: ClassVar[str] = "vpp-lb-conf"
    before: LbConf | None
    after: LbConf
    has_vips: bool

    @property
    def drops_flows(self) -> bool:
        """Whether flows can be lost."""
        if not self.has_vips:
            return False
        return self.before is None or self.before.sticky_buckets_per_core != self.after.sticky_buckets_per_core

    @property
    def level(self) -> Level:
        """Lost flows are for a human."""
        return Level.WARNING if self.drops_flows else Level.INFO


@dataclass(frozen=True, slots=True)
class Audited:
    """VPP's table was read whole: that kept VPP busy for `cost_s`, and the next one for drift is in `interval_s`."""

    name: ClassVar[str] = "vpp-audit"
    reason: AuditReason
    cost_s: float
    interval_s: float
    is_slower: bool

    @property
    def level(self) -> Level:
        """That drift is found later than configured is worth a line, each time it gets later."""
        return Level.INFO if self.is_slower else Level.DEBUG


@dataclass(frozen=True, slots=True)
class Drift:
    """An audit found VPP's table other than we left it; these operations put it right."""

    name: ClassVar[str] = "vpp-drift"
    level: ClassVar[Level] = Level.WARNING
    ops: tuple[Op, ...]
    hint: str = "somebody else writes to this VPP: a second maglevd, or a hand?"


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


VppEvent = (
    VppConnected
    | VppDisconnected
    | VppUnavailable
    | VppMessage
    | OpApplied
    | Programmed
    | OpRefused
    | HeldBack
    | ConfChange
    | Audited
    | Drift
    | ListingUnreadable
    | SampleFailed
)
