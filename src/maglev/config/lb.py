"""The section `vpp.lb`: VPP's global parameters and the pace at which we work on it."""

from collections.abc import Collection

from maglev.config.document import Node
from maglev.config.faults import shown
from maglev.config.fields import Fields
from maglev.config.model import LbSettings
from maglev.config.values import Wrong, duration, integer, ipv4_address, ipv6_address, seconds, whole_seconds
from maglev.core.model import HealthCheck, LbConf
from maglev.core.pacing import first_probe_delay_s

# VPP's flow table takes 64 bytes a bucket and its size is computed in 32 bits (VPP src/plugins/lb/lbhash.h): 2^26
# buckets wrap around and corrupt its memory. 2^24 are 1 GiB a worker.
MAX_STICKY_BUCKETS = 2**24

_KEYS = (
    "ipv4-src-address",
    "ipv6-src-address",
    "sync-interval",
    "stats-interval",
    "startup-min-delay",
    "startup-max-delay",
    "sticky-buckets-per-core",
    "flow-timeout",
)
_interval = duration(0.1)
_delay = duration(0.01, or_zero=True)


def read_lb(vpp: Fields, vpp_in_use: bool, waited_for: Collection[HealthCheck]) -> LbSettings:
    """The settings; without `vpp_in_use` the source addresses may both be missing.

    The warmup must be long enough for a first result of the checks in `waited_for`.
    """
    fields = vpp.section("lb", _KEYS)
    min_delay_s, max_delay_s = _delays(fields, waited_for)
    return LbSettings(
        _conf(fields, vpp_in_use),
        sync_interval_s=fields.get("sync-interval", _interval, 30.0),
        stats_interval_s=fields.get("stats-interval", _interval, 5.0),
        startup_min_delay_s=min_delay_s,
        startup_max_delay_s=max_delay_s,
    )


def _delays(fields: Fields, waited_for: Collection[HealthCheck]) -> tuple[float, float]:
    least, most = "startup-min-delay", "startup-max-delay"
    min_delay_s, max_delay_s = fields.find(least, _delay), fields.find(most, _delay)
    if (min_delay_s is None and least in fields) or (max_delay_s is None and most in fields):
        return 0.0, 0.0  # a default in place of what is wrong would give rise to another fault
    min_delay_s = 5.0 if min_delay_s is None else min_delay_s
    max_delay_s = 30.0 if max_delay_s is None else max_delay_s
    if max_delay_s < min_delay_s:
        pair = f"{most} is {seconds(max_delay_s)}, less than {least}, {seconds(min_delay_s)}"
        fields.fault(most if most in fields else least, f"{pair}: raise the one or lower the other")
    elif max_delay_s > 0 and waited_for:
        _check_warmup(fields, max_delay_s, max(waited_for, key=_known_after_s))
    return min_delay_s, max_delay_s


def _check_warmup(fields: Fields, max_delay_s: float, slowest: HealthCheck) -> None:
    known_after_s = _known_after_s(slowest)
    if known_after_s <= max_delay_s:
        return
    first, timeout = seconds(_first_probe_s(slowest)), seconds(slowest.timing.timeout_s)
    needs = f"is {seconds(max_delay_s)}, but the first result of health check {shown(slowest.name)} may take"
    sum_of = f"{seconds(known_after_s)} ({first} until it is asked, timeout {timeout})"
    lost = "a backend not known by then gets no traffic after a restart"
    key = "startup-max-delay"
    fields.fault(key, f"{key} {needs} {sum_of}; {lost}: raise it to {seconds(known_after_s)} or lower the timeout")


def _known_after_s(check: HealthCheck) -> float:
    """Seconds from a start to the first result of `check`, at most; to the millisecond, as 0.1 + 0.2 is above 0.3."""
    return round(_first_probe_s(check) + check.timing.timeout_s, 3)


def _first_probe_s(check: HealthCheck) -> float:
    return first_probe_delay_s(1.0, check.timing.fast_interval_s)


def _conf(fields: Fields, vpp_in_use: bool) -> LbConf | None:
    buckets = fields.get("sticky-buckets-per-core", _buckets, 65536)
    timeout_s = fields.get("flow-timeout", whole_seconds, 40)
    if not vpp_in_use and "ipv4-src-address" not in fields and "ipv6-src-address" not in fields:
        return None
    ipv4_source = fields.need("ipv4-src-address", ipv4_address, "192.0.2.254")
    ipv6_source = fields.need("ipv6-src-address", ipv6_address, "2001:db8::fe")
    return LbConf(ipv4_source, ipv6_source, buckets, timeout_s) if ipv4_source and ipv6_source else None


def _buckets(node: Node) -> int:
    value = integer(1, MAX_STICKY_BUCKETS)(node)
    if value & (value - 1):
        raise Wrong("a power of two", node, f"write {1 << value.bit_length() - 1} or {1 << value.bit_length()}")
    return value
