"""Listens for gRPC on an asyncio loop; must not know what the RPCs say."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc

from maglev.core.level import Level
from maglev.core.status import Status
from maglev.errors import ConfigError
from maglev.rpc import doors, gate, service
from maglev.rpc.access import Access
from maglev.rpc.credentials import Tell
from maglev.rpc.ports import Commands


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what strangers can make us hold; each connection is a file descriptor that a probe may lack.

    A connection above the bound is closed at once. One without a call is closed after `idle_s`, one that never becomes
    HTTP/2 after `handshake_s`, any other after `age_s`, at the latest `grace_s` later, calls that never end included:
    clients connect again by themselves. `rpcs` is over all connections; more are refused with RESOURCE_EXHAUSTED.

    What remains: gRPC accepts before it refuses, so a flood still costs CPU in its own threads; and strangers who keep
    coming back can take all room from others, so that only a firewall can keep it for those who should have it.
    """

    connections: int = 128
    handshake_s: float = 10.0
    idle_s: float = 60.0
    age_s: float = 600.0
    grace_s: float = 30.0
    streams: int = 64
    rpcs: int = 256


@dataclass(frozen=True, slots=True)
class Server:
    """A listening server; `ports` are those of its addresses, 0 of a Unix socket."""

    ports: tuple[int, ...]
    grpc: grpc.aio.Server

    @property
    def port(self) -> int:
        """The first port; 0 if it listens on Unix sockets only."""
        return next(filter(None, self.ports), 0)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and cut those that are not done within `grace_s` seconds."""
        await self.grpc.stop(grace_s)


def _untold(_level: Level, _text: str) -> None:
    """For those who have nobody to tell."""


async def start(
    addresses: str,
    status: Callable[[], Status],
    commands: Commands,
    limits: Limits | None = None,
    *,
    access: Access | None = None,
    tell: Tell = _untold,
) -> Server:
    """Serve `status` and take `commands` on `addresses`, separated by commas.

    Each is `host:port`, `:port`, `[::1]:port` or `unix:/path`. Raises ConfigError when one is no address, is in use,
    cannot be listened on, or lets in more than `access` says.
    """
    limits, access = limits or Limits(), access or Access()
    server = grpc.aio.server(
        interceptors=(gate.Gate(access),), options=_options(limits), maximum_concurrent_rpcs=limits.rpcs
    )
    server.add_generic_rpc_handlers((service.handlers(status, commands, partial(gate.caller, access)),))
    try:
        ports = doors.open_all(server, addresses, access, tell)
    except ConfigError:
        await server.stop(None)
        raise
    await server.start()
    return Server(tuple(ports), server)


def _options(limits: Limits) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.so_reuseport", 0),  # else a second maglevd would share the port and get every other call
        ("grpc.max_receive_message_length", 64 * 1024),  # requests carry a name or two
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.server_handshake_timeout_ms", int(limits.handshake_s * 1000)),
        ("grpc.max_connection_idle_ms", int(limits.idle_s * 1000)),
        ("grpc.max_connection_age_ms", int(limits.age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(limits.grace_s * 1000)),
    )
