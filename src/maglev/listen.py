"""Where our servers listen: text -> address -> bound sockets, or one clear error; knows nothing of what is served."""

import errno
import ipaddress
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from maglev.errors import ConfigError

FORMS = "write HOST:PORT, :PORT for all interfaces, or [IPV6]:PORT"
BACKLOG = 128
_TCP = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:\[\]\s]*)):(?P<port>[0-9]{1,5})")
_UNIX_PATH_BYTES = 107  # sun_path, less its closing NUL


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Host and port; an empty host means all interfaces of both families, port 0 any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress


def parse_all(text: str) -> list[Address]:
    """Addresses that commas separate, each once. Raises ConfigError."""
    found = [parse(each.strip()) for each in text.split(",")]
    for address in found:
        if found.count(address) > 1:
            raise ConfigError(f"cannot listen on {address} twice", hint="leave one of them away")
    return found


def parse(text: str) -> Address:
    """`host:port`, `:port`, `[::1]:port` or `unix:/path`. Raises ConfigError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path or len(os.fsencode(path)) > _UNIX_PATH_BYTES:
            raise ConfigError(f"cannot listen on {text!r}", hint=f"a socket path has 1 to {_UNIX_PATH_BYTES} bytes")
        return UnixAddress(path)
    match = _TCP.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ConfigError(f"cannot listen on {text!r}", hint=f"{FORMS}, or for gRPC unix:PATH")
    return TcpAddress(match["six"] or match["host"] or "", int(match["port"]))


def bind(address: TcpAddress) -> list[socket.socket]:
    """Listening sockets, one per address that the host stands for, all on one port; no other process can share it.

    Raises ConfigError when the host is unknown or not ours, or the port is in use or not allowed.
    """
    sockets: list[socket.socket] = []
    try:
        if not address.host and socket.has_dualstack_ipv6():
            everywhere = ("", address.port)
            return [socket.create_server(everywhere, family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)]
        _bind_each(address, sockets)
    except (OSError, ValueError) as error:
        for opened in sockets:
            opened.close()
        raise _refusal(str(address), error) from error
    return sockets


def _bind_each(address: TcpAddress, sockets: list[socket.socket]) -> None:
    """Add a socket per address of the host; one that this machine lacks may be missing (localhost without IPv6)."""
    lacking: OSError | None = None
    port = address.port
    for family, where in _resolve(address):
        try:
            sockets.append(socket.create_server((where, port), family=family, backlog=BACKLOG))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            lacking = error
            continue
        port = sockets[0].getsockname()[1]
    if lacking is not None and not sockets:
        raise lacking


def usable(address: TcpAddress) -> list[TcpAddress]:
    """What its host stands for, as numbers, as far as this machine has it; all interfaces stay as they are.

    Raises the ConfigError that listening there would end in; for libraries that only say yes or no.
    """
    sockets = bind(address)
    names = [socket.getnameinfo(each.getsockname(), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV) for each in sockets]
    for opened in sockets:
        opened.close()
    return [TcpAddress(host, address.port) for host, _ in names] if address.host else [address]


def reaches_beyond(address: TcpAddress) -> bool:
    """Whether others than this machine can reach it; a name that is not known as yet reaches nobody."""
    if not address.host:
        return True
    try:
        hosts = [host for _, host in _resolve(address)]
    except (OSError, ValueError):
        return False
    return not all(ipaddress.ip_address(host).is_loopback for host in hosts)


def check(address: Address) -> None:
    """Raise the ConfigError that listening on `address` would end in; for libraries that only say yes or no."""
    if isinstance(address, TcpAddress):
        usable(address)
        return
    try:
        fault = _unix_fault(Path(address.path))
    except OSError as error:
        raise _refusal(str(address), error) from error
    if fault:
        raise _refusal(str(address), OSError(fault, os.strerror(fault)))


def _unix_fault(path: Path) -> int:
    """The errno that binding there would or should end in; 0 if it can go well. Raises OSError."""
    if not path.parent.is_dir():
        return errno.ENOENT
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return errno.EACCES
    if not path.exists():
        return 0
    if not stat.S_ISSOCK(path.stat().st_mode):
        return errno.EEXIST
    return errno.EADDRINUSE if _is_answered(path) else 0


def _resolve(address: TcpAddress) -> list[tuple[socket.AddressFamily, str]]:
    family = socket.AF_UNSPEC if address.host else socket.AF_INET  # no host, and no IPv6 on this machine
    found = socket.getaddrinfo(
        address.host or None, address.port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys((each, str(where[0])) for each, _, _, _, where in found))


def _is_answered(path: Path) -> bool:
    """Whether somebody listens there; a socket file that a dead process left behind is not answered."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _refusal(address: str, error: OSError | ValueError) -> ConfigError:
    if isinstance(error, socket.gaierror) or not isinstance(error, OSError) or error.errno is None:
        reason = str(getattr(error, "strerror", None) or error)
    else:
        reason = os.strerror(error.errno)  # asyncio and socket write whole sentences into theirs
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            hint = "another program listens there, perhaps a second maglevd: stop it or choose another address"
        case errno.EACCES:
            hint = (
                "this needs more rights (ports below 1024 are root's, a socket needs a directory we may write to), or "
                "choose another address: --grpc-addr, --metrics-addr"
            )
        case errno.EADDRNOTAVAIL:
            hint = "this machine has no such address"
        case _:
            hint = "choose an address of this machine"
    return ConfigError(f"cannot listen on {address}: {reason}", hint=hint)
