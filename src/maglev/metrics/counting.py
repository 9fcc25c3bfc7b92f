"""Events -> Prometheus counters and a histogram; must not know who raises events. No error's text becomes a label."""

from collections.abc import Iterable
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Histogram

from maglev.core import events
from maglev.core.model import ProbeResult
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SYNC_KINDS = ("vip_added", "vip_removed", "as_added", "as_removed", "as_weight_updated")


class EventCounters:
    """Counts what happens. `observe` may be called on one thread while another one scrapes `registry`."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._probes = Counter(
            "maglev_probe",
            "Probes answered; result is success or failure, code is HAProxy's word for it",
            ("backend", "type", "result", "code"),
            registry=registry,
        )
        self._inconclusive = Counter(
            "maglev_probe_inconclusive",
            "Probes that this machine could not make, which say nothing about the backend; the log says why",
            ("backend", "type"),
            registry=registry,
        )
        self._durations = Histogram(
            "maglev_probe_duration_seconds",
            "How long probes took, failed ones included, inconclusive ones not",
            ("backend", "type"),
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._transitions = Counter(
            "maglev_backend_transitions",
            "Changes of a backend's state",
            ("backend", "from", "to"),
            registry=registry,
        )
        self._messages = Counter(
            "maglev_vpp_api",
            "Messages of VPP's binary API; result is ok or the retval",
            ("msg", "direction", "result"),
            registry=registry,
        )
        self._writes = Counter(
            "maglev_vpp_lbsync",
            "Changes to VPP's load-balancer table that VPP acknowledged",
            ("scope", "kind"),
            registry=registry,
        )
        for kind in _SYNC_KINDS:
            self._writes.labels("all", kind)  # there from the start, so that the first change is an increase

    def observe(self, event: events.Event) -> None:
        """Count `event`, if it is of a kind that is counted."""
        match event:
            case events.ProbeDone(backend, kind, ProbeResult(passed=None)):
                self._inconclusive.labels(backend, kind).inc()
            case events.ProbeDone(backend, kind, result):
                verdict = "success" if result.passed else "failure"
                self._probes.labels(backend, kind, verdict, result.code).inc()
                self._durations.labels(backend, kind).observe(result.duration_s)
            case events.BackendTransition(backend=backend, before=before, after=after):
                self._transitions.labels(backend, before.word, after.word).inc()
            case events.VppMessage(message, direction, result):
                self._messages.labels(message, direction, result).inc()
            case events.OpApplied(op):
                if (change := _sync_kind(op)) is not None:
                    self._writes.labels("all", change).inc()
            case (
                events.ProbeStarted()
                | events.ProbesInconclusive()
                | events.FrontendTransition()
                | events.ActivePoolChanged()
                | events.VppConnected()
                | events.VppDisconnected()
                | events.VppUnavailable()
                | events.Programmed()
                | events.OpRefused()
                | events.Drift()
                | events.ListingUnreadable()
                | events.SampleFailed()
            ):
                return
            case _:
                assert_never(event)

    def forget(self, backends: Iterable[str]) -> None:
        """Drop every series of `backends`, which are gone."""
        for name in backends:
            for metric in (self._probes, self._inconclusive, self._durations, self._transitions):
                metric.remove_by_labels({"backend": name})


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
