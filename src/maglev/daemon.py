"""maglevd: builds the adapters, ties them to the loops, and owns signals and the order of shutdown; decides nothing.

Shutdown: RPC and metrics first, then probes, then, once the step under way is answered, VPP's sockets. VPP's
table stays as it is.
"""

import gc
import logging
import random
import signal
import sys
import time
from collections.abc import Sequence

import trio

from maglev import descriptors, dryrun, garbage, logs, probes, signals
from maglev.commands import Commands
from maglev.config.model import Config
from maglev.config.parse import ConfigFaults, load
from maglev.control.checker import Checker
from maglev.control.lag import Lag
from maglev.control.operator import Operator
from maglev.control.ports import Clock
from maglev.control.reconciler import Reconciler
from maglev.control.sampler import Sampler
from maglev.core.events import Audited, ConfigReloaded, Event, ReloadRefused, VppConnected, VppDisconnected
from maglev.core.health import State
from maglev.core.model import VppInfo
from maglev.core.status import Status
from maglev.core.warmup import Warmup
from maglev.errors import ConfigError, MaglevError, leaves
from maglev.metrics.counting import EventCounters
from maglev.options import EXIT_FAILED, EXIT_OK, EXIT_SEMANTIC, EXIT_SYNTAX, Options, read_options
from maglev.outside import Outside
from maglev.reloading import Reloader
from maglev.rpc import doors
from maglev.serving import Serving
from maglev.supervision import Supervision
from maglev.version import build
from maglev.vpp.session import Session, keep_connected

STOP_GRACE_S = 5.0  # for VPP to answer what was written to it when we were asked to stop


class Daemon:
    """Everything that runs for one configuration."""

    def __init__(self, config: Config, options: Options) -> None:
        self._options = options
        self._clock = Clock(time.time_ns, random.random)
        self._counters = EventCounters()
        self._vpp: VppInfo | None = None
        self._stop_asked = trio.Event()
        self._counters.loaded(self._clock.now_ns())
        self._prober = probes.Prober(config.netns)
        self._lag = Lag(self._emit, self._beat)
        fleet = dryrun.fleet_of(config)
        self._checker = Checker(
            fleet,
            self._prober.probe,
            self._emit,
            self._clock,
            self._lag,
            at_once=descriptors.probes_at_once(),
            in_warmup=bool(options.vpp_api_addr) and config.lb.startup_max_delay_s > 0,
        )
        self._supervision = Supervision(self.status, self._checker.has_progress)
        self._operator = Operator(self._checker, fleet, self._emit)
        self._reloader = Reloader(
            options.config,
            config,
            self._take,
            self._emit,
            self._clock.now_ns,
            vpp_in_use=bool(options.vpp_api_addr),
            reloading=self._supervision.reloading,
        )
        lb = config.lb
        self._warmup = Warmup(lb.startup_min_delay_s, lb.startup_max_delay_s)
        if options.vpp_api_addr:
            self._counters.warm_at(self._clock.now_ns() + round(lb.startup_max_delay_s * 1e9))
        self._reconciler = Reconciler(
            lb.conf,
            lb.sync_interval_s,
            self._warmup,
            self._checker.health,
            self._emit,
            self._clock,
            garbage.settled,
        )
        self._commands = Commands(self._operator, self._reloader, self._reconciler, self._emit)
        self._checks = config.healthchecks
        self._outside = Outside(options, self.status, self._commands, self._counters)
        self._sampler = Sampler(lb.stats_interval_s, self._reconciler.indexes, self._emit, self._clock, garbage.settled)

    def status(self) -> Status:
        """The newest of everything; safe from any thread, as each part is one frozen reference."""
        return Status(
            self._checker.health.value,
            self._vpp,
            self._reconciler.lb.value,
            self._sampler.sample.value,
            self._checks,
            self._sampler.interval_s if self._options.vpp_api_addr else 0.0,
        )

    def reload_soon(self) -> None:
        """Read the configuration anew, as SIGHUP asks for."""
        self._reloader.ask()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        with (
            signals.stopped_by(self._stop_asked.set, signal.SIGTERM, signal.SIGINT),
            signals.heard_by(self.reload_soon, signal.SIGHUP),
        ):
            async with trio.open_nursery() as base_nursery:
                async with trio.open_nursery() as probe_nursery:
                    async with trio.open_nursery() as serving_nursery:
                        await serving_nursery.start(self._commands.run, name="commands")
                        await serving_nursery.start(Serving(self._outside.servers()).run, name="serving")
                        await base_nursery.start(self._lag.run, name="lag")
                        await base_nursery.start(self._prober.run, name="prober")
                        await probe_nursery.start(self._checker.run, name="checker")
                        await serving_nursery.start(
                            self._reloader.run, self._commands.reload_by_signal, name="reloader"
                        )
                        if self._options.vpp_api_addr:
                            base_nursery.start_soon(self._keep_vpp, name="vpp")
                            serving_nursery.start_soon(self._end_the_warmup, name="warmup")
                        serving_nursery.start_soon(garbage.collect_rarely, name="garbage")
                        self._announce()
                        await serving_nursery.start(self._supervision.run, name="supervision")
                        await self._stop_asked.wait()
                        self._supervision.stopping()
                        serving_nursery.cancel_scope.cancel()
                    probe_nursery.cancel_scope.cancel()
                await self._finish_writing()
                base_nursery.cancel_scope.cancel()
        if standing := self._operator.standing():
            hint = "the next start goes by the file alone: write into it what is to stay"
            logs.note(logging.WARNING, "orders-end", orders=len(standing), such_as=standing[0], hint=hint)
        logs.note(logging.INFO, "stopped", table="left in VPP as it is")

    async def _finish_writing(self) -> None:
        with trio.move_on_after(STOP_GRACE_S) as scope:
            await self._reconciler.finish()
        if scope.cancelled_caught:
            unsure = "VPP did not answer the last writes: the next start finds out what became of them"
            logs.note(logging.WARNING, "stop", unsure=unsure)

    def _take(self, old: Config, new: Config) -> None:
        """Work by `new` from now on; the warmup goes on as it was, it belongs to a start."""
        self._prober.move_to(new.netns)
        self._checks = new.healthchecks
        self._operator.reload(dryrun.fleet_of(new), asks_anew=old.netns != new.netns)
        self._reconciler.adopt(new.lb.conf, new.lb.sync_interval_s)
        self._reconciler.sync()
        self._sampler.adopt(new.lb.stats_interval_s)
        try:
            descriptors.require(new.backends.values())
        except ConfigError as short:  # what waits for a turn is late, not lost
            logs.note(logging.WARNING, "descriptors", short=str(short), then="the next start will be refused")

    async def _end_the_warmup(self) -> None:
        await trio.sleep(self._warmup.max_delay_s)
        self._checker.end_warmup()
        self._supervision.look()
        backends = self._checker.health.value.backends.values()
        unknown = [status.backend.name for status in backends if status.health.state is State.UNKNOWN]
        if unknown:
            logs.note(
                logging.WARNING,
                "warmup-over",
                unknown=len(unknown),
                such_as=unknown[0],
                hint="nothing is known of them, so they get no traffic: probe-inconclusive or their timeouts say why",
            )

    def _announce(self) -> None:
        health = self._checker.health.value
        logs.note(
            logging.INFO,
            "started",
            version=str(build()),
            config=self._options.config,
            frontends=len(health.frontends),
            backends=len(health.backends),
            grpc=self._options.grpc_addr or "off",
            metrics=self._options.metrics_addr or "off",
            vpp=self._options.vpp_api_addr or "off",
            stats=self._options.vpp_stats_addr if self._options.vpp_api_addr else "off",
            warmup=f"{self._warmup.min_delay_s:g}s..{self._warmup.max_delay_s:g}s",
        )

    def _emit(self, event: Event) -> None:
        logs.write(event)
        self._counters.observe(event)
        self._outside.hub.publish(event)
        match event:
            case VppConnected():
                self._vpp = event.vpp
                self._supervision.look()
            case Audited() | VppDisconnected():
                self._supervision.look()
            case ConfigReloaded():
                self._supervision.judged("")
            case ReloadRefused():
                self._supervision.judged(event.faults[0])
            case _:
                pass

    def _beat(self, late_s: float) -> None:
        self._counters.observe_lag(late_s)
        self._outside.beat()

    async def _keep_vpp(self) -> None:
        await keep_connected(
            self._options.vpp_api_addr,
            self._options.vpp_stats_addr,
            self._emit,
            self._serve_vpp,
            clock_ns=self._clock.now_ns,
        )

    async def _serve_vpp(self, session: Session) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._reconciler.serve, session, name="reconciler")
                nursery.start_soon(self._sampler.serve, session, name="sampler")
        finally:
            self._vpp = None


def main(argv: Sequence[str] | None = None) -> None:
    """Run maglevd; exits with one of the codes of maglev.options."""
    sys.exit(_main(argv))


def _main(argv: Sequence[str] | None) -> int:
    options = read_options(argv)
    hangups: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: hangups.append(number))  # till the daemon hears it, not deadly
    gc.disable()  # nothing of a config is garbage, and looking for it takes a quarter of the time of a large one
    try:
        config = load(options.config, vpp_in_use=bool(options.vpp_api_addr))
    except ConfigFaults as faults:
        _say(f"{options.config} is not usable:\n{faults}")
        return EXIT_SYNTAX if faults.is_syntax else EXIT_SEMANTIC
    finally:
        gc.enable()
        garbage.spare()
    descriptors.allow_many()
    try:
        if not options.dry_run:
            doors.vet(options.grpc_addr, options.access)
        if not options.dry_run and not options.check:
            descriptors.require(config.backends.values())
            probes.rights.require(config.netns, config.backends.values())
    except ConfigError as fault:
        _say(str(fault))
        return EXIT_SEMANTIC
    if options.check:
        sys.stdout.write(
            f"{options.config}: valid, {len(config.frontends)} frontends, {len(config.backends)} backends\n"
        )
        return EXIT_OK
    logs.set_up(options.log_level, options.log_format)
    failures: list[MaglevError] = []
    try:
        trio.run(_run, config, options, hangups)
    except* MaglevError as group:
        failures = list(leaves(group))
    for error in failures:
        logs.note(logging.ERROR, "failed", reason=str(error))
    return EXIT_FAILED if failures else EXIT_OK


async def _run(config: Config, options: Options, hangups: Sequence[int]) -> None:
    if options.dry_run:
        await dryrun.run(config, options)
        return
    daemon = Daemon(config, options)
    if hangups:  # the file may have changed after it was read
        daemon.reload_soon()
    await daemon.run()


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"maglevd: {text}\n")
