"""Which prefixes a change of health or configuration touches, and what is wished for there; must not know VPP's table.

The work of a transition is that of the frontends it touches, however many there are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from maglev.core.desired import DesiredVip, desired_vip
from maglev.core.health import State
from maglev.core.model import Frontend, IPNetwork, VipKey
from maglev.core.status import FrontendStatus, HealthStatus
from maglev.core.warmup import Warmup


class Scope:
    """One HealthStatus at a time, seen by prefix.

    A frontend changes only by another FrontendStatus, also when a backend of it gets another address.
    """

    def __init__(self) -> None:
        self.health = HealthStatus()
        self._names_on: Mapping[IPNetwork, Sequence[str]] = {}
        self._wishes: dict[str, DesiredVip] = {}  # by frontend, for those asked for since they changed

    @property
    def prefixes(self) -> frozenset[IPNetwork]:
        """Of all frontends."""
        return frozenset(self._names_on)

    def move_to(self, health: HealthStatus) -> set[IPNetwork]:
        """Take `health` for the present one; returns the prefixes on which a frontend is not what it was."""
        older, self.health = self.health, health
        before, after = older.frontends, health.frontends
        if before is after:
            return set()
        if not before:  # the first look of a session: everything is new
            self._names_on = _names_by_prefix(after)
            return set(self._names_on)
        changed = health.moved_since(older)
        new = [name for name in changed if name not in before]
        gone = [name for name in before if name not in after] if len(after) - len(new) < len(before) else []
        touched = {before[name].frontend.vip.prefix for name in (*changed, *gone) if name in before}
        if gone or any(name not in before or before[name].frontend is not changed[name].frontend for name in changed):
            self._names_on = _names_by_prefix(after)
            touched |= {status.frontend.vip.prefix for status in changed.values()}
        for name in (*changed, *gone):
            self._wishes.pop(name, None)
        return touched

    def wishes_on(self, prefix: IPNetwork, warmup: Warmup, elapsed_s: float) -> dict[VipKey, DesiredVip]:
        """The VIPs to have on `prefix`; while warming up, those of released frontends only."""
        wishes: dict[VipKey, DesiredVip] = {}
        for name in self._names_on.get(prefix, ()):
            frontend = self.health.frontends[name].frontend
            if warmup.is_over(elapsed_s) or warmup.released(elapsed_s, (frontend,), states_of(frontend, self.health)):
                wishes[frontend.vip] = self._wishes.get(name) or self._wish(name)
        return wishes

    def _wish(self, name: str) -> DesiredVip:
        wish = self._wishes[name] = wish_of(self.health.frontends[name], self.health)
        return wish


def states_of(frontend: Frontend, health: HealthStatus) -> dict[str, State]:
    """Of its backends."""
    return {name: health.backends[name].health.state for name in frontend.backend_names}


def wish_of(status: FrontendStatus, health: HealthStatus) -> DesiredVip:
    """The VIP that a frontend shall have."""
    backends = {each: health.backends[each].backend for each in status.frontend.backend_names}
    return desired_vip(status.frontend, status.resolved, backends)


def _names_by_prefix(frontends: Mapping[str, FrontendStatus]) -> Mapping[IPNetwork, Sequence[str]]:
    names_on: dict[IPNetwork, list[str]] = defaultdict(list)
    for name, status in frontends.items():
        names_on[status.frontend.vip.prefix].append(name)
    return names_on
