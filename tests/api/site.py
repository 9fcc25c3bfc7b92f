"""A maglevd to ask, with one of everything in its configuration, and the VPP that it writes."""

import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from maglev.core.plan import Op
from maglev.vpp.session import Session, connect
from tests.api.client import Client, Told
from tests.processes import Process, running, until

CONFIG = """
maglev:
  healthchecker: {{transition-history: 2}}
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", sync-interval: 1h, stats-interval: 100ms,
         startup-min-delay: 0s, startup-max-delay: 0s, sticky-buckets-per-core: 1024, flow-timeout: 60s}}
  healthchecks:
    web: {{type: http, port: {port}, interval: 100ms, timeout: 5s, params: {{path: /healthz}}}}
    strict:
      type: https
      port: 8443
      interval: 2s
      fast-interval: 500ms
      down-interval: 5s
      timeout: 1s
      rise: 1
      fall: 4
      probe-ipv4-src: 192.0.2.253
      probe-ipv6-src: "2001:db8::fd"
      params: {{path: /ok, host: www.example.org, server-name: alt.example.org, insecure-skip-verify: true,
               response-code: "200-299,404", response-regexp: "^ok"}}
    imaps: {{type: tcp, port: 993, params: {{ssl: true}}}}
    ping: {{type: icmp}}
  backends:
    web1: {{address: 127.0.0.1, healthcheck: web}}
    web2: {{address: 127.0.0.1, healthcheck: web}}
    closed: {{address: 127.0.0.3, healthcheck: web, enabled: false}}
    sorry: {{address: 192.0.2.80}}
    six: {{address: "2001:db8:1::6"}}
  frontends:
    www:
      description: the website
      address: 198.51.100.1
      protocol: tcp
      port: 80
      pools:
        - {{name: main, backends: {{web1: {{weight: 42}}}}}}
        - {{name: spare, backends: {{sorry: {{weight: 10}}}}}}
    net: {{address: 203.0.113.128/25, src-ip-sticky: true, pools: [{{name: all, backends: {{web2: {{}}}}}}]}}
    dark: {{address: 198.51.100.2, protocol: tcp, port: 443, pools: [{{name: main, backends: {{closed: {{}}}}}}]}}
    dns: {{address: "2001:db8::53", protocol: udp, port: 53, flush-on-down: false,
          pools: [{{name: main, backends: {{six: {{weight: 7}}}}}}]}}
"""
TABLE = {
    "198.51.100.1/32 tcp 80": {"127.0.0.1": 42, "192.0.2.80": 0},
    "198.51.100.2/32 tcp 443": {"127.0.0.3": 0},
    "203.0.113.128/25 any 0": {"127.0.0.1": 100},
    "2001:db8::53/128 udp 53": {"2001:db8:1::6": 7},
}
"""What VPP gets by that, weight by address by VIP."""

_PROTOCOLS = {"6": "tcp", "17": "udp"}


class Vpp:
    """The embedded VPP, at whose hand and by whose own account nothing goes by way of maglevd."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lives = 0
        self.api, self.stats = directory / "api.sock", directory / "stats.sock"
        self.process: Process | None = None

    @contextmanager
    def running(self) -> Iterator[Process]:
        self._lives += 1
        arguments = ["--api-socket", str(self.api), "--stats-socket", str(self.stats), "--traffic", "500"]
        with running("maglev.emulator", arguments, self._directory / f"vpp{self._lives}.log") as self.process:
            self.process.until_says(str(self.api))
            yield self.process

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        assert self.process
        self.process.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.signal(signal.SIGCONT)

    def cli(self, command: str) -> str:
        async def ask(session: Session) -> str:
            return await session.cli(command)

        return self._with_session(ask)

    def write(self, *ops: Op) -> None:
        async def by_hand(session: Session) -> str:
            assert await session.execute(ops) == [None] * len(ops)
            return ""

        self._with_session(by_hand)

    def _with_session(self, what: Callable[[Session], Awaitable[str]]) -> str:
        async def main() -> str:
            async with connect(str(self.api), str(self.stats), lambda _: None, clock_ns=time.time_ns) as session:
                return await what(session)

        return trio.run(main)

    def listed(self) -> dict[str, Told]:
        """What `show lb vips verbose` says, by VIP."""
        vips: dict[str, Told] = {}
        for block in self.cli("show lb vips verbose").split("\n\n"):
            if not (head := re.match(r" ip[46]-(\w+) \[\d+\] (\S+)( src_ip_sticky)?( removed)?", block)) or head[4]:
                continue
            port = re.search(r"protocol:(\d+) port:(\d+)", block)
            name = f"{head[2]} {_PROTOCOLS[port[1]]} {port[2]}" if port else f"{head[2]} any 0"
            vips[name] = {
                "encap": head[1],
                "src_ip_sticky": bool(head[3]),
                "flow_table_length": int(re.findall(r"new_size:(\d+)", block)[0]),
                "counters": _numbers(r"^    ([a-z ]+): (\d+)$", block),
                "weights": _numbers(r"^    (\S+) weight:(\d+) .* used$", block),
                "buckets": _numbers(r"^    (\S+) .* buckets:(\d+) .* used$", block),
                "flows": _numbers(r"^    (\S+) .* flows:(\d+) .* used$", block),
            }
        return vips

    def weights(self) -> dict[str, dict[str, int]]:
        return {name: vip["weights"] for name, vip in self.listed().items()}


def _numbers(pattern: str, block: str) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(pattern, block, re.MULTILINE)}


class Site:
    """A directory with a config, and the address of its maglevd."""

    def __init__(self, directory: Path, backend_port: int) -> None:
        self.directory, self.port = directory, backend_port
        self.config = directory / "maglev.yaml"
        self.config.write_text(CONFIG.format(port=backend_port))
        self.address = f"unix:{directory}/grpc.sock"
        self.vpp = Vpp(directory)

    @contextmanager
    def running(self, *flags: str) -> Iterator[Process]:
        arguments = [
            *("--config", str(self.config), "--grpc-addr", self.address, "--metrics-addr", "", "--log-format", "text"),
            *("--vpp-api-addr", str(self.vpp.api), "--vpp-stats-addr", str(self.vpp.stats), *flags),
        ]
        with running("maglev.entry", arguments, self.directory / "maglevd.log") as maglevd:
            maglevd.until_says(" started ")
            yield maglevd


def weights(state: Told) -> dict[str, dict[str, int]]:
    """The same of GetVPPLBState."""
    return {
        f"{vip['prefix']} {vip['protocol']} {vip['port']}": {
            server["address"]: server["weight"] for server in vip["application_servers"]
        }
        for vip in state["vips"]
    }


def until_up(client: Client, name: str) -> None:
    until(lambda: client.told("GetBackend", name=name)["state"] == "up", lambda: f"{name} to be up")


def until_written(site: Site, expected: dict[str, dict[str, int]]) -> None:
    """By VPP's own account."""
    until(lambda: site.vpp.weights() == expected, lambda: f"{expected}, seen {site.vpp.weights()}")
