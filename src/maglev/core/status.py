"""The frozen Status that everyone outside may read: one reference, taken without a lock, never changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from maglev.core.counters import Sample
from maglev.core.desired import Resolved
from maglev.core.health import Health, State, Transition
from maglev.core.model import Backend, Frontend, HealthCheck, IPAddress, LbConf, VipKey, VppInfo
from maglev.core.plan import NOTHING_HELD, Observed, Op
from maglev.core.snapshot import changed


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """A backend, its health, since when (unix nanoseconds), and its latest transitions, newest first.

    `stands` is set after a reload that changed the check: what the check before it found, until the new one answers.
    """

    backend: Backend
    health: Health
    changed_at_ns: int
    transitions: tuple[Transition, ...]
    stands: State | None = None

    @property
    def counts_as(self) -> State:
        """The state that weights follow. A changed check is no reason to send no traffic until it has answered."""
        return self.stands or self.health.state


@dataclass(frozen=True, slots=True)
class FrontendStatus:
    """A frontend, what its backends' health makes of it, and since when it has that state (unix nanoseconds)."""

    frontend: Frontend
    resolved: Resolved
    changed_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """Everything that probes decide: backends and frontends by name, in the order of the config.

    `frontends` is the same object as before unless a backend changed its state; then every frontend that has this
    backend is another object.
    """

    backends: Mapping[str, BackendStatus] = field(default_factory=dict)
    frontends: Mapping[str, FrontendStatus] = field(default_factory=dict)

    def moved_since(self, older: "HealthStatus") -> Mapping[str, FrontendStatus]:
        """The frontends that are new or have a backend that changed its state, by name in the order of the config.

        `older` may be any earlier status, not only the last; those of the checker are compared at the cost of what
        changed, not of what there is. A frontend that has gone is not told.
        """
        return changed(self.frontends, older.frontends)


@dataclass(frozen=True, slots=True)
class LbStatus:
    """VPP's LB table as we know it: `audited_at_ns` is when it was last read whole (unix nanoseconds).

    `audited` is what was read then, and `observed` what every write acknowledged since has made of it. A write makes
    `observed` forget the buckets and flows that it moves; `audited` still has them, as of that time.
    `refused` says, by VIP, what VPP answered to what we last asked in vain and still want; `conf_refused` the same of
    the global parameters, empty if they are set. `doubtful` are the VIPs that are not written until the next audit.
    The last audit kept VPP busy for `audit_cost_s`, and the next one for drift comes `audit_interval_s` after it.
    `held_back_s` is how long nothing is written, as VPP keeps dying of it; 0 if that is not so.
    `wish` is what the global parameters shall be, None to leave them alone. While `is_warming_up`, whatever core.warmup
    does not release waits. `held` are the operations that VPP keeps refusing, until they are to be tried again.
    """

    observed: Observed
    audited_at_ns: int
    refused: Mapping[VipKey, str] = field(default_factory=dict)
    conf_refused: str = ""
    doubtful: frozenset[VipKey] = frozenset()
    audit_cost_s: float = 0.0
    audit_interval_s: float = 0.0
    held_back_s: float = 0.0
    audited: Observed = field(default_factory=lambda: Observed(None, {}))
    wish: LbConf | None = None
    is_warming_up: bool = False
    held: frozenset[Op] = NOTHING_HELD


@dataclass(frozen=True, slots=True)
class Status:
    """All of it; `vpp`, `lb` and `sample` are None while they are not known.

    `checks` are all definitions by name, in the order of the config, those that no backend has too. A sample is taken
    every `sample_interval_s`; 0 where none ever is.
    """

    health: HealthStatus = field(default_factory=HealthStatus)
    vpp: VppInfo | None = None
    lb: LbStatus | None = None
    sample: Sample | None = None
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    sample_interval_s: float = 0.0


def names_by_address(backends: Iterable[BackendStatus]) -> Mapping[IPAddress, list[str]]:
    """Which backends share an address, in the order of the config."""
    names: defaultdict[IPAddress, list[str]] = defaultdict(list)
    for status in backends:
        names[status.backend.address].append(status.backend.name)
    return names
