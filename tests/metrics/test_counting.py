import itertools
import time
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric

from maglev.core import events
from maglev.core.audits import AuditReason
from maglev.core.desired import FrontendState
from maglev.core.health import State
from maglev.core.model import Encap, ProbeResult
from maglev.core.orders import ACTIONS
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Page
from tests.metrics.peer import Counted, PrometheusCounters
from tests.metrics.reading import parse_openmetrics, parse_text, text_of, write_openmetrics, write_text
from tests.rpc import statuses

NOW_S = 1_790_000_000.25
ADDRESS = ip_address("10.1.0.1")
SET_CONF = SetConf(statuses.OBSERVED.conf) if statuses.OBSERVED.conf else None


def probe(backend: str, passed: bool | None, code: str, duration_s: float = 0.02) -> events.ProbeDone:
    return events.ProbeDone(backend, "http", ProbeResult(passed, code, "a sentence of the server's choice", duration_s))


def text(counters: EventCounters, *, is_openmetrics: bool = True) -> str:
    return text_of(Page((counters.families,)), is_openmetrics=is_openmetrics)


def read_openmetrics(text: str) -> list[Metric]:
    return list(parse_openmetrics(text))


def read_plain(text: str) -> list[Metric]:
    return list(parse_text(text))


def value(counters: EventCounters, name: str, **labels: str) -> float | None:
    for family in read_openmetrics(text(counters)):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


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
    assert value(counters, "maglev_probe_duration_seconds_bucket", **probes, le="2.5") == 2


def test_probes_that_we_could_not_make_are_neither_success_nor_failure_nor_timed() -> None:
    counters = EventCounters()
    for _ in range(2):
        counters.observe(probe("a", None, "SOCKERR", 0.0))

    assert value(counters, "maglev_probe_inconclusive_total", backend="a", type="http") == 2
    assert "maglev_probe_total{" not in text(counters)
    assert value(counters, "maglev_probe_duration_seconds_count", backend="a", type="http") is None


def test_no_text_of_an_error_becomes_a_label() -> None:
    counters = EventCounters()
    counters.observe(probe("a", False, "L7RSP"))

    assert "sentence" not in text(counters)


def test_each_order_has_its_zeros_from_the_start_so_that_the_first_denial_is_an_increase() -> None:
    counters = EventCounters()
    for action, outcome in itertools.product(ACTIONS, events.Outcome):
        assert value(counters, "maglev_orders_total", action=action, result=outcome.value) == 0


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
        events.LoopStalled(1, 0.3, 0.0),
        events.WeightSaid("web", "main", "a", 100, 0, flush=True),
        events.ProbesInconclusive("a", "http", "SOCKERR", "cannot open a socket", 1),
        events.VppConnected(statuses.VPP),
        events.VppUnavailable("gone", 5.0),
        events.Programmed((DelVip(statuses.WEB, "not configured"),)),
        events.ActivePoolChanged("web", "main", None, None),
        events.ListingUnreadable("line 3"),
    ],
)
def test_other_events_change_nothing(event: events.Event) -> None:
    counters = EventCounters()
    before = text(counters)
    counters.observe(event)

    assert text(counters) == before


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (events.UplinkSuspected(6, 10), "maglev_probe_uplink_suspected"),
        (events.VppDisconnected("gone", 5.0), "maglev_vpp_disconnects"),
        (events.OpRefused(DelVip(statuses.WEB, "not configured"), "retval -6"), "maglev_vpp_refusals"),
        (events.Drift((DelVip(statuses.WEB, "not configured"),)), "maglev_vpp_drift"),
        (events.SampleFailed("raced"), "maglev_vpp_sample_failures"),
    ],
)
def test_what_has_no_labels_is_there_from_the_start_and_counted(event: events.Event, name: str) -> None:
    counters = EventCounters()
    for count in range(3):
        assert value(counters, f"{name}_total") == count
        counters.observe(event)


def test_transitions_of_frontends_are_counted_and_forgotten_with_them() -> None:
    counters = EventCounters()
    labels = {"frontend": "web", "from": "up", "to": "down"}
    for frontend in ("web", "shop"):
        counters.observe(events.FrontendTransition(frontend, FrontendState.UP, FrontendState.DOWN, 1))
    assert value(counters, "maglev_frontend_transitions_total", **labels) == 1
    counters.observe(events.ConfigReloaded((), ("frontend web",), (), 7, frozenset(), frozenset({"web"})))

    assert value(counters, "maglev_frontend_transitions_total", **labels) is None
    assert value(counters, "maglev_frontend_transitions_total", **(labels | {"frontend": "shop"})) == 1


def test_a_backend_is_blind_until_a_probe_says_something_or_none_is_wanted() -> None:
    counters = EventCounters()
    steps: list[tuple[events.Event, int]] = [
        (probe("a", None, "SOCKERR"), 1),
        (probe("a", None, "SOCKERR"), 1),
        (probe("b", None, "SOCKERR"), 2),
        (probe("c", True, "L7OK"), 2),
        (probe("a", False, "L4TOUT"), 1),
        (events.BackendTransition("b", ADDRESS, State.UP, State.DOWN, "", "", 1), 1),
        (events.BackendTransition("b", ADDRESS, State.DOWN, State.PAUSED, "", "", 1), 0),
    ]
    assert value(counters, "maglev_probe_blind_backends") == 0
    for event, blind in steps:
        counters.observe(event)
        assert value(counters, "maglev_probe_blind_backends") == blind


def test_the_last_write_and_the_end_of_the_warmup_have_times_once_they_are_known() -> None:
    counters = EventCounters(lambda: NOW_S)
    names = "maglev_vpp_last_write_timestamp_seconds", "maglev_warmup_end_timestamp_seconds"
    assert [value(counters, name) for name in names] == [None, None]
    counters.warm_at(3_500_000_000)
    counters.observe(events.OpApplied(DelVip(statuses.WEB, "not configured")))

    assert [value(counters, name) for name in names] == [NOW_S, 3.5]


BACKENDS = st.sampled_from(["web1", "50%s", "a@b", 'a "b" c:\\new\nd \u00e9'])
EDGES_S = st.sampled_from([0.0, 0.001, 0.0025, 0.1, 1.0, 10.0, 10.1, 1e300])
PROBES = st.builds(
    probe, BACKENDS, st.none() | st.booleans(), st.sampled_from(["L4OK", "L4TOUT"]), EDGES_S | st.floats(0, 20)
)
TRANSITIONS = st.builds(
    events.BackendTransition,
    backend=BACKENDS,
    address=st.just(ADDRESS),
    before=st.sampled_from(State),
    after=st.sampled_from(State),
    code=st.just(""),
    detail=st.just(""),
    at_ns=st.just(1),
)
ORDERS = st.builds(
    events.Ordered,
    *(st.just(word) for word in ("alice", "192.0.2.7:5", "")),
    action=st.sampled_from(["PauseBackend", "ReloadConfig"]),
    what=st.just("backend a"),
    before=st.none(),
    after=st.none(),
    outcome=st.sampled_from(events.Outcome),
    result=st.just("a sentence of the client's choice"),
    times=st.integers(1, 1000),
)
MESSAGES = st.builds(events.VppMessage, st.sampled_from(["lb_vip_dump", "show_version"]), st.just("send"), BACKENDS)
AUDITS = st.builds(events.Audited, st.sampled_from(AuditReason), st.floats(0, 20), st.just(30.0), st.booleans())


def by_name(families: list[Metric]) -> dict[str, Metric]:
    """Those that show anything; in which order is nobody's business."""
    return {family.name: family for family in families if family.samples}


@given(st.lists(PROBES | TRANSITIONS | ORDERS | MESSAGES | AUDITS, max_size=20))
def test_what_is_counted_reads_as_if_prometheus_client_had_counted_it(
    happened: list[Counted],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW_S)
        peer = PrometheusCounters()
        counters = EventCounters(lambda: NOW_S)
        counters.loaded(5_000_000_000)
        for event in happened:
            peer.observe(event)
            counters.observe(event)

        written = write_openmetrics(peer.registry).decode()
        assert by_name(read_openmetrics(text(counters))) == by_name(read_openmetrics(written))
        plain = by_name(read_plain(write_text(peer.registry).decode()))
        assert by_name(read_plain(text(counters, is_openmetrics=False))) == {
            name: family for name, family in plain.items() if not name.endswith("_created")
        }


def test_a_series_says_when_it_was_made_in_openmetrics_only() -> None:
    now_s = [NOW_S]
    counters = EventCounters(lambda: now_s[0])
    for _ in range(2):
        counters.observe(probe("a", True, "L7OK"))
        now_s[0] += 60

    labels = {"backend": "a", "type": "http"}
    assert value(counters, "maglev_probe_duration_seconds_created", **labels) == NOW_S
    assert value(counters, "maglev_probe_created", **labels, result="success", code="L7OK") == NOW_S
    assert "_created" not in text(counters, is_openmetrics=False)


def test_what_is_new_while_a_page_is_read_does_not_stop_it() -> None:
    counters = EventCounters()
    for number in range(3):
        counters.observe(probe(f"old-{number}", True, "L7OK"))
    lines = []
    for family in counters.families():
        for number, line in enumerate(map(str, family.lines)):
            lines.append(line)
            if number < 100:
                counters.observe(probe(f"new-{family.name}-{number}", True, "L7OK"))

    assert sum("old-" in line for line in lines) == 6
    assert {f"old-{number}" in "".join(lines) for number in range(3)} == {True}


def test_lines_are_made_one_series_at_a_time_as_they_are_read() -> None:
    counters = EventCounters()
    for backend in "ab":
        counters.observe(probe(backend, True, "L7OK"))
    lines = {family.name: iter(family.lines) for family in counters.families()}["maglev_probe"]

    first = str(next(lines))
    for backend in "ab":
        counters.observe(probe(backend, True, "L7OK"))
    assert first.endswith(" 1\n")
    assert str(next(lines)).endswith(" 2\n")


def test_a_page_shows_the_whole_of_a_probe_or_nothing_of_it() -> None:
    counters = EventCounters()
    seen = set()

    def look() -> None:
        labels = {"backend": "a", "type": "http"}
        name = "maglev_probe_duration_seconds"
        seen.add((value(counters, f"{name}_count", **labels), value(counters, f"{name}_sum", **labels)))

    class Watched(float):
        """A duration that looks at the page while it is sorted into a bucket and while it is added."""

        def __gt__(self, other: float) -> bool:
            look()
            return float(self) > other

        def __radd__(self, other: float) -> float:
            look()
            return other + float(self)

    for _ in range(2):
        counters.observe(probe("a", True, "L7OK", Watched(0.5)))
    look()

    assert seen == {(0, 0), (1, 0.5), (2, 1)}


def test_a_backend_that_is_gone_leaves_no_series_behind() -> None:
    counters = EventCounters(lambda: 1.0)
    for name in ("a", "b"):
        counters.observe(events.ProbeDone(name, "http", ProbeResult(True, "L7OK", "", 0.01)))
        counters.observe(events.ProbeDone(name, "http", ProbeResult(None, "SOCKERR", "", 0.01)))
        counters.observe(events.BackendTransition(name, ADDRESS, State.UP, State.REMOVED, "reload", "", 1))
    counters.observe(events.ConfigReloaded((), ("backend a",), (), 7_000_000_000, frozenset({"a"}), frozenset()))

    shown = text(counters)
    assert 'backend="a"' not in shown
    assert shown.count('backend="b"') > 3
    assert value(counters, "maglev_config_last_reload_success_timestamp_seconds") == 7
    counters.observe(events.ProbeDone("a", "http", ProbeResult(True, "L7OK", "", 0.01)))
    assert value(counters, "maglev_probe_total", backend="a", type="http", result="success", code="L7OK") == 1


def test_the_last_reload_and_when_the_configuration_in_use_was_read() -> None:
    counters = EventCounters()
    counters.loaded(5_000_000_000)
    assert value(counters, "maglev_config_last_reload_successful") == 1
    counters.observe(events.ReloadRefused(("line 1: no",)))

    assert value(counters, "maglev_config_last_reload_successful") == 0
    assert value(counters, "maglev_config_last_reload_success_timestamp_seconds") == 5


def test_lateness_of_probes_and_of_the_loop_is_counted_by_size() -> None:
    counters = EventCounters()
    for late_s in (0.0, 0.02, 3.0):
        counters.observe(events.ProbeStarted("a", "http", late_s))
        counters.observe_lag(late_s)

    for name in ("maglev_probe_lateness_seconds", "maglev_loop_lag_seconds"):
        assert [value(counters, f"{name}_bucket", le=bound) for bound in ("0.001", "0.025", "+Inf")] == [1, 2, 3]
        assert value(counters, f"{name}_sum") == 3.02
