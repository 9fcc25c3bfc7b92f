"""A warmup must be long enough to ask every backend: one that is unknown when it ends loses its traffic."""

import pytest

from maglev.config.parse import parse
from maglev.core.pacing import FIRST_PROBE_WITHIN_S
from tests.config.samples import faults_of

TEXT = """\
maglev:
  vpp: {lb: {ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", DELAYS}}
  healthchecks:
    web: {type: http, port: 80, TIMING}
    quick: {type: icmp, interval: 10ms, timeout: 10ms}
    slow: {type: icmp, timeout: 1h}
  backends:
    one: {address: 198.51.100.1, healthcheck: web}
    resting: {address: 198.51.100.2, healthcheck: slow, enabled: false}
    static: {address: 198.51.100.3}
    near: {address: 198.51.100.5, healthcheck: quick}
    elsewhere: {address: 198.51.100.4, healthcheck: slow}
  frontends: {www: {address: 192.0.2.1, pools: [{name: only, backends: {near: {}, one: {}, resting: {}, static: {}}}]}}
"""
PATH = "maglev.vpp.lb.startup-max-delay"


def told(delays: str, timing: str) -> list[tuple[str, str]]:
    error = faults_of(TEXT.replace("DELAYS", delays).replace("TIMING", timing))
    return [(fault.path, fault.message) for fault in error.faults] if error else []


def test_the_first_result_may_take_a_fast_interval_and_the_timeout() -> None:
    delays = "startup-min-delay: 0s, startup-max-delay: 300ms"

    assert not told(delays, "fast-interval: 100ms, timeout: 200ms")
    assert told(delays, "fast-interval: 100ms, timeout: 201ms") == [
        (
            PATH,
            "startup-max-delay is 300ms, but the first result of health check web may take 301ms (100ms until it is "
            "asked, timeout 201ms); a backend not known by then gets no traffic after a restart: raise it to 301ms or "
            "lower the timeout",
        )
    ]


def test_a_long_interval_counts_up_to_the_bound_of_the_first_probe() -> None:
    longest_s = 30 - int(FIRST_PROBE_WITHIN_S)

    assert not told("", f"interval: 1h, timeout: {longest_s}s")
    assert [path for path, _ in told("", f"interval: 1h, timeout: {longest_s + 1}s")] == [PATH]


def test_what_it_says_to_raise_is_enough() -> None:
    assert "raise it to 32s" in told("", "timeout: 30s")[0][1]
    assert not told("startup-max-delay: 32s", "timeout: 30s")


def test_without_a_warmup_any_timeout_will_do() -> None:
    assert not told("startup-min-delay: 0s, startup-max-delay: 0s", "timeout: 1h")


def test_the_defaults_will_do() -> None:
    assert parse(TEXT.replace("DELAYS", "").replace("TIMING", "")).healthchecks["web"].timing.timeout_s == 3


@pytest.mark.parametrize("timing", ["timeout: soon", "fast-interval: soon, timeout: 900ms"])
def test_a_default_in_place_of_a_wrong_value_is_no_fault(timing: str) -> None:
    assert len(told("startup-min-delay: 0s, startup-max-delay: 1s", timing)) == 1
