"""`maglevd --dry-run`: the plan for this configuration, the health of its backends and the VPP at hand; writes nothing.

It does what a start of maglevd does: it probes until every backend is known, or until the warmup would be over, reads
VPP's table once, and plans. What maglevd would then send is printed, each operation with its effect. Logs go to stderr.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import trio

from maglev import descriptors, logs, probes
from maglev.config.model import Config
from maglev.control.checker import Checker, Fleet
from maglev.control.lag import Lag
from maglev.control.ports import Clock
from maglev.core.forecast import Effect
from maglev.core.health import State
from maglev.core.model import VppInfo
from maglev.core.observed import Observed
from maglev.core.outlook import Outstanding, outlook
from maglev.core.status import HealthStatus, LbStatus
from maglev.errors import ConfigError, Unavailable
from maglev.options import Options
from maglev.vpp.session import Session, connect

AUDIT_DEADLINE_S = 60.0


async def run(config: Config, options: Options) -> None:
    """Print the plan on stdout. Raises ConfigError without VPP, Unavailable or ProtocolError when it cannot be read."""
    if not options.vpp_api_addr:
        raise ConfigError("a dry run needs a VPP to plan for", hint="name its socket with --vpp-api-addr")
    async with connect(options.vpp_api_addr, options.vpp_stats_addr, logs.write, clock_ns=time.time_ns) as session:
        health = await _health(config)
        observed = await _table_of(session)
        for line in report(health, session.info, config, observed):
            sys.stdout.write(f"{line}\n")


async def _table_of(session: Session) -> Observed:
    with trio.move_on_after(AUDIT_DEADLINE_S):
        return (await session.audit()).observed
    raise Unavailable("VPP did not tell its table in time", seconds=AUDIT_DEADLINE_S, hint="is its main thread stuck?")


def report(health: HealthStatus, vpp: VppInfo, config: Config, observed: Observed) -> Iterator[str]:
    """The lines to print, of the whole table, as after the warmup."""
    states = Counter(status.health.state.word for status in health.backends.values())
    yield f"VPP {vpp.version}, pid {vpp.pid}: {len(observed.vips)} VIPs there, {len(config.frontends)} wished for"
    yield f"backends: {', '.join(f'{count} {word}' for word, count in sorted(states.items())) or 'none'}"
    for name, status in health.backends.items():
        if status.health.state in (State.DOWN, State.UNKNOWN):
            why = f": {status.transitions[0].code} {status.transitions[0].detail}" if status.transitions else ""
            yield f"  {name} {status.backend.address} is {status.health.state.word}{why}"
    yield ""
    left = outlook(health, LbStatus(observed, 0, wish=config.lb.conf))
    found = [one for one in left if isinstance(one, Outstanding)]
    if found:
        yield from _table(found)
        yield ""
    yield _summary(found)


def _table(found: list[Outstanding]) -> Iterator[str]:
    rows = [(sentence(one.effect), logs.describe(one.op)) for one in found]
    width = max((len(effect) for effect, _ in rows), default=0)
    for number, (effect, what) in enumerate(rows, 1):
        yield f"{number:>{len(str(len(rows)))}}  {effect:<{width}}  {what}"


def _summary(found: Iterable[Outstanding]) -> str:
    effects = [one.effect for one in found]
    if not effects:
        return "nothing to do: VPP's table is as it should be; nothing was written"
    neutral = sum(effect.is_neutral for effect in effects)
    moving, dropping = sum(effect.moves > 0 for effect in effects), sum(effect.drops > 0 for effect in effects)
    breaking = sum(effect.is_breaking for effect in effects)
    return (
        f"operations: {len(effects)}, of which neutral {neutral}, moving new flows {moving}, dropping new flows"
        f" {dropping}, breaking flows {breaking} (one may do several); nothing was written"
    )


def sentence(effect: Effect) -> str:
    """An effect in an operator's words; shares are of the VIP's new flows."""
    if effect.is_neutral:
        return "neutral"
    parts = []
    if effect.moves:
        parts.append(f"moves {_percent(effect.moves)} of new flows")
    if effect.drops:
        parts.append(f"drops {_percent(effect.drops)} of new flows")
    if effect.is_breaking:
        parts.append("breaks flows" if effect.flows is None else f"breaks flows (~{effect.flows})")
    return ", ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"


def fleet_of(config: Config) -> Fleet:
    """What the checker is to check."""
    return Fleet(config.backends, config.frontends, config.transition_history)


async def _health(config: Config) -> HealthStatus:
    """Of every backend, or as far as it is known when the warmup would be over."""
    prober, lag = probes.Prober(config.netns), Lag(logs.write, lambda _: None)
    clock = Clock(time.time_ns, random.random)
    checker = Checker(fleet_of(config), prober.probe, logs.write, clock, lag, at_once=descriptors.probes_at_once())
    async with trio.open_nursery() as base_nursery:  # for what has to outlive those who probe
        await base_nursery.start(prober.run, name="prober")
        await base_nursery.start(lag.run, name="lag")
        async with trio.open_nursery() as probe_nursery:
            await probe_nursery.start(checker.run, name="checker")
            with trio.move_on_after(config.lb.startup_max_delay_s):
                while any(status.health.state is State.UNKNOWN for status in checker.health.value.backends.values()):
                    await checker.health.changed(checker.health.value)
            probe_nursery.cancel_scope.cancel()
        base_nursery.cancel_scope.cancel()
    return checker.health.value
