"""Listens for gRPC on an asyncio loop; must not know what the RPCs say."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from maglev import listen
from maglev.core.status import Status
from maglev.errors import ConfigError
from maglev.rpc import service
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
    """A listening server; `port` is 0 on a Unix socket."""

    port: int
    grpc: grpc.aio.Server

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and cut those that are not done within `grace_s` seconds."""
        await self.grpc.stop(grace_s)


async def start(address: str, status: Callable[[], Status], commands: Commands, limits: Limits | None = None) -> Server:
    """Serve `status` and take `commands` on `address`: `host:port`, `:port`, `[::1]:port` or `unix:/path`.

    Raises ConfigError when that is no address, is in use, or cannot be listened on.
    """
    where = listen.parse(address)
    listen.check(where)  # gRPC itself would say no more than that it failed, and would take a live Unix socket away
    limits = limits or Limits()
    server = grpc.aio.server(options=_options(limits), maximum_concurrent_rpcs=limits.rpcs)
    server.add_generic_rpc_handlers((service.handlers(status, commands),))
    try:
        port = server.add_insecure_port(_target(where))
    except RuntimeError as error:
        await server.stop(None)
        raise ConfigError(f"cannot listen on {where}", hint="another program may just have taken it") from error
    await server.start()
    return Server(port if isinstance(where, listen.TcpAddress) else 0, server)


def _target(address: listen.TcpAddress | listen.UnixAddress) -> str:
    if isinstance(address, listen.TcpAddress) and not address.host:
        return f"[::]:{address.port}"  # gRPC's word for all interfaces; it falls back to IPv4 where there is no IPv6
    return str(address)


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
