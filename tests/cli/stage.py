"""Where the guide's transcript is played: a maglevd with the embedded VPP under traffic, and a bash to type into."""

import os
import socket
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.api.site import Site
from tests.cli.terminal import terminal

WEBS: Mapping[str, str] = {"web1": "127.0.0.11", "web2": "127.0.0.12", "web3": "127.0.0.13"}
SOCKET = "maglevd.sock"
BASH, MAGLEVC = "$ ", f"maglevc {SOCKET}> "

CONFIG = """maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", stats-interval: 1s,
         startup-min-delay: 0s, startup-max-delay: 30s}}
  healthchecks:
    http-check: {{type: http, port: {port}, interval: 200ms, timeout: 5s, params: {{path: /healthz}}}}
  backends:
    web1: {{address: 127.0.0.11, healthcheck: http-check}}
    web2: {{address: 127.0.0.12, healthcheck: http-check}}
    web3: {{address: 127.0.0.13, healthcheck: http-check}}
    spare: {{address: 192.0.2.80}}
    ns1: {{address: "2001:db8:1::53"}}
  frontends:
    www:
      description: the website
      address: 198.51.100.1
      protocol: tcp
      port: 443
      pools:
        - {{name: main, backends: {{web1: {{weight: 100}}, web2: {{weight: 50}}}}}}
        - {{name: sorry, backends: {{spare: {{weight: 10}}}}}}
    shop: {{address: 203.0.113.128/25, pools: [{{name: all, backends: {{web2: {{}}, web3: {{}}}}}}]}}
    dns: {{address: "2001:db8::53", protocol: udp, port: 53, pools: [{{name: main, backends: {{ns1: {{}}}}}}]}}
"""
TABLE = {
    "198.51.100.1/32 tcp 443": {"127.0.0.11": 100, "127.0.0.12": 50, "192.0.2.80": 0},
    "203.0.113.128/25 any 0": {"127.0.0.12": 100, "127.0.0.13": 100},
    "2001:db8::53/128 udp 53": {"2001:db8:1::53": 100},
}
"""What VPP gets by that when all backends are up."""

_TRIES = 20  # for a port that is free at every address


class _Answers(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        self.send_response(503 if self.server.is_ill else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    is_ill = False


class Webs:
    """One server at each of the addresses, all at one port; `ill` ones answer 503."""

    def __init__(self, servers: dict[str, _Server]) -> None:
        self._servers = servers
        self.port = next(iter(servers.values())).server_port

    def ill(self, name: str, is_so: bool = True) -> None:
        self._servers[name].is_ill = is_so


@contextmanager
def webs(addresses: Mapping[str, str] = WEBS) -> Iterator[Webs]:
    with ExitStack() as stack:
        servers = dict(zip(addresses, _bound(addresses.values()), strict=True))
        for server in servers.values():
            stack.enter_context(server)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield Webs(servers)


def _bound(addresses: Collection[str]) -> list[_Server]:
    for _ in range(_TRIES):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        servers: list[_Server] = []
        try:
            servers.extend(_Server((address, port), _Answers) for address in addresses)
        except OSError:
            for each in servers:
                each.server_close()
            continue
        return servers
    raise AssertionError(f"no port was free at all of {list(addresses)}")


class Stage(Site):
    """A directory with a maglevd to be, and `bin/maglevc`; its socket is known there by a name without a directory."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory, port)
        self.address = f"unix:{directory}/{SOCKET}"
        self.config.write_text(CONFIG.format(port=port))
        self.vpp_arguments = [
            "--api-socket",
            str(self.vpp.api),
            "--stats-socket",
            str(self.vpp.stats),
            "--traffic",
            "500",
        ]
        binaries = directory / "bin"
        binaries.mkdir()
        program = binaries / "maglevc"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m maglev.cli.main "$@"\n')
        program.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        """Of whoever runs maglevc there."""
        return {
            "PATH": f"{self.directory}/bin:{os.environ['PATH']}",
            "MAGLEV_SERVER": f"unix:{SOCKET}",
            "XDG_STATE_HOME": f"{self.directory}/state",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "NO_COLOR": "",
            "PS1": BASH,
        }


class Typist:
    """Types into a bash, and into the maglevc that it starts there; waits each time until there is a prompt again."""

    def __init__(self, columns: int, rows: int, stage: Stage, *, inside: ExitStack) -> None:
        self._terminal = inside.enter_context(terminal(columns, rows))
        bash = ("env", "-C", str(stage.directory), "bash", "--norc", "--noprofile", "--noediting", "-i")
        self._terminal.run(bash, environ=stage.environ)
        self._prompt = BASH
        self._until_cursor_behind(BASH, above=-1)

    def run(self, line: str, prompt: str | None = None) -> None:
        """Until there is a prompt, which may be another one from now on."""
        self._prompt = self._prompt if prompt is None else prompt
        row = self._row
        self._terminal.type(f"{line}\r")
        self._until_cursor_behind(self._prompt, above=row)

    def begin(self, line: str, until: str) -> None:
        """A line that asks back."""
        self._terminal.type(f"{line}\r")
        self._terminal.until(lambda: self._before_cursor.endswith(until), f"{until!r}")

    def press(self, keys: str, line: str) -> None:
        """Keys after which `line` stands behind the prompt, further down if something was said."""
        self._terminal.type(keys)
        self._until_cursor_behind(self._prompt + line, above=-1)

    def ask(self, typed: str, key: str, line: str) -> None:
        """`typed`, then a key that says something; then there is `line` again."""
        if typed:
            self.press(typed, typed)
        row = self._row
        self._terminal.type(key)
        self._until_cursor_behind(self._prompt + line, above=row)

    @property
    def lines(self) -> list[str]:
        """All that is to be seen, but for the prompt at its end."""
        return self._terminal.lines[: self._row]

    @property
    def _row(self) -> int:
        return self._terminal.screen.cursor.y

    @property
    def _before_cursor(self) -> str:
        return self._terminal.screen.display[self._row][: self._terminal.screen.cursor.x]

    def _until_cursor_behind(self, text: str, above: int) -> None:
        self._terminal.until(lambda: self._row > above and self._before_cursor == text, f"the cursor behind {text!r}")


@contextmanager
def typing(stage: Stage, columns: int = 80, rows: int = 300) -> Iterator[Typist]:
    with ExitStack() as inside:
        yield Typist(columns, rows, stage, inside=inside)
