"""How many file descriptors a configuration takes, and whether we may have them; knows neither probes nor listeners.

Half of them are for probes, one for each under way. The other half is for gRPC (a quarter of all, `rpc.server.Limits`),
for /metrics, for VPP and for what Python itself holds.
"""

import resource
from collections.abc import Iterable

from maglev.control.watching import MAX_PROBES_AT_ONCE
from maglev.core.model import Backend
from maglev.errors import ConfigError

LEAST = 256  # without any backend


def allow_many() -> None:
    """As many as the machine's owner lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def allowed() -> int:
    """How many we may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def probes_at_once() -> int:
    """As many as there may be, but no more than half of our descriptors."""
    return min(MAX_PROBES_AT_ONCE, max(allowed() // 2, 1))


def needed(backends: Iterable[Backend]) -> int:
    """So many that every one that is probed may keep a probe waiting until its timeout, all at the same time."""
    questions = {(each.address, each.check) for each in backends if each.check is not None}
    return max(2 * min(len(questions), MAX_PROBES_AT_ONCE), LEAST)


def require(backends: Iterable[Backend]) -> None:
    """Raise ConfigError if that is more than we may have: probes would wait for each other, and backends die late."""
    wanted, limit = needed(backends), allowed()
    if wanted > limit:
        raise ConfigError(
            f"these backends take {wanted} file descriptors, and no more than {limit} are allowed",
            hint=f"say LimitNOFILE={wanted} or more in maglevd.service (systemctl edit maglevd), or ulimit -n {wanted}",
        )
