"""A maglevd with much to lose at a restart: its configuration, and servers on loopback that answer, late or never.

| frontend | VIP                 | at work                         | beside them                                    |
|----------|---------------------|---------------------------------|------------------------------------------------|
| www      | 192.0.2.1 tcp/80    | web1, web2 with 30              | dead (down), closed (disabled), a pool behind  |
| api      | 192.0.2.2 tcp/443   | web1, late: they are a fallback | dead, dead2: the preferred pool, which is down |
| six      | 2001:db8::1 udp/53  | web2, late with 7               | dead, whose flows would stay                   |
| net      | 203.0.113.0/24, all | web1, by source address         |                                                |
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import Ok, Site
from tests.processes import until

PATIENCE_S = 30.0
CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", stats-interval: 100ms,
         startup-min-delay: {early}, startup-max-delay: {warmup}}}
  healthchecks:
    web: {{type: http, port: {port}, interval: 200ms, timeout: 2s, params: {{path: /}}}}
    also: {{type: http, port: {port}, interval: 200ms, timeout: {patience}, params: {{path: /}}{also}}}
  backends:
    web1: {{address: 127.0.0.11, healthcheck: web}}
    web2: {{address: 127.0.0.12, healthcheck: web}}
    late: {{address: 127.0.0.13, healthcheck: also}}
    dead: {{address: 127.0.0.18, healthcheck: web}}
    dead2: {{address: 127.0.0.19, healthcheck: web}}
    closed: {{address: 127.0.0.14, healthcheck: web, enabled: false}}
    sorry: {{address: 127.0.0.21}}
  frontends:
    www:
      address: 192.0.2.1
      protocol: tcp
      port: 80
      pools:
        - {{name: main, backends: {{web1: {{}}, web2: {{weight: 30}}, dead: {{}}, closed: {{}}{more}}}}}
        - {{name: spare, backends: {{sorry: {{}}}}}}
    api:
      address: 192.0.2.2
      protocol: tcp
      port: 443
      pools:
        - {{name: main, backends: {{dead: {{}}, dead2: {{weight: 50}}}}}}
        - {{name: spare, backends: {{web1: {{}}, late: {{}}}}}}
    six: {{address: "2001:db8::1", protocol: udp, port: 53, flush-on-down: false,
          pools: [{{name: main, backends: {{web2: {{}}, late: {{weight: 7}}, dead: {{}}}}}}]}}
    net: {{address: 203.0.113.0/24, src-ip-sticky: true, pools: [{{name: main, backends: {{web1: {{}}}}}}]}}
"""
NEW = """\
    new: {address: 192.0.2.3, protocol: tcp, port: 25, pools: [{name: main, backends: {web1: {}, web2: {}}}]}
"""
SERVING = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
WEIGHTS = {
    "192.0.2.1/32 6 80": {
        "127.0.0.11": 100, "127.0.0.12": 30, "127.0.0.14": 0, "127.0.0.18": 0, "127.0.0.21": 0,
    },
    "192.0.2.2/32 6 443": {"127.0.0.11": 100, "127.0.0.13": 100, "127.0.0.18": 0, "127.0.0.19": 0},
    "2001:db8::1/128 17 53": {"127.0.0.12": 100, "127.0.0.13": 7, "127.0.0.18": 0},
    "203.0.113.0/24 255 0": {"127.0.0.11": 100},
}  # fmt: skip
"""What VPP gets by that."""


class Farm:
    """The servers; those of `late` answer while `answers` is set."""

    def __init__(self, port: int, answers: threading.Event) -> None:
        self.port = port
        self.answers = answers

    @contextmanager
    def late(self) -> Iterator[None]:
        """Until the end of it, one of them takes requests and says nothing."""
        self.answers.clear()
        try:
            yield
        finally:
            self.answers.set()


@contextmanager
def farm() -> Iterator[Farm]:
    answers = threading.Event()
    answers.set()

    class Late(Ok):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            answers.wait(PATIENCE_S)
            super().do_GET()

    with ExitStack() as stack:
        port = 0
        for address in SERVING:
            server = stack.enter_context(ThreadingHTTPServer((address, port), Late if address == SERVING[-1] else Ok))
            port = server.server_port
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            stack.callback(answers.set)
        yield Farm(port, answers)


class FarmSite(Site):
    """A directory for the maglevd of a farm."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory, port)
        self.port = port
        self.configure()

    def configure(
        self,
        early: str = "0s",
        warmup: str = "2500ms",
        patience: str = "2s",
        also: str = "",
        more: str = "",
        new: str = "",
    ) -> None:
        """Write the file; `patience` and `also` are for the check of `late`, `more` are backends of www."""
        figures = {"port": self.port, "early": early, "warmup": warmup, "patience": patience}
        text = CONFIG.format(**figures, also=also, more=more)
        self.config.write_text(text + new)

    def states(self) -> dict[str, str]:
        """Of all backends, as maglevd tells them; nothing while there is none."""
        return dict(self.ask(lambda client: [(each.name, each.state) for each in client.backends()]) or [])

    def synced(self) -> pb.SyncVPPLBStateResponse:
        """Have it read VPP's table, and write all that it would write."""
        until(lambda: self.metric("maglev_vpp_connected"), lambda: "VPP to be connected")
        return self.call("SyncVPPLBState", pb.SyncVPPLBStateRequest(), pb.SyncVPPLBStateResponse)
