"""One probe from start to result: the deadline, the clock and the choice of protocol; knows none of them inside."""

from typing import assert_never

import trio

from maglev.alarms import Alarms
from maglev.core.model import HealthCheck, HttpSpec, IcmpSpec, IPAddress, ProbeResult, ProbeSpec, TcpSpec
from maglev.probes.connections import Connections
from maglev.probes.echoes import Echoes
from maglev.probes.http import check_http
from maglev.probes.tcp import check_tcp
from maglev.probes.verdict import Fault, Progress, Target, TooLate, Verdict, sentence, timed_out


class Prober:
    """Makes probes while it runs, with sockets in the network namespace `netns`, or where we are if that is None."""

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._now_s = trio.lowlevel.current_clock().current_time  # trio's own way to it takes five times as long
        self._alarms = Alarms()
        self._connections = Connections()
        self._echoes: Echoes | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold what probes share, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._alarms.run, name="alarms")
            nursery.start_soon(self._connections.run, name="connections")
            self._echoes = Echoes(nursery)
            task_status.started()
            await trio.sleep_forever()

    def move_to(self, netns: str | None) -> None:
        """Open sockets in this namespace from now on, and let go of those that no check may use any more."""
        if self._echoes is not None:
            self._echoes.let_go(idle_only=netns == self._netns)
        self._netns = netns

    async def probe(self, check: HealthCheck, address: IPAddress) -> ProbeResult:
        """Probe `address` once, as `check` says; whatever backend, network or this machine do wrong is a result."""
        target = Target(address, check.source_for(address), self._netns)
        timeout_s = check.timing.timeout_s
        progress = Progress()
        began = self._now_s()
        alarm = self._alarms.set(began + timeout_s, progress.end)
        try:
            verdict = await self._judge(check.spec, target, progress)
        finally:
            self._alarms.put_off(alarm)
        if verdict is None or progress.is_late:
            verdict = timed_out(progress.phase, timeout_s)
        duration_s = self._now_s() - began
        return ProbeResult(verdict.passed, verdict.code.value, sentence(verdict.detail), duration_s)

    async def _judge(self, spec: ProbeSpec, target: Target, progress: Progress) -> Verdict | None:
        """None: it gave up at its deadline."""
        try:
            match spec:
                case TcpSpec():
                    return await check_tcp(spec, target, progress, self._connections.exchange)
                case HttpSpec():
                    return await check_http(spec, target, progress, self._connections.exchange)
                case IcmpSpec() if self._echoes is not None:
                    return await self._echoes.check(target, progress)
                case IcmpSpec():
                    raise RuntimeError("a prober has to run before it can hear echoes")
                case _:
                    assert_never(spec)
        except Fault as fault:
            return fault.verdict
        except TooLate:
            return None
        except trio.ClosedResourceError:
            if not progress.is_late:
                raise
            return None
