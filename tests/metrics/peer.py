"""The counters of maglev.metrics.counting as prometheus_client keeps them, to compare with."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from maglev.core import events

Counted = events.ProbeDone | events.BackendTransition | events.Ordered | events.VppMessage | events.Audited


class PrometheusCounters:
    """Counts probes, transitions and messages in `registry`."""

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
            "Probes that this machine could not make, or was late with, which say nothing of the backend; see the log",
            ("backend", "type"),
            registry=registry,
        )
        self._durations = Histogram(
            "maglev_probe_duration_seconds",
            "How long probes took, failed ones included, inconclusive ones not",
            ("backend", "type"),
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
        )
        self._transitions = Counter(
            "maglev_backend_transitions",
            "Changes of a backend's state",
            ("backend", "from", "to"),
            registry=registry,
        )
        self._orders = Counter(
            "maglev_orders",
            "Orders to change something; result is ok, refused or denied; the log's audit lines say whose and why",
            ("action", "result"),
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
        self._audits = Histogram(
            "maglev_vpp_audit_duration_seconds",
            "How long VPP was kept busy by readings of its whole table, which stop its workers",
            ("reason",),
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
        )
        Histogram(
            "maglev_probe_lateness_seconds",
            "How long after they were due probes began; a growing one means that this machine is short of CPU",
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
        )
        Histogram(
            "maglev_loop_lag_seconds",
            "How late the loop that probes and writes was, measured 20 times a second",
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
        )
        Gauge(
            "maglev_config_last_reload_successful",
            "0 while the file last read was refused; the log says why",
            registry=registry,
        ).set(1)
        Gauge(
            "maglev_config_last_reload_success_timestamp_seconds",
            "When the configuration in use was read, unix time",
            registry=registry,
        ).set(5)
        for kind in ("vip_added", "vip_removed", "as_added", "as_removed", "as_weight_updated"):
            self._writes.labels("all", kind)

    def observe(self, event: Counted) -> None:
        """Count `event`."""
        match event:
            case events.ProbeDone(backend, kind, result) if result.passed is None:
                self._inconclusive.labels(backend, kind).inc()
            case events.ProbeDone(backend, kind, result):
                verdict = "success" if result.passed else "failure"
                self._probes.labels(backend, kind, verdict, result.code).inc()
                self._durations.labels(backend, kind).observe(result.duration_s)
            case events.BackendTransition(backend=backend, before=before, after=after):
                self._transitions.labels(backend, before.word, after.word).inc()
            case events.Ordered(action=action, outcome=outcome):
                self._orders.labels(action, outcome.value).inc()
            case events.VppMessage(message, direction, result):
                self._messages.labels(message, direction, result).inc()
            case events.Audited(reason, cost_s):
                self._audits.labels(reason.value).observe(cost_s)
