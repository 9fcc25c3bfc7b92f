"""What a machine needs for maglevd to have something to do: a VPP with flows, a web server, a configuration."""

import json
from typing import Any

from tests.packaging.machine import Machine

CONFIG_FILE = "/etc/vpp-maglev/maglev.yaml"
CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", startup-min-delay: 0s,
         startup-max-delay: 30s, stats-interval: 100ms}}
  healthchecks:
    web: {{type: http, port: 8080, interval: 100ms, timeout: 1s}}
    ping: {{type: icmp, interval: 100ms, timeout: 1s}}
  backends:
    a: {{address: 127.0.0.1, healthcheck: web}}
    b: {{address: 127.0.0.2, healthcheck: ping}}
  frontends:
    www:
      address: 192.0.2.1
      protocol: tcp
      port: 80
      pools: [{{name: main, backends: {{a: {{weight: {weight}}}, b: {{}}}}}}]
"""

_METRICS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9091/metrics', timeout=5).read().decode())"


class Site:
    """A machine with those; maglevd's own packages are installed by then."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def start_vpp(self) -> None:
        """The embedded VPP with flows, its sockets for group vpp, and the web server."""
        sockets = ("--api-socket", "/run/vpp/api.sock", "--stats-socket", "/run/vpp/stats.sock")
        self.machine.starts(
            "vpp",
            *("/usr/lib/maglev/bin/python", "-I", "-m", "maglev.emulator", *sockets, "--traffic", "500"),
            properties=("RuntimeDirectory=vpp", "Group=vpp", "UMask=0007", "WorkingDirectory=/"),
        )
        server = ("/usr/bin/python3.11", "-m", "http.server", "8080", "--bind", "127.0.0.1")
        self.machine.starts("web", *server, properties=("WorkingDirectory=/usr/share/maglev",))
        self.machine.until(lambda: self.machine.has("/run/vpp/stats.sock"), "the embedded VPP to be there")

    def configure(self, weight: int = 42) -> None:
        self.machine.write(CONFIG_FILE, CONFIG.format(weight=weight))

    def break_config(self) -> None:
        self.machine.write(CONFIG_FILE, CONFIG.format(weight="much"))

    def show(self, *words: str) -> Any:
        """The JSON of `maglevc show`; None while it cannot tell."""
        done = self.machine.run(
            "maglevc", "--server", "unix:/run/maglev/maglevd.sock", "show", *words, "|", "json", check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def weights(self) -> dict[str, int]:
        """What VPP has for each address, by maglevd's account."""
        state = self.show("vpp", "lb", "state")
        return {
            each["address"]: each["weight"]
            for vip in (state or {}).get("vips", [])
            for each in vip["application_servers"]
        }

    def until_weights(self, a: int, b: int = 100) -> None:
        wanted = {"127.0.0.1": a, "127.0.0.2": b}
        self.machine.until(lambda: self.weights() == wanted, f"VPP's weights to be {wanted}")

    def writes(self) -> float:
        """How many VIPs and backends this maglevd has written to VPP since its start."""
        return sum(self._values("maglev_vpp_lbsync_total"))

    def own_weight(self, backend: str) -> float:
        """What maglevd wants it to have; asked of its metrics, so without maglevc."""
        return sum(self._values("maglev_frontend_pool_backend_weight", f'backend="{backend}"'))

    def packets(self) -> float:
        """How many VPP has forwarded to the VIP."""
        return sum(self._values("maglev_vpp_vip_route_packets_total"))

    def unserved(self) -> float:
        """How many of them it had no backend for."""
        return sum(self._values("maglev_vpp_vip_packets_total", 'kind="no_server"'))

    def _values(self, name: str, label: str = "") -> list[float]:
        lines = self.machine.run("/usr/bin/python3.11", "-c", _METRICS).stdout.splitlines()
        return [
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{")) and label in line
        ]
