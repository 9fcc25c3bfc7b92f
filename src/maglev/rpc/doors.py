"""The addresses that gRPC listens on: vetted, then opened, all or none; must not know what is served."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc

from maglev import listen
from maglev.core.level import Level
from maglev.errors import ConfigError
from maglev.rpc import credentials
from maglev.rpc.access import Access
from maglev.rpc.credentials import Tell

_SOCKET_MODE = 0o660
_FOLDER_MODE = 0o755
_ELSEWHERE = "--grpc-addr chooses another, such as unix:/tmp/maglevd.sock or 127.0.0.1:9090"


def vet(addresses: str, access: Access) -> None:
    """Raise the ConfigError that is certain before anything is bound; a name may be unknown as yet."""
    places = listen.parse_all(addresses) if addresses else []
    tcp = [place for place in places if isinstance(place, listen.TcpAddress)]
    access.check(_texts(tcp), _texts(place for place in tcp if listen.reaches_beyond(place)))
    if access.tls_cert:
        credentials.read(access)


@dataclass(frozen=True, slots=True)
class Servers:
    """One for each kind of address: who may only reach TCP cannot use up what those on this machine need."""

    tcp: grpc.aio.Server
    unix: grpc.aio.Server

    async def start(self) -> None:
        """Let in who comes."""
        await asyncio.gather(self.tcp.start(), self.unix.start())

    async def stop(self, grace_s: float | None) -> None:
        """Take no more calls, and cut those that are not done within `grace_s` seconds."""
        await asyncio.gather(self.tcp.stop(grace_s), self.unix.stop(grace_s))


def open_all(servers: Servers, addresses: str, access: Access, tell: Tell) -> list[int]:
    """Have `servers` listen on each of them; the port of each, 0 of a Unix socket.

    Raises ConfigError when any of them is no address, not ours, in use, or lets in more than `access` says: then the
    servers have to be stopped.
    """
    places = listen.parse_all(addresses)
    usable: dict[listen.Address, list[listen.TcpAddress]] = {}
    for place in places:
        if isinstance(place, listen.TcpAddress):
            usable[place] = listen.usable(place)
        else:
            _make_folder(place)
            listen.check(place)  # gRPC itself would take a live socket away
    beyond = _texts(place for place, found in usable.items() if any(map(listen.reaches_beyond, found)))
    for warning in access.check(_texts(usable), beyond):
        tell(Level.WARNING, warning)
    tls = credentials.credentials(access, tell) if access.tls_cert else None
    ports = []
    with ExitStack() as undo:  # gRPC removes the sockets of servers alone that were started
        for place in places:
            if isinstance(place, listen.TcpAddress):
                ports.append(_open_tcp(servers.tcp, usable[place], tls))
            else:
                ports.append(_open_unix(servers.unix, place))
                undo.callback(Path(place.path).unlink, missing_ok=True)
        undo.pop_all()
    return ports


def _texts(places: Iterable[listen.Address]) -> list[str]:
    return [str(place) for place in places]


def _open_tcp(
    server: grpc.aio.Server, addresses: Sequence[listen.TcpAddress], tls: grpc.ServerCredentials | None
) -> int:
    """The addresses that a host stands for, all on one port. gRPC gets them as numbers: it may read names otherwise."""
    port = addresses[0].port
    for address in addresses:
        # [::] is gRPC's word for all interfaces; it falls back to IPv4 where there is no IPv6.
        target = str(listen.TcpAddress(address.host or "::", port))
        try:
            port = server.add_secure_port(target, tls) if tls else server.add_insecure_port(target)
        except RuntimeError as error:
            raise _taken(address) from error
    return port


def _open_unix(server: grpc.aio.Server, address: listen.UnixAddress) -> int:
    """For the process's group alone, from the moment on that it exists. gRPC removes it when it stops."""
    before = os.umask(0o777 & ~_SOCKET_MODE)
    try:
        server.add_insecure_port(str(address))
    except RuntimeError as error:
        raise _taken(address) from error
    finally:
        os.umask(before)
    Path(address.path).chmod(_SOCKET_MODE)  # the default ACL of a directory beats the umask
    return 0


def _taken(address: listen.Address) -> ConfigError:
    return ConfigError(
        f"cannot listen on {address}",
        hint="another program may just have taken it, or another address of --grpc-addr covers it",
    )


def _make_folder(address: listen.UnixAddress) -> None:
    folder = Path(address.path).parent
    if folder.is_dir():
        return
    try:
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)  # whatever the umask: the socket says who may connect
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {address}: there is no directory {folder}, and making it failed: {error.strerror}",
            hint=f"make it (systemd: RuntimeDirectory=maglev); {_ELSEWHERE}",
        ) from error
