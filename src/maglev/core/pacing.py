"""When to act next: probe intervals and their jitter; the random number is passed in."""

from maglev.core.health import Health, State, ceiling
from maglev.core.model import Policy, Timing

JITTER = 0.1  # each interval is stretched or shrunk by up to this share


def probe_interval_s(health: Health, policy: Policy, timing: Timing) -> float:
    """Seconds to the next probe: fast while in doubt, the down interval at 0, the interval at the ceiling."""
    if health.state is State.UNKNOWN:
        return timing.fast_interval_s
    if health.counter == 0:
        return timing.down_interval_s
    if health.counter == ceiling(policy):
        return timing.interval_s
    return timing.fast_interval_s


def jittered_s(interval_s: float, chance: float) -> float:
    """`interval_s` moved by up to 10 % either way; `chance` is uniform in [0, 1)."""
    return interval_s * (1 + JITTER * (2 * chance - 1))
