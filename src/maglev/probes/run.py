"""One probe from start to result: the deadline, the clock and the choice of protocol; knows none of them inside."""

from typing import assert_never

import trio

from maglev.core.model import HealthCheck, HttpSpec, IcmpSpec, IPAddress, ProbeResult, ProbeSpec, TcpSpec
from maglev.probes.http import check_http
from maglev.probes.icmp import check_icmp
from maglev.probes.tcp import check_tcp
from maglev.probes.verdict import Fault, Progress, Target, Verdict, sentence, timed_out


async def probe(check: HealthCheck, address: IPAddress) -> ProbeResult:
    """Probe `address` once, as `check` says; whatever backend, network or this machine do wrong is a result."""
    target = Target(address, check.source_for(address))
    timeout_s = check.timing.timeout_s
    progress = Progress()
    verdict: Verdict | None = None
    began = trio.current_time()
    with trio.move_on_after(timeout_s):
        verdict = await _judge(check.spec, target, progress)
    if verdict is None:
        verdict = timed_out(progress.phase, timeout_s)
    duration_s = trio.current_time() - began
    return ProbeResult(verdict.passed, verdict.code.value, sentence(verdict.detail), duration_s)


async def _judge(spec: ProbeSpec, target: Target, progress: Progress) -> Verdict:
    try:
        match spec:
            case TcpSpec():
                return await check_tcp(spec, target, progress)
            case HttpSpec():
                return await check_http(spec, target, progress)
            case IcmpSpec():
                return await check_icmp(target, progress)
            case _:
                assert_never(spec)
    except Fault as fault:
        return fault.verdict


class Prober:
    """Makes probes; `netns` names the network namespace whose sockets they use, None for our own."""

    def __init__(self, netns: str | None) -> None:
        self.netns = netns

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep what probes share, until cancelled."""
        task_status.started()
        await trio.sleep_forever()

    async def probe(self, check: HealthCheck, address: IPAddress) -> ProbeResult:
        """Probe `address` once, as `check` says."""
        return await probe(check, address)
