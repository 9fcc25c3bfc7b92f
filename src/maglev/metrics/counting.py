"""Events -> Prometheus counters and a histogram; must not know who raises events. No error's text becomes a label."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import assert_never

from maglev.core import events
from maglev.core.health import PROBED
from maglev.core.model import ProbeResult
from maglev.core.orders import ACTIONS, Outcome
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.metrics import texts
from maglev.metrics.exposition import Family
from maglev.metrics.series import Counter, Gauge, Histogram

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PROBE_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5)
"""Few, as each costs a series for each backend: a wire, a machine, a network, a busy server, nearly a timeout. What a
probe takes on average is told exactly, by sum and count."""
_SYNC_KINDS = ("vip_added", "vip_removed", "as_added", "as_removed", "as_weight_updated")


class EventCounters:
    """Counts what happens. `observe` may be called on one thread while another one reads `families`.

    `now_s` is unix time, which a series keeps as that of its creation.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, now_s)

        def histogram(name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> Histogram:
            return Histogram(name, text, labels, now_s, bounds)

        self._now_s = now_s
        self._blind: set[str] = set()
        self._probes = counter("maglev_probe", texts.PROBES, "backend", "type", "result", "code")
        self._inconclusive = counter("maglev_probe_inconclusive", texts.INCONCLUSIVE, "backend", "type")
        self._blinded = Gauge("maglev_probe_blind_backends", texts.BLIND)
        self._durations = histogram(
            "maglev_probe_duration_seconds", texts.DURATION, ("backend", "type"), _PROBE_BUCKETS_S
        )
        self._lateness = histogram("maglev_probe_lateness_seconds", texts.LATENESS, (), _BUCKETS_S)
        self._suspected = counter("maglev_probe_uplink_suspected", texts.UPLINK)
        self._lag = histogram("maglev_loop_lag_seconds", texts.LAG, (), _BUCKETS_S)
        self._reloads = Gauge("maglev_config_last_reload_successful", texts.RELOAD)
        self._loaded_at = Gauge("maglev_config_last_reload_success_timestamp_seconds", texts.LOADED_AT)
        self._warm_at = Gauge("maglev_warmup_end_timestamp_seconds", texts.WARMUP)
        self._transitions = counter("maglev_backend_transitions", texts.BACKEND_TRANSITIONS, "backend", "from", "to")
        self._moves = counter("maglev_frontend_transitions", texts.FRONTEND_TRANSITIONS, "frontend", "from", "to")
        self._orders = counter("maglev_orders", texts.ORDERS, "action", "result")
        self._messages = counter("maglev_vpp_api", texts.MESSAGES, "msg", "direction", "result")
        self._losses = counter("maglev_vpp_disconnects", texts.DISCONNECTS)
        self._writes = counter("maglev_vpp_lbsync", texts.WRITES, "scope", "kind")
        self._written_at = Gauge("maglev_vpp_last_write_timestamp_seconds", texts.WRITTEN_AT)
        self._refusals = counter("maglev_vpp_refusals", texts.REFUSALS)
        self._drifts = counter("maglev_vpp_drift", texts.DRIFT)
        self._unsampled = counter("maglev_vpp_sample_failures", texts.SAMPLE_FAILURES)
        self._audits = histogram("maglev_vpp_audit_duration_seconds", texts.AUDITS, ("reason",), _BUCKETS_S)
        # There from the start, so that the first time is an increase.
        for metric in (self._lateness, self._lag):
            metric.add()
        for plain in (self._suspected, self._losses, self._refusals, self._drifts, self._unsampled):
            plain.add()
        for kind in _SYNC_KINDS:
            self._writes.add("all", kind)
        for action, outcome in product(ACTIONS, Outcome):
            self._orders.add(action, outcome.value)
        self._blinded.set(0)

    def observe(self, event: events.Event) -> None:
        """Count `event`, if it is of a kind that is counted."""
        match event:
            case events.ProbeStarted(late_s=late_s):
                self._lateness.observe(late_s)
            case events.ProbeDone(backend, kind, result):
                self._probed(backend, kind, result)
            case events.BackendTransition(backend=backend, before=before, after=after):
                self._transitions.count(backend, before.word, after.word)
                if after not in PROBED:
                    self._see(backend)
            case events.FrontendTransition(frontend, before=was, after=now):
                self._moves.count(frontend, was.word, now.word)
            case events.Ordered(action=action, outcome=outcome, times=times):
                self._orders.count(action, outcome.value, times=times)
            case events.UplinkSuspected():
                self._suspected.count()
            case events.ConfigReloaded():
                self.loaded(event.at_ns)
                self._forget(event.removed_backends, event.removed_frontends)
            case events.ReloadRefused():
                self._reloads.set(0)
            case (
                events.ProbesInconclusive()
                | events.LoopStalled()
                | events.WeightSaid()
                | events.ActivePoolChanged()
                | events.BackendAdded()
                | events.FrontendAdded()
                | events.FrontendRemoved()
            ):
                return
            case _:
                self._observe_vpp(event)

    def _observe_vpp(self, event: events.VppEvent) -> None:
        match event:
            case events.VppMessage(message, direction, result):
                self._messages.count(message, direction, result)
            case events.OpApplied(op):
                self._written_at.set(self._now_s())
                if (change := _sync_kind(op)) is not None:
                    self._writes.count("all", change)
            case events.OpRefused():
                self._refusals.count()
            case events.Drift():
                self._drifts.count()
            case events.VppDisconnected():
                self._losses.count()
            case events.SampleFailed():
                self._unsampled.count()
            case events.Audited(reason, cost_s):
                self._audits.observe(cost_s, reason.value)
            case (
                events.VppConnected()
                | events.VppUnavailable()
                | events.Programmed()
                | events.HeldBack()
                | events.ConfChange()
                | events.ListingUnreadable()
            ):
                return
            case _:
                assert_never(event)

    def loaded(self, at_ns: int) -> None:
        """The configuration in use was read then, at the start or by a reload."""
        self._reloads.set(1)
        self._loaded_at.set(at_ns / 1e9)

    def warm_at(self, at_ns: int) -> None:
        """The warmup ends then."""
        self._warm_at.set(at_ns / 1e9)

    def observe_lag(self, late_s: float) -> None:
        """Take in one lateness of the loop."""
        self._lag.observe(late_s)

    def _forget(self, backends: frozenset[str], frontends: frozenset[str]) -> None:
        """What is gone for good would fill the memory of who reloads often."""
        if backends:
            for metric in (self._probes, self._inconclusive, self._durations, self._transitions):
                metric.forget(backends)
        if frontends:
            self._moves.forget(frontends)

    def _probed(self, backend: str, kind: str, result: ProbeResult) -> None:
        if result.passed is None:
            self._inconclusive.count(backend, kind)
            self._blind.add(backend)
            self._blinded.set(len(self._blind))
            return
        if self._blind:
            self._see(backend)
        self._probes.count(backend, kind, "success" if result.passed else "failure", result.code)
        self._durations.observe(result.duration_s, backend, kind)

    def _see(self, backend: str) -> None:
        """It has been probed, or is not to be probed."""
        self._blind.discard(backend)
        self._blinded.set(len(self._blind))

    def families(self) -> Iterator[Family]:
        """Everything counted so far; a line says what is true when it is read."""
        for metric in (
            self._probes,
            self._inconclusive,
            self._blinded,
            self._durations,
            self._lateness,
            self._suspected,
            self._lag,
            self._reloads,
            self._loaded_at,
            self._warm_at,
            self._transitions,
            self._moves,
            self._orders,
            self._messages,
            self._losses,
            self._writes,
            self._written_at,
            self._refusals,
            self._drifts,
            self._unsampled,
            self._audits,
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
