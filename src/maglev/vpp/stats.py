"""VPP's counters as a Sample: receives the segment's descriptor and drives the compiled reader; never talks to the API.

The only module that touches `maglev._statseg`.
"""

import operator
import os
import socket
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import trio

from maglev._statseg import Corrupt, Counter, Gone, Raced, Segment
from maglev.core.counters import BackendCounters, Indexes, Sample, VipCounters, Volume
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

K = TypeVar("K")


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

    def sample(self, indexes: Indexes, now_ns: int) -> Sample:
        """Read all counters at `indexes` under one epoch; a counter that is not there yet is zero."""
        if self._buffers.indexes is not indexes:
            self._buffers = _Buffers(indexes)
        with _named_errors():
            self._segment.sum(self._buffers.requests)
        return self._buffers.as_sample(now_ns, self.boottime_ns)

    def close(self) -> None:
        """Unmap; closing twice is fine."""
        self._segment.close()


class _Buffers:
    """What the reader takes and fills for one set of indexes, used again for every sample of it."""

    def __init__(self, indexes: Indexes) -> None:
        self.indexes = indexes
        # In the order of the table, which is the quickest to read: neighbours share pages.
        self._vips = _by_index(indexes.vips)
        self._routes = _by_index(indexes.routes)
        self._backends = _by_index(indexes.backends)
        vips = array("Q", [UNMATCHED, *self._vips.values()])
        backends = array("Q", self._backends.values())
        to = array("Q", self._routes.values()) + backends
        self._lb = [array("Q", bytes(8 * len(vips))) for _ in LB_COUNTERS]
        self._to = array("Q", bytes(16 * len(to)))
        self._via = array("Q", bytes(16 * len(backends)))
        self.requests = [(Counter(name), vips, out) for name, out in zip(LB_COUNTERS, self._lb, strict=True)]
        self.requests += [(Counter(ROUTE_TO), to, self._to), (Counter(ROUTE_VIA), backends, self._via)]

    def as_sample(self, now_ns: int, boottime_ns: int) -> Sample:
        to, via = _volumes(self._to), _volumes(self._via)
        routes = dict(zip(self._routes, to, strict=False))  # the backends' part of `to` is behind the routes'
        direct = to[len(routes) :]
        lb = [column[1:] for column in self._lb]  # what nobody serves is ahead of the VIPs
        return Sample(
            taken_at_ns=now_ns,
            boottime_ns=boottime_ns,
            vips={
                key: VipCounters(index, next_, first, untracked, no_server, routes.get(key.prefix))
                for (key, index), next_, first, untracked, no_server in zip(self._vips.items(), *lb, strict=True)
            },
            backends={
                address: BackendCounters(index, forwarded, direct)
                for (address, index), forwarded, direct in zip(self._backends.items(), via, direct, strict=True)
            },
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


def _by_index(places: Mapping[K, int]) -> dict[K, int]:
    return dict(sorted(places.items(), key=operator.itemgetter(1)))


def _volumes(pairs: "array[int]") -> list[Volume]:
    return list(map(Volume, pairs[::2], pairs[1::2]))


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
