"""Status and events -> all families of /metrics; must not know how they are written or sent.

A figure not known is left out.
"""

import time
from collections.abc import Callable, Iterator

from maglev.core.status import Status
from maglev.metrics import vpp
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Family, Page
from maglev.metrics.fleet import FleetFamilies
from maglev.metrics.lines import Names, info, single
from maglev.metrics.own import Audience, OwnCost
from maglev.metrics.traffic import TrafficFamilies
from maglev.version import build


def registry_for(
    status: Callable[[], Status],
    counters: EventCounters,
    audience: Callable[[], Audience] = lambda: Audience(0, 0),
) -> Page:
    """All that /metrics shows: what is, from `status`; what has happened, from `counters`; and what maglevd costs."""
    families = StatusFamilies(status)
    cost = OwnCost(lambda: families.held_bytes, audience)
    return Page((families.collect, counters.families, cost.families), cost.observe)


class StatusFamilies:
    """Every family that follows from a frozen Status; what has not changed since the last time is not made again.

    `now_ns` is unix nanoseconds.
    """

    def __init__(self, status: Callable[[], Status], now_ns: Callable[[], int] = time.time_ns) -> None:
        self._status = status
        self._now_ns = now_ns
        self._names = Names()
        self._fleet = FleetFamilies()
        self._table = vpp.TableFamilies()
        self._traffic = TrafficFamilies()

    def collect(self) -> Iterator[Family]:
        """All families of the Status of this moment."""
        status = self._status()
        self._names.follow(status.health.backends)
        of = build()
        labels = {"version": of.version, "commit": of.commit}
        yield info("maglev_build", "The running maglevd: after an upgrade, is it the new one?", labels)
        yield from self._fleet.families(status.health)
        yield from vpp.of_vpp(status.vpp, self._now_ns())
        yield from vpp.of_lb(status.lb)
        yield from self._table.families(status.lb, self._names.by_address)
        yield from self._traffic.families(status.sample, self._names.by_address)
        yield single("maglev_vpp_sample_interval_seconds", _SAMPLE_INTERVAL, status.sample_interval_s or None)

    @property
    def held_bytes(self) -> int:
        """Memory that kept lines take."""
        return self._fleet.held_bytes + self._table.held_bytes + self._traffic.held_bytes


_SAMPLE_INTERVAL = (
    "How often VPP's counters are read: stats-interval. Rates over less than four times as long have gaps"
)
