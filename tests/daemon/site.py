"""A maglevd to run: its directory, config and sockets, one backend to probe, and questions to ask it."""

import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from maglev.cli.client import Client
from maglev.errors import MaglevError

T = TypeVar("T")
M = TypeVar("M", bound=Message)

CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", startup-min-delay: 0s,
         startup-max-delay: 30s, stats-interval: 100ms}}
  healthchecks:
    web: {{type: http, port: {port}, interval: 100ms, timeout: 1s, params: {{path: /}}}}
  backends:
    a: {{address: 127.0.0.1, healthcheck: web}}
  frontends:
    www: {{address: 192.0.2.1, protocol: tcp, port: 80, pools: [{{name: main, backends: {{a: {{weight: 42}}}}}}]}}
"""


class Ok(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server(address: str = "127.0.0.1") -> Iterator[int]:
    """The port of a server there that answers 200 to everything."""
    with ThreadingHTTPServer((address, 0), Ok) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Site:
    """A directory with a config and the sockets of a VPP that may or may not be there."""

    def __init__(self, directory: Path, backend_port: int) -> None:
        self.directory = directory
        self.config = directory / "maglev.yaml"
        self.config.write_text(CONFIG.format(port=backend_port))
        self.api, self.stats = directory / "api.sock", directory / "stats.sock"
        self.log = directory / "maglevd.log"
        self.grpc = f"unix:{directory}/grpc.sock"
        self.metrics_port = free_port()

    @property
    def arguments(self) -> list[str]:
        return [
            *("--config", str(self.config), "--grpc-addr", self.grpc),
            *("--metrics-addr", f"127.0.0.1:{self.metrics_port}"),
            *("--vpp-api-addr", str(self.api), "--vpp-stats-addr", str(self.stats)),
            *("--log-format", "text"),
        ]

    @property
    def vpp_arguments(self) -> list[str]:
        return ["--api-socket", str(self.api), "--stats-socket", str(self.stats), "--workers", "1"]

    def weight(self) -> int | None:
        """The weight that VPP's table has for the backend, by maglevd's account."""
        state = self.ask(lambda client: client.lb_state())
        return next((b.weight for vip in state.vips for b in vip.application_servers), None) if state else None

    def state(self) -> str:
        backend = self.ask(lambda client: client.backend("a"))
        return backend.state if backend else ""

    def ask(self, call: Callable[[Client], T]) -> T | None:
        with Client(self.grpc, 5) as client:
            try:
                return call(client)
            except MaglevError:
                return None

    def call(self, method: str, request: Message, response: type[M]) -> M:
        """One RPC of a plain client. Raises grpc.RpcError."""
        with grpc.insecure_channel(self.grpc) as channel:
            rpc: grpc.UnaryUnaryMultiCallable[Message, M] = channel.unary_unary(
                f"/maglev.Maglev/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )
            return rpc(request, timeout=10)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            return str(answer.read(), "utf-8")

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        (value,) = [line.split()[1] for line in self.metrics().splitlines() if line.startswith(f"{name} ")]
        return float(value)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
