"""The longest that a backend which dies or comes back can go unnoticed, by the rules of core."""

from maglev.core.health import Health, State, ceiling, step
from maglev.core.model import Policy, Timing
from maglev.core.pacing import JITTER, probe_interval_s


def noticed_within_s(policy: Policy, timing: Timing, *, passes: bool, takes_s: float, took_s: float = 0.0) -> float:
    """Seconds until a backend that was fully up (or down) is down (or up).

    Each probe takes `takes_s`; the last one before, which began just as it happened, took `took_s`.
    """
    health = Health(State.DOWN, 0) if passes else Health(State.UP, ceiling(policy))
    before, wanted = not passes, State.UP if passes else State.DOWN
    now_s = max(probe_interval_s(health, before, policy, timing) * (1 + JITTER), took_s)
    while True:
        health = step(health, passes, policy)
        if health.state is wanted:
            return now_s + takes_s
        now_s += max(probe_interval_s(health, passes, policy, timing) * (1 + JITTER), takes_s)
