"""Prometheus scrapes a maglevd to which everything happens that alerts and dashboard tell of.

Traffic arrives; VPP refuses one frontend; a backend that the other two use dies, so that one of them goes to its
fallback and the other one down. All of it on loopback, and ended with the test.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contrib import rules
from tests.daemon.site import Site, free_port, web_server
from tests.processes import Process, Program, running, until

_CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", startup-min-delay: 0s,
         startup-max-delay: 5s, stats-interval: 500ms, sync-interval: 5s}}
  healthchecks:
    one: {{type: http, port: {one}, interval: 200ms, timeout: 1s, params: {{path: /}}}}
    other: {{type: http, port: {other}, interval: 200ms, timeout: 1s, params: {{path: /}}}}
  backends:
    lasting: {{address: 127.0.0.1, healthcheck: one}}
    mortal: {{address: 127.0.0.2, healthcheck: other}}
    unchecked: {{address: 127.0.0.3}}
  frontends:
    refused: {{address: 192.0.2.1, protocol: tcp, port: 80, pools: [{{name: only, backends: {{unchecked: {{}}}}}}]}}
    falls-back:
      address: 192.0.2.2
      protocol: tcp
      port: 80
      pools: [{{name: first, backends: {{mortal: {{}}}}}}, {{name: second, backends: {{lasting: {{}}}}}}]
    goes-down: {{address: 192.0.2.3, protocol: tcp, port: 80, pools: [{{name: only, backends: {{mortal: {{}}}}}}]}}
"""
# That of `refused`: it has the lowest address, and no probe to wait for.
_REFUSES_THE_FIRST_VIP = ("--fault", "refuse=-81:add-vip:1=")
_PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: maglevd, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one; every answer that is none fails the test."""

    port: int

    def query(self, expr: str) -> list[dict[str, Any]]:
        answer = self.api("query", query=expr)
        assert answer["resultType"] == "vector", expr
        return list(answer["result"])

    def api(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=10):
                return True
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Scene:
    prometheus: Prometheus
    site: Site
    maglevd: Process

    def until_seen(self, expr: str) -> None:
        def told() -> str:
            return f"{expr} in Prometheus; /metrics:\n{self.site.metrics()}\n{self.maglevd.output}"

        until(lambda: self.prometheus.query(expr), told, self.maglevd)


@contextmanager
def played(directory: Path) -> Iterator[Scene]:
    """The scene at its end: all of it has happened and was scraped."""
    with ExitStack() as stack:
        last = ExitStack()
        one = stack.enter_context(web_server("127.0.0.1"))
        other = last.enter_context(web_server("127.0.0.2"))
        stack.push(last)
        site = Site(directory, one)
        site.config.write_text(_CONFIG.format(one=one, other=other))
        arguments = [*site.vpp_arguments, "--traffic", "500", *_REFUSES_THE_FIRST_VIP]
        vpp = stack.enter_context(running("maglev.emulator", arguments, directory / "vpp.log"))
        vpp.until_says(str(site.api))
        maglevd = stack.enter_context(running("maglev.entry", site.arguments, site.log))
        scene = Scene(stack.enter_context(_prometheus(directory, site.metrics_port)), site, maglevd)

        scene.until_seen('maglev_vpp_backend_buckets{backend="mortal"} > 0')
        scene.until_seen('sum(rate(maglev_vpp_backend_packets_total{backend="mortal"}[1m])) > 0')
        last.close()
        scene.until_seen('maglev_frontend_state{frontend="goes-down",state="down"}')
        scene.until_seen('rate(maglev_vpp_vip_packets_total{kind="no_server"}[1m]) > 0')
        scene.until_seen("maglev_vpp_refused_vips > 0")
        yield scene


@contextmanager
def _prometheus(directory: Path, port: int) -> Iterator[Prometheus]:
    """One that scrapes this port, and fires our alerts without waiting for what would pass."""
    (directory / "rules.yml").write_text(re.sub(r"for: \w+", "for: 0s", rules.RULES.read_text()))
    (directory / "prometheus.yml").write_text(_PROMETHEUS.format(port=port))
    own = Prometheus(free_port())
    command = [
        rules.tool("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{own.port}",
        "--log.level=warn",
    ]
    program = Program(command, directory / "prometheus.log")
    try:
        until(own.is_ready, lambda: f"Prometheus to be ready; its log:\n{program.output}", program)
        yield own
    finally:
        program.stop()
