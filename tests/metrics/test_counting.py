from ipaddress import ip_address

import pytest
from prometheus_client import generate_latest

from maglev.core import events
from maglev.core.desired import FrontendState
from maglev.core.health import State
from maglev.core.model import Encap, ProbeResult
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.metrics.counting import EventCounters
from tests.rpc import statuses

ADDRESS = ip_address("10.1.0.1")
SET_CONF = SetConf(statuses.OBSERVED.conf) if statuses.OBSERVED.conf else None


def probe(backend: str, passed: bool | None, code: str, duration_s: float = 0.02) -> events.ProbeDone:
    return events.ProbeDone(backend, "http", ProbeResult(passed, code, "a sentence of the server's choice", duration_s))


def value(counters: EventCounters, name: str, **labels: str) -> float | None:
    return counters.registry.get_sample_value(name, labels)


def test_probes_are_counted_by_result_and_code_and_timed() -> None:
    counters = EventCounters()
    for event in (probe("a", True, "L7OK"), probe("a", True, "L7OK"), probe("a", False, "L4TOUT", 3.0)):
        counters.observe(event)

    probes = {"backend": "a", "type": "http"}
    assert value(counters, "maglev_probe_total", **probes, result="success", code="L7OK") == 2
    assert value(counters, "maglev_probe_total", **probes, result="failure", code="L4TOUT") == 1
    assert value(counters, "maglev_probe_duration_seconds_count", **probes) == 3
    assert value(counters, "maglev_probe_duration_seconds_sum", **probes) == pytest.approx(3.04)
    assert value(counters, "maglev_probe_duration_seconds_bucket", **probes, le="0.025") == 2
    assert value(counters, "maglev_probe_duration_seconds_bucket", **probes, le="5.0") == 3


def test_probes_that_we_could_not_make_are_neither_success_nor_failure_nor_timed() -> None:
    counters = EventCounters()
    for _ in range(2):
        counters.observe(probe("a", None, "SOCKERR", 0.0))

    assert value(counters, "maglev_probe_inconclusive_total", backend="a", type="http") == 2
    assert "maglev_probe_total{" not in generate_latest(counters.registry).decode()
    assert value(counters, "maglev_probe_duration_seconds_count", backend="a", type="http") is None


def test_no_text_of_an_error_becomes_a_label() -> None:
    counters = EventCounters()
    counters.observe(probe("a", False, "L7RSP"))

    assert b"sentence" not in generate_latest(counters.registry)


def test_transitions_are_counted_by_from_and_to() -> None:
    counters = EventCounters()
    counters.observe(events.BackendTransition("a", ADDRESS, State.UP, State.DOWN, "L4CON", "refused", 1))

    assert value(counters, "maglev_backend_transitions_total", backend="a", **{"from": "up", "to": "down"}) == 1


def test_messages_are_counted_by_direction_and_result() -> None:
    counters = EventCounters()
    counters.observe(events.VppMessage("lb_as_set_weight", "send", "ok"))
    counters.observe(events.VppMessage("lb_as_set_weight_reply", "recv", "-6"))

    assert value(counters, "maglev_vpp_api_total", msg="lb_as_set_weight", direction="send", result="ok") == 1
    assert value(counters, "maglev_vpp_api_total", msg="lb_as_set_weight_reply", direction="recv", result="-6") == 1


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        (AddVip(statuses.WEB, Encap.GRE4, False, 1024), "vip_added"),
        (DelVip(statuses.WEB, "not configured"), "vip_removed"),
        (AddBackend(statuses.WEB, ADDRESS, 100), "as_added"),
        (DelBackend(statuses.WEB, ADDRESS), "as_removed"),
        (SetWeight(statuses.WEB, ADDRESS, 0, flush=True), "as_weight_updated"),
        (SET_CONF, None),
    ],
)
def test_each_write_counts_as_its_kind_and_no_other(op: Op, kind: str | None) -> None:
    counters = EventCounters()
    counters.observe(events.OpApplied(op))

    for each in ("vip_added", "vip_removed", "as_added", "as_removed", "as_weight_updated"):
        assert value(counters, "maglev_vpp_lbsync_total", scope="all", kind=each) == (1 if each == kind else 0)


@pytest.mark.parametrize(
    "event",
    [
        events.ProbeStarted("a", "http"),
        events.ProbesInconclusive("a", "http", "SOCKERR", "cannot open a socket"),
        events.FrontendTransition("web", FrontendState.UP, FrontendState.DOWN, 1),
        events.VppConnected(statuses.VPP),
        events.VppDisconnected("gone", 5.0),
        events.VppUnavailable("gone", 5.0),
        events.Programmed((DelVip(statuses.WEB, "not configured"),)),
        events.OpRefused(DelVip(statuses.WEB, "not configured"), "retval -6"),
        events.ActivePoolChanged("web", "main", None, None),
        events.Drift((DelVip(statuses.WEB, "not configured"),)),
        events.ListingUnreadable("line 3"),
        events.SampleFailed("raced"),
    ],
)
def test_other_events_change_nothing(event: events.Event) -> None:
    counters = EventCounters()
    before = generate_latest(counters.registry)
    counters.observe(event)

    assert generate_latest(counters.registry) == before


def test_backends_that_are_gone_leave_no_series() -> None:
    counters = EventCounters()
    for name in ("gone", "stays"):
        counters.observe(probe(name, True, "L7OK"))
        counters.observe(probe(name, None, "SOCKERR"))
        counters.observe(events.BackendTransition(name, ADDRESS, State.UP, State.REMOVED, "", "", 1))
    counters.forget(["gone", "never-was"])

    text = generate_latest(counters.registry).decode()
    assert '"gone"' not in text
    assert text.count('backend="stays"') > 3
