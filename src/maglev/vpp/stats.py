"""VPP's counters as Figures: receives the segment's descriptor and drives the compiled reader; never talks to the API.

The only module that touches `maglev._statseg`.
"""

import os
import socket
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from maglev._statseg import Corrupt, Counter, Gone, Raced, Segment
from maglev.core.counters import Figures, Indexes
from maglev.errors import ProtocolError, Unavailable

BOOTTIME = "/sys/boottime"
HEARTBEAT = "/sys/heartbeat"
LB_COUNTERS = (
    "packet from existing sessions",
    "first session packet",
    "untracked packet",
    "no server configured",
)
"""Of VPP's lb plugin: simple, by VIP pool index; some versions spell them with a leading slash."""
UNMATCHED = 0
"""The pool index of no VIP, where VPP counts what came to the address of a VIP on a port that has none."""
ROUTE_TO = "/net/route/to"
ROUTE_VIA = "/net/route/via"
"""Of VPP's FIB: combined, by load-balance index; what was routed to a prefix, and what its load-balance sent on."""

_MAX_FDS = 4


class Stats:
    """One mapped segment. It stays readable when the VPP that wrote it is gone, which only the session can tell.

    All calls raise Unavailable when the segment cannot be read now, ProtocolError when it makes no sense.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._buffers = _Buffers(Indexes({}, {}, {}))
        self._boottime = Counter(BOOTTIME)
        self._heartbeat = Counter(HEARTBEAT)

    @property
    def boottime_ns(self) -> int:
        """When this VPP started, in unix nanoseconds (VPP keeps whole seconds); 0 for its first moments."""
        with _named_errors():
            return self._segment.scalar(self._boottime) * 1_000_000_000

    @property
    def heartbeat(self) -> int:
        """How often this VPP has updated its segment: it does so at an interval of its own for as long as it lives."""
        with _named_errors():
            return self._segment.scalar(self._heartbeat)

    def read(self, indexes: Indexes, now_ns: int) -> Figures:
        """Read all counters at `indexes` under one epoch; a counter that is not there yet is zero."""
        if self._buffers.indexes is not indexes:
            self._buffers = _Buffers(indexes)
        with _named_errors():
            self._segment.sum(self._buffers.requests)
        return self._buffers.as_figures(now_ns, self.boottime_ns)

    def close(self) -> None:
        """Unmap; closing twice is fine."""
        self._segment.close()


class _Buffers:
    """What the reader takes and fills for one set of indexes, used again for every reading by it."""

    def __init__(self, indexes: Indexes) -> None:
        self.indexes = indexes
        self._routes = len(indexes.routes)
        vips = array("Q", [UNMATCHED, *indexes.vips.values()])
        backends = array("Q", indexes.backends.values())
        to = array("Q", indexes.routes.values()) + backends
        self._lb = [array("Q", bytes(8 * len(vips))) for _ in LB_COUNTERS]
        self._to = array("Q", bytes(16 * len(to)))
        self._via = array("Q", bytes(16 * len(backends)))
        self.requests = [(Counter(name), vips, out) for name, out in zip(LB_COUNTERS, self._lb, strict=True)]
        self.requests += [(Counter(ROUTE_TO), to, self._to), (Counter(ROUTE_VIA), backends, self._via)]

    def as_figures(self, now_ns: int, boottime_ns: int) -> Figures:
        """Copies, as what is filled will be filled again."""
        packets, octets = self._to[::2], self._to[1::2]
        return Figures(
            taken_at_ns=now_ns,
            boottime_ns=boottime_ns,
            indexes=self.indexes,
            vips=tuple(column[1:] for column in self._lb),
            routes=(packets[: self._routes], octets[: self._routes]),
            backends=(self._via[::2], self._via[1::2], packets[self._routes :], octets[self._routes :]),
            unmatched_packets=sum(column[0] for column in self._lb),
        )


async def open_stats(path: str) -> Stats:
    """Connect to VPP's stats socket and map the segment it hands over. The deadline is the caller's.

    Raises Unavailable when nothing answers there, ProtocolError when what comes is no stats segment.
    """
    fd = await _receive_fd(path)
    try:
        with _named_errors():
            return Stats(Segment(fd))
    except OSError as error:
        raise ProtocolError("what VPP handed over cannot be mapped", path=path, error=error) from error
    finally:
        os.close(fd)


async def _receive_fd(path: str) -> int:
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            await connection.connect(path)
            # VPP's message has no bytes, only the descriptor: the length read says nothing.
            _, ancillary, _, _ = await connection.recvmsg(
                1, socket.CMSG_SPACE(_MAX_FDS * array("i").itemsize), socket.MSG_CMSG_CLOEXEC
            )
        except OSError as error:
            raise Unavailable(
                "cannot reach VPP's stats socket",
                path=path,
                error=error.strerror or error,
                hint="is VPP running, with this socket in its `statseg` section, and may we open it (group vpp)?",
            ) from error
    fds = array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    for fd in fds[1:]:
        os.close(fd)
    if not fds:
        raise ProtocolError("the stats socket handed over no descriptor", path=path, hint="is this VPP's stats socket?")
    return fds[0]


@contextmanager
def _named_errors() -> Iterator[None]:
    """What the reader raises, in the families of this project."""
    try:
        yield
    except Raced as error:
        raise Unavailable("VPP's stats segment was never at rest", seen=error, hint="it will be read again") from error
    except Gone as error:
        raise Unavailable("VPP's stats segment is gone", seen=error, hint="connect again") from error
    except Corrupt as error:
        hint = "is this a VPP that we know? connect again"
        raise ProtocolError("VPP's stats segment makes no sense", seen=error, hint=hint) from error
    except KeyError as error:
        raise ProtocolError("VPP's stats segment lacks a scalar", name=error.args[0]) from error
    except ValueError as error:
        raise ProtocolError("a counter of VPP is of an unexpected type", seen=error) from error
