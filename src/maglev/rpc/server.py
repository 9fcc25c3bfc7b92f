"""Listens for gRPC on an asyncio loop; must not know what the RPCs say."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION_SERVICE
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from maglev.core.level import Level
from maglev.core.status import Status
from maglev.errors import ConfigError
from maglev.rpc import doors, gate, service
from maglev.rpc.access import Access
from maglev.rpc.credentials import Tell
from maglev.rpc.health import Health
from maglev.rpc.hub import WATCHERS, Hub
from maglev.rpc.ports import Commands

_LAST_WORD_S = 0.5  # for those who watch the health to be told of the end
_CLIENTS_PING_MS = 10_000  # more often no client may ask whether we are still here


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what strangers can make us hold; each connection is a file descriptor that a probe may lack.

    A connection above the bound is closed at once. One without a call is closed after `idle_s`, one that never becomes
    HTTP/2 after `handshake_s`; one with a call that says nothing is asked every `ping_s` whether it is still there, and
    closed if no answer comes within `pong_s`. A connection may be as old as it likes: it may be a watcher's.
    `rpcs` is over all connections; more are refused with RESOURCE_EXHAUSTED. The request has to come within `request_s`
    of its call; somebody who may nothing is sent away before, unless he asks for a change, which goes on record.

    TCP and Unix sockets have all of this for themselves, so strangers cannot keep those out who are in the group of the
    socket. What remains: gRPC accepts before it refuses, so a flood still costs CPU in its own threads; and strangers
    who keep coming back can take all room from others on TCP, so that only a firewall can keep it for those who should
    have it.
    """

    connections: int = WATCHERS + 256
    handshake_s: float = 10.0
    idle_s: float = 60.0
    ping_s: float = 60.0
    pong_s: float = 20.0
    streams: int = 128
    rpcs: int = WATCHERS + 256
    request_s: float = 10.0

    def within(self, descriptors: int) -> "Limits":
        """These, but with connections for no more than a quarter of the descriptors, TCP and Unix sockets together."""
        return replace(self, connections=min(self.connections, max(descriptors // 8, 1)))


@dataclass(frozen=True, slots=True)
class Server:
    """A listening server; `ports` are those of its addresses, 0 of a Unix socket."""

    ports: tuple[int, ...]
    servers: doors.Servers
    guard: gate.Gate
    health: Health
    followed: asyncio.Task[None]

    @property
    def port(self) -> int:
        """The first port; 0 if it listens on Unix sockets only."""
        return next(filter(None, self.ports), 0)

    async def stop(self, grace_s: float) -> None:
        """Say so, take no more calls, end those who watch, and cut what else is not done within `grace_s` seconds."""
        self.followed.cancel()
        self.health.end()
        with suppress(TimeoutError):  # the guard cuts, also what is being written
            async with asyncio.timeout(min(grace_s, _LAST_WORD_S)):
                await self.health.all_told()
        self.guard.end()
        await self.servers.stop(grace_s)


@dataclass(frozen=True, slots=True)
class Served:
    """Answers come from `status`, changes go to `commands`, events come by `hub`; `is_awake` is maglevd's own loop."""

    status: Callable[[], Status]
    commands: Commands
    hub: Hub
    is_awake: Callable[[], bool]


def _untold(_level: Level, _text: str) -> None:
    """For those who have nobody to tell."""


async def start(
    addresses: str,
    served: Served,
    limits: Limits | None = None,
    *,
    access: Access | None = None,
    tell: Tell = _untold,
    reflection: bool = True,
) -> Server:
    """Serve on `addresses`, separated by commas.

    Each is `host:port`, `:port`, `[::1]:port` or `unix:/path`. Raises ConfigError when one is no address, is in use,
    cannot be listened on, or lets in more than `access` says.
    """
    limits, access = limits or Limits(), access or Access()
    health = Health(
        (
            ("", served.is_awake),
            (service.SERVICE, served.is_awake),
            ("vpp", lambda: served.status().vpp is not None),
        )
    )
    api = service.handlers(served.status, served.commands, served.hub, partial(gate.caller, access))
    guard = gate.Gate(access, limits.request_s)

    def one() -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=(guard,), options=_options(limits), maximum_concurrent_rpcs=limits.rpcs)
        server.add_generic_rpc_handlers((api,))
        health.add_to(server)
        if reflection:
            enable_server_reflection((service.SERVICE, HEALTH_SERVICE, REFLECTION_SERVICE), server)
        return server

    servers = doors.Servers(tcp=one(), unix=one())
    try:
        ports = doors.open_all(servers, addresses, access, tell)
    except ConfigError:
        await servers.stop(None)
        raise
    health.look()
    await servers.start()
    followed = asyncio.create_task(health.follow(), name="grpc health")
    return Server(tuple(ports), servers, guard, health, followed)


def _options(limits: Limits) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.so_reuseport", 0),  # else a second maglevd would share the port and get every other call
        ("grpc.max_receive_message_length", 64 * 1024),  # requests carry a name or two
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.server_handshake_timeout_ms", int(limits.handshake_s * 1000)),
        ("grpc.max_connection_idle_ms", int(limits.idle_s * 1000)),
        ("grpc.keepalive_time_ms", int(limits.ping_s * 1000)),
        ("grpc.http2.ping_timeout_ms", int(limits.pong_s * 1000)),
        ("grpc.http2.min_ping_interval_without_data_ms", _CLIENTS_PING_MS),
    )
