"""Listens for gRPC on an asyncio loop; must not know what the RPCs say."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from maglev import listen
from maglev.core.status import Status
from maglev.errors import ConfigError
from maglev.rpc import service

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second maglevd would share the port and get every other call
    ("grpc.max_receive_message_length", 64 * 1024),  # requests carry a name or two
    ("grpc.max_concurrent_streams", 64),
)
_CONCURRENT_RPCS = 256  # over all connections; more are refused with RESOURCE_EXHAUSTED


@dataclass(frozen=True, slots=True)
class Server:
    """A listening server; `port` is 0 on a Unix socket."""

    port: int
    grpc: grpc.aio.Server

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and cut those that are not done within `grace_s` seconds."""
        await self.grpc.stop(grace_s)


async def start(address: str, status: Callable[[], Status]) -> Server:
    """Serve `status` on `address`: `host:port`, `:port`, `[::1]:port` or `unix:/path`.

    Raises ConfigError when that is no address, is in use, or cannot be listened on.
    """
    where = listen.parse(address)
    listen.check(where)  # gRPC itself would say no more than that it failed, and would take a live Unix socket away
    server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=_CONCURRENT_RPCS)
    server.add_generic_rpc_handlers((service.handlers(status),))
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
