"""Six small HTTP servers on loopback that can be killed and revived; knows nothing of VPP or maglevd."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import trio

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
MAX_REQUEST = 4096
REQUEST_DEADLINE_S = 5.0


@dataclass(slots=True)
class HttpBackend:
    """One server; `listener` is None while it is dead, and connections to it are refused."""

    name: str
    address: str
    port: int = 0
    listener: trio.SocketListener | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class HttpBackends:
    """All of them, on one port, which is the first one free on every address."""

    def __init__(self, addresses: Sequence[tuple[str, str]]) -> None:
        self.by_name = {name: HttpBackend(name, str(ip_address(address))) for name, address in addresses}
        self.port = 0
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._take_port()
            for backend in self.by_name.values():
                await self._listen(backend)
            task_status.started()
            await trio.sleep_forever()

    async def kill(self, name: str) -> None:
        """Close the listener and every connection, as a crash would."""
        backend = self.by_name[name]
        backend.scope.cancel()
        while backend.listener is not None:
            await trio.lowlevel.checkpoint()

    async def revive(self, name: str) -> None:
        """Listen again on the same address and port."""
        await self._listen(self.by_name[name])

    def _take_port(self) -> None:
        addresses = [backend.address for backend in self.by_name.values()]
        for _ in range(16):
            with _bound(addresses[0], 0) as first:
                port = int(first.getsockname()[1])
                try:
                    for address in addresses[1:]:
                        _bound(address, port).close()
                except OSError:
                    continue
            self.port = port
            return
        raise OSError(f"no port is free on all of {', '.join(addresses)}")

    async def _listen(self, backend: HttpBackend) -> None:
        if self._nursery is None:
            raise RuntimeError("run() comes first")
        await self._nursery.start(self._serve, backend, name=f"backend {backend.name}")

    async def _serve(self, backend: HttpBackend, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        sock = trio.socket.from_stdlib_socket(_bound(backend.address, self.port))
        sock.listen(64)
        backend.listener = trio.SocketListener(sock)
        backend.scope = trio.CancelScope()
        try:
            with backend.scope:
                await trio.serve_listeners(_answer, [backend.listener], task_status=_Ready(task_status))
        finally:
            sock.close()
            backend.listener = None


class _Ready:
    """serve_listeners reports its listeners; our parent only wants to know that they are there."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status = task_status

    def started(self, _listeners: object = None) -> None:
        self._task_status.started()


async def _answer(stream: trio.SocketStream) -> None:
    """One request, one answer; a client that breaks off or says nothing is dropped."""
    request = b""
    with trio.move_on_after(REQUEST_DEADLINE_S):
        try:
            while b"\r\n\r\n" not in request and len(request) < MAX_REQUEST:
                chunk = await stream.receive_some(MAX_REQUEST)
                if not chunk:
                    return
                request += chunk
            await stream.send_all(RESPONSE)
        except trio.BrokenResourceError:
            return


def _bound(address: str, port: int) -> socket.socket:
    """A bound socket; the kernel serves an IPv4-mapped address from an IPv6 socket."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock
