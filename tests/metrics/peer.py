"""The counters of maglev.metrics.counting as prometheus_client keeps them, to compare with."""

from collections.abc import Sequence
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from maglev.core import events
from maglev.core.health import State
from maglev.core.orders import ACTIONS
from maglev.metrics import texts

Counted = events.ProbeDone | events.BackendTransition | events.Ordered | events.VppMessage | events.Audited


class PrometheusCounters:
    """Counts probes, transitions and messages in `registry`."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        probe_buckets = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5)
        buckets = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> Histogram:
            return Histogram(name, text, labels, registry=registry, buckets=bounds)

        def gauge(name: str, text: str, value: float) -> None:
            Gauge(name, text, registry=registry).set(value)

        self._probes = counter("maglev_probe", texts.PROBES, "backend", "type", "result", "code")
        self._inconclusive = counter("maglev_probe_inconclusive", texts.INCONCLUSIVE, "backend", "type")
        self._blind = Gauge("maglev_probe_blind_backends", texts.BLIND, registry=registry)
        self._latest: dict[str, bool] = {}
        self._durations = histogram("maglev_probe_duration_seconds", texts.DURATION, ("backend", "type"), probe_buckets)
        self._transitions = counter("maglev_backend_transitions", texts.BACKEND_TRANSITIONS, "backend", "from", "to")
        self._orders = counter("maglev_orders", texts.ORDERS, "action", "result")
        self._messages = counter("maglev_vpp_api", texts.MESSAGES, "msg", "direction", "result")
        writes = counter("maglev_vpp_lbsync", texts.WRITES, "scope", "kind")
        for action, outcome in product(ACTIONS, events.Outcome):
            self._orders.labels(action, outcome.value)
        for kind in ("vip_added", "vip_removed", "as_added", "as_removed", "as_weight_updated"):
            writes.labels("all", kind)
        self._audits = histogram("maglev_vpp_audit_duration_seconds", texts.AUDITS, ("reason",), buckets)
        histogram("maglev_probe_lateness_seconds", texts.LATENESS, (), buckets)
        histogram("maglev_loop_lag_seconds", texts.LAG, (), buckets)
        counter("maglev_frontend_transitions", texts.FRONTEND_TRANSITIONS, "frontend", "from", "to")
        counter("maglev_probe_uplink_suspected", texts.UPLINK)
        counter("maglev_vpp_disconnects", texts.DISCONNECTS)
        counter("maglev_vpp_refusals", texts.REFUSALS)
        counter("maglev_vpp_drift", texts.DRIFT)
        counter("maglev_vpp_sample_failures", texts.SAMPLE_FAILURES)
        gauge("maglev_config_last_reload_successful", texts.RELOAD, 1)
        gauge("maglev_config_last_reload_success_timestamp_seconds", texts.LOADED_AT, 5)

    def observe(self, event: Counted) -> None:
        """Count `event`."""
        match event:
            case events.ProbeDone(backend, kind, result) if result.passed is None:
                self._see(backend, is_blind=True)
                self._inconclusive.labels(backend, kind).inc()
            case events.ProbeDone(backend, kind, result):
                self._see(backend, is_blind=False)
                verdict = "success" if result.passed else "failure"
                self._probes.labels(backend, kind, verdict, result.code).inc()
                self._durations.labels(backend, kind).observe(result.duration_s)
            case events.BackendTransition(backend=backend, before=before, after=after):
                if after in (State.PAUSED, State.DISABLED, State.REMOVED):
                    self._see(backend, is_blind=False)
                self._transitions.labels(backend, before.word, after.word).inc()
            case events.Ordered(action=action, outcome=outcome, times=times):
                self._orders.labels(action, outcome.value).inc(times)
            case events.VppMessage(message, direction, result):
                self._messages.labels(message, direction, result).inc()
            case events.Audited(reason, cost_s):
                self._audits.labels(reason.value).observe(cost_s)

    def _see(self, backend: str, *, is_blind: bool) -> None:
        self._latest[backend] = is_blind
        self._blind.set(sum(self._latest.values()))
