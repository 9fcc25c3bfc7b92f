"""What maglevc can be told to do: one value for each command; knows neither its words nor how it is done.

Named tuples, as twenty dataclasses would take a twentieth of a start. Tell them apart by their class, not by `==`.
"""

import re
from typing import NamedTuple


class Help(NamedTuple):
    """All commands."""


class Quit(NamedTuple):
    """Leave the shell."""


class ShowVersion(NamedTuple):
    """The versions of maglevc and of maglevd."""


class ShowFrontends(NamedTuple):
    """All frontends, or the one called `name`."""

    name: str | None


class ShowBackends(NamedTuple):
    """All backends, or the one called `name`."""

    name: str | None


class ShowHealthChecks(NamedTuple):
    """All health checks, or the one called `name`."""

    name: str | None


class ShowVppInfo(NamedTuple):
    """The VPP that maglevd is connected to."""


class ShowLbState(NamedTuple):
    """VPP's load-balancer table."""


class ShowLbCounters(NamedTuple):
    """VPP's counters of VIPs and backends; `is_rate`: how fast they grow."""

    is_rate: bool


class ShowLbPlan(NamedTuple):
    """What is left to do to VPP's table."""


class SyncLbState(NamedTuple):
    """Read VPP's table anew and make it right; `name` has to be a frontend."""

    name: str | None


class SetBackend(NamedTuple):
    """An order for a backend, one of ORDERS."""

    name: str
    order: str


class SetWeight(NamedTuple):
    """The weight of a backend in a pool of a frontend, 0..100; with `flush` its flows are cut."""

    frontend: str
    pool: str
    backend: str
    weight: int
    flush: bool


class WatchEvents(NamedTuple):
    """Events as they happen: records of the log from `level` on, changes of backends, of frontends; `limit` of them."""

    limit: int | None
    log: bool
    level: str
    backend: bool
    frontend: bool


class WatchFrontends(NamedTuple):
    """The frontends, over and over."""


class WatchLbCounters(NamedTuple):
    """VPP's counters, over and over; `is_rate`: how fast they grow."""

    is_rate: bool


class ConfigCheck(NamedTuple):
    """Whether maglevd could take over its configuration file."""


class ConfigReload(NamedTuple):
    """Take over the configuration file."""


Question = (
    ShowVersion
    | ShowFrontends
    | ShowBackends
    | ShowHealthChecks
    | ShowVppInfo
    | ShowLbState
    | ShowLbCounters
    | ShowLbPlan
)
Change = SyncLbState | SetBackend | SetWeight | ConfigCheck | ConfigReload
Watch = WatchEvents | WatchFrontends | WatchLbCounters
Command = Help | Quit | Question | Change | Watch


class Line(NamedTuple):
    """A command and what is piped behind it."""

    command: Command
    is_json: bool = False
    pattern: re.Pattern[str] | None = None
