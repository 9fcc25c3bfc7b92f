"""Events -> Prometheus counters and a histogram; must not know who raises events. No error's text becomes a label."""

import time
from collections.abc import Callable, Iterator
from typing import assert_never

from maglev.core import events
from maglev.core.model import ProbeResult
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.metrics.exposition import Family
from maglev.metrics.series import Counter, Gauge, Histogram

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SYNC_KINDS = ("vip_added", "vip_removed", "as_added", "as_removed", "as_weight_updated")


class EventCounters:
    """Counts what happens. `observe` may be called on one thread while another one reads `families`.

    `now_s` is unix time, which a series keeps as that of its creation.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._probes = Counter(
            "maglev_probe",
            "Probes answered; result is success or failure, code is HAProxy's word for it",
            ("backend", "type", "result", "code"),
            now_s,
        )
        self._inconclusive = Counter(
            "maglev_probe_inconclusive",
            "Probes that this machine could not make, or was late with, which say nothing of the backend; see the log",
            ("backend", "type"),
            now_s,
        )
        self._durations = Histogram(
            "maglev_probe_duration_seconds",
            "How long probes took, failed ones included, inconclusive ones not",
            ("backend", "type"),
            now_s,
            _BUCKETS_S,
        )
        self._lateness = Histogram(
            "maglev_probe_lateness_seconds",
            "How long after they were due probes began; a growing one means that this machine is short of CPU",
            (),
            now_s,
            _BUCKETS_S,
        )
        self._lag = Histogram(
            "maglev_loop_lag_seconds",
            "How late the loop that probes and writes was, measured 20 times a second",
            (),
            now_s,
            _BUCKETS_S,
        )
        self._reloads = Gauge(
            "maglev_config_last_reload_successful", "0 while the file last read was refused; the log says why"
        )
        self._loaded_at = Gauge(
            "maglev_config_last_reload_success_timestamp_seconds", "When the configuration in use was read, unix time"
        )
        self._transitions = Counter(
            "maglev_backend_transitions",
            "Changes of a backend's state",
            ("backend", "from", "to"),
            now_s,
        )
        self._orders = Counter(
            "maglev_orders",
            "Orders to change something; result is ok, refused or denied; the log's audit lines say whose and why",
            ("action", "result"),
            now_s,
        )
        self._messages = Counter(
            "maglev_vpp_api",
            "Messages of VPP's binary API; result is ok or the retval",
            ("msg", "direction", "result"),
            now_s,
        )
        self._writes = Counter(
            "maglev_vpp_lbsync",
            "Changes to VPP's load-balancer table that VPP acknowledged",
            ("scope", "kind"),
            now_s,
        )
        self._lateness.add()
        self._lag.add()
        for kind in _SYNC_KINDS:
            self._writes.add("all", kind)  # there from the start, so that the first change is an increase
        self._audits = Histogram(
            "maglev_vpp_audit_duration_seconds",
            "How long VPP was kept busy by readings of its whole table, which stop its workers",
            ("reason",),
            now_s,
            _BUCKETS_S,
        )

    def observe(self, event: events.Event) -> None:
        """Count `event`, if it is of a kind that is counted."""
        match event:
            case events.ProbeStarted(late_s=late_s):
                self._lateness.observe(late_s)
            case events.ProbeDone(backend, kind, result):
                self._probed(backend, kind, result)
            case events.BackendTransition(backend=backend, before=before, after=after):
                self._transitions.count(backend, before.word, after.word)
            case events.Ordered(action=action, outcome=outcome):
                self._orders.count(action, outcome.value)
            case events.VppMessage(message, direction, result):
                self._messages.count(message, direction, result)
            case events.OpApplied(op):
                if (change := _sync_kind(op)) is not None:
                    self._writes.count("all", change)
            case events.ConfigReloaded(at_ns=at_ns, removed_backends=removed):
                self.loaded(at_ns)
                self._forget(removed)
            case events.ReloadRefused():
                self._reloads.set(0)
            case events.Audited(reason, cost_s):
                self._audits.observe(cost_s, reason.value)
            case (
                events.ProbesInconclusive()
                | events.LoopStalled()
                | events.UplinkSuspected()
                | events.WeightSaid()
                | events.FrontendTransition()
                | events.BackendAdded()
                | events.FrontendAdded()
                | events.FrontendRemoved()
                | events.ActivePoolChanged()
                | events.VppConnected()
                | events.VppDisconnected()
                | events.VppUnavailable()
                | events.Programmed()
                | events.OpRefused()
                | events.HeldBack()
                | events.ConfChange()
                | events.Drift()
                | events.ListingUnreadable()
                | events.SampleFailed()
            ):
                return
            case _:
                assert_never(event)

    def loaded(self, at_ns: int) -> None:
        """The configuration in use was read then, at the start or by a reload."""
        self._reloads.set(1)
        self._loaded_at.set(at_ns / 1e9)

    def observe_lag(self, late_s: float) -> None:
        """Take in one lateness of the loop."""
        self._lag.observe(late_s)

    def _forget(self, backends: frozenset[str]) -> None:
        """What is gone for good would fill the memory of who reloads often."""
        if backends:
            for metric in (self._probes, self._inconclusive, self._durations, self._transitions):
                metric.forget(backends)

    def _probed(self, backend: str, kind: str, result: ProbeResult) -> None:
        if result.passed is None:
            self._inconclusive.count(backend, kind)
            return
        self._probes.count(backend, kind, "success" if result.passed else "failure", result.code)
        self._durations.observe(result.duration_s, backend, kind)

    def families(self) -> Iterator[Family]:
        """Everything counted so far; a line says what is true when it is read."""
        for metric in (
            self._probes,
            self._inconclusive,
            self._durations,
            self._transitions,
            self._orders,
            self._messages,
            self._writes,
            self._audits,
            self._lateness,
            self._lag,
            self._reloads,
            self._loaded_at,
        ):
            yield metric.family()


def _sync_kind(op: Op) -> str | None:
    match op:
        case AddVip():
            return "vip_added"
        case DelVip():
            return "vip_removed"
        case AddBackend():
            return "as_added"
        case DelBackend():
            return "as_removed"
        case SetWeight():
            return "as_weight_updated"
        case SetConf():
            return None
        case _:
            assert_never(op)
