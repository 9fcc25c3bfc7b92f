"""maglevd as a process, killed with -9 in the middle of its plans and started again, time after time.

Where it is killed is no luck: VPP stalls at a write, so that nothing behind it is done, or carries all out and answers
nothing any more. Then the kill comes.
"""

import signal
import time
from pathlib import Path

import pytest
import trio

from maglev.config.parse import load
from maglev.core.desired import resolve
from maglev.core.health import Health, State
from maglev.core.observed import Observed
from maglev.core.plan import plan
from maglev.core.status import BackendStatus, FrontendStatus, HealthStatus
from maglev.vpp.session import connect
from tests.processes import Process, running
from tests.trouble.bench import Bench
from tests.trouble.tables import RECREATED, as_table

CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", sticky-buckets-per-core: 1024,
         startup-min-delay: 0s, startup-max-delay: 0s}}
  backends:
    b1: {{address: 10.0.0.1}}
    b2: {{address: 10.0.0.2}}
    b3: {{address: 10.0.0.3}}
    s1: {{address: "2001:db8:1::1"}}
    s2: {{address: "2001:db8:1::2"}}
  frontends:
    web: {{address: 192.0.2.1, protocol: tcp, port: 80,
          pools: [{{name: a, backends: {{{web}}}}}, {{name: b, backends: {{b3: {{}}}}}}]}}
    tls: {{address: 192.0.2.1, protocol: tcp, port: 443, src-ip-sticky: {sticky},
          pools: [{{name: a, backends: {{b1: {{}}, b3: {{}}}}}}]}}
    six: {{address: "2001:db8::1", protocol: tcp, port: 80,
          pools: [{{name: a, backends: {{{six}}}}}]}}
"""
BASE = {"web": "b1: {}, b2: {weight: 50}", "sticky": "false", "six": "s1: {}, s2: {weight: 1}"}
OVER = {**BASE, "web": "b1: {weight: 0}, b2: {weight: 0}", "six": "s1: {weight: 0}, s2: {weight: 1}"}
REMADE = {**BASE, "web": "b1: {}, b2: {weight: 49}", "sticky": "true", "six": "b1: {}, b2: {}"}
FEWER = {**BASE, "web": "b2: {weight: 50}", "six": "s2: {weight: 1}"}

# From which configuration to which, and at which writes of each start VPP stalls or falls silent before the kill.
LIVES = {
    "build": (None, BASE, ["stall:1", "stall:4", "stall:3", "mute:2+"]),
    "failover": (BASE, OVER, ["stall:2", "stall:2", "mute:1+"]),
    "failback": (OVER, BASE, ["mute:3+", "stall:1"]),
    "recreate": (BASE, REMADE, ["stall:3", "stall:4", "stall:2", "mute:2+"]),
    "remove": (BASE, FEWER, ["stall:2", "mute:1+"]),
}


def status_of(path: Path) -> HealthStatus:
    """What maglevd makes of the configuration: nothing is probed, all backends are up."""
    config = load(path)
    states = dict.fromkeys(config.backends, State.UP)
    return HealthStatus(
        {name: BackendStatus(each, Health(State.UP, 0), 0, ()) for name, each in config.backends.items()},
        {name: FrontendStatus(each, resolve(each, states)) for name, each in config.frontends.items()},
    )


@pytest.mark.parametrize("name", LIVES)
async def test_killed_in_the_middle_of_plans_it_harms_no_traffic_and_the_next_start_mends_all(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    before, after, kills = LIVES[name]
    path, arguments = tmp_path / "maglev.yaml", ["--grpc-addr", "", "--metrics-addr", "", "--log-level", "debug"]
    arguments += ["--config", str(path), "--vpp-api-addr", bench.api, "--vpp-stats-addr", bench.stats]
    await bench.start_vpp()
    if before is not None:
        path.write_text(CONFIG.format(**before))
        bench.cell.set(status_of(path))
        await bench.by_hand(*plan(bench.wish, Observed(None, {})))
        assert is_right(bench)
    path.write_text(CONFIG.format(**after))
    bench.cell.set(status_of(path))
    bench.recreated = RECREATED if name == "recreate" else frozenset()

    for number, fault in enumerate(kills):
        kind, at = fault.split(":")
        bench.order(f"{kind}:write:{at}")
        with running("maglev.entry", arguments, tmp_path / f"log{number}") as maglevd:
            await bench.until_struck()
            await kill(bench, maglevd)
    bench.order()
    with running("maglev.entry", arguments, tmp_path / "log") as maglevd:
        await bench.until(lambda: "vpp-audit" in maglevd.output and is_right(bench), "the table to be mended")
        await kill(bench, maglevd)
    async with connect(bench.api, bench.stats, lambda _: None, clock_ns=time.time_ns) as session:
        assert plan(bench.wish, (await session.audit()).observed) == ()


def is_right(bench: Bench) -> bool:
    return bench.table == as_table(bench.wish)


async def kill(bench: Bench, maglevd: Process) -> None:
    maglevd.signal(signal.SIGKILL)
    await trio.to_thread.run_sync(maglevd.wait)
    await bench.until(lambda: bench.vpp.api_server.connections == 0, "VPP to see it gone")
    assert bench.nowhere == []
