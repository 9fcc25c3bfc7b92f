"""A VPP of our own for each measurement: the embedded one, or the real one whose binary MAGLEV_VPP names (as root)."""

import os
import select
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from maglev.core.events import Event
from maglev.core.plan import Op
from maglev.vpp.framing import Splitter, framed
from maglev.vpp.handshake import SOCKCLNT_CREATE
from maglev.vpp.session import Session, connect
from maglev.vpp.transport import Call
from maglev.vpp.wire import Bootstrap
from tests import real_vpp
from tests.processes import Process
from tests.real_vpp import Sockets

FOUND = real_vpp.find(os.environ)
KIND = "VPP" if isinstance(FOUND, real_vpp.Binary) else "embedded VPP"
"""What is measured against."""


@contextmanager
def vpp() -> Iterator[Sockets]:
    """A new one, with an empty table."""
    directory = Path(tempfile.mkdtemp(prefix="maglev-bench-"))
    one = real_vpp.started(FOUND, directory) if isinstance(FOUND, real_vpp.Binary) else _embedded(directory)
    try:
        with one as sockets:
            yield sockets
    finally:
        shutil.rmtree(directory)


@contextmanager
def _embedded(directory: Path) -> Iterator[Sockets]:
    sockets = Sockets(str(directory / "api.sock"), str(directory / "stats.sock"))
    process = Process(
        "maglev.emulator", ["--api-socket", sockets.api, "--stats-socket", sockets.stats], directory / "log"
    )
    try:
        process.until_says("API at")
        yield sockets
    finally:
        process.stop()


def nobody(_: Event) -> None:
    """Listens to no event."""


@asynccontextmanager
async def session(vpp: Sockets) -> AsyncIterator[Session]:
    """A session with it."""
    async with connect(vpp.api, vpp.stats, nobody, clock_ns=time.time_ns, deadline_s=30) as connected:
        yield connected


class Blast:
    """The floor: `ops` packed beforehand, sent without a look at any answer; a plain socket takes the answers."""

    def __init__(self, vpp: Sockets, connected: Session, ops: Sequence[Op]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(vpp.api)
        bootstrap, splitter = Bootstrap(), Splitter()
        create = SOCKCLNT_CREATE.to_bytes(2, "big") + bytes(4) + bootstrap.create(b"blast")
        self._socket.sendall(framed(create))
        while not (greeting := splitter.feed(self._socket.recv(1 << 16))):
            pass
        _, client_index, _ = bootstrap.create_reply(greeting[0])
        ids, records = connected.transport._ids, connected.table._records
        frames = []
        for context, op in enumerate(ops):
            call = records.op(op)
            assert isinstance(call, Call)
            head = ids[call.message].to_bytes(2, "big") + client_index.to_bytes(4, "big") + context.to_bytes(4, "big")
            frames.append(framed(head + call.body))
        self._octets = b"".join(frames)
        self._expected = len(ops) * (16 + 10)  # a frame's header, and a reply that is nothing but a retval

    def run(self) -> float:
        """Seconds from the first byte sent to the last one received; both ways by turns, whichever is ready."""
        left, missing = memoryview(self._octets), self._expected
        self._socket.setblocking(False)
        answers = bytearray()
        began = time.perf_counter()
        while missing:
            readable, writable, _ = select.select([self._socket], [self._socket] if left else [], [])
            if writable:
                left = left[self._socket.send(left[: 1 << 16]) :]
            if readable:
                chunk = self._socket.recv(1 << 16)
                assert chunk, "VPP hung up"
                answers += chunk
                missing -= len(chunk)
        took = time.perf_counter() - began
        retvals = {bytes(answers[at + 22 : at + 26]) for at in range(0, len(answers), 26)}
        assert retvals == {bytes(4)}, "VPP refused something"
        self._socket.close()
        return took
