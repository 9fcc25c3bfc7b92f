"""A valid configuration as values; knows nothing of YAML, files or the faults that were checked on the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from maglev.core.model import Backend, Frontend, HealthCheck, LbConf


@dataclass(frozen=True, slots=True)
class LbSettings:
    """The `vpp.lb` section; times in seconds, startup_max_delay_s >= startup_min_delay_s >= 0.

    `conf` is None only when VPP is not in use and no source address is given.
    """

    conf: LbConf | None
    sync_interval_s: float
    stats_interval_s: float
    startup_min_delay_s: float
    startup_max_delay_s: float


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration: every name exists, every rule holds; the mappings keep the order of the file.

    `transition_history` is how many transitions of each backend are kept; `netns` names the network namespace that
    probes run in, None for our own.
    """

    transition_history: int
    netns: str | None
    lb: LbSettings
    healthchecks: Mapping[str, HealthCheck]
    backends: Mapping[str, Backend]
    frontends: Mapping[str, Frontend]
