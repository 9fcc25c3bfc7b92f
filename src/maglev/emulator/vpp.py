"""One embedded VPP put together: clock, workers, FIB, lb plugin, forwarding, counters; must not know of sockets."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from maglev.emulator.fib import Fib
from maglev.emulator.forwarding import Forwarding
from maglev.emulator.lb import Lb
from maglev.emulator.listing import Version
from maglev.emulator.segment import SegmentWriter
from maglev.emulator.workers import Workers

# The VPP whose behaviour this is: FDio/vpp b575ec2c56d.
VERSION = Version("vpe", "26.10-maglev-emulator", "2026-08-21T00:00:00", "maglev.emulator")
STICKY_BUCKETS, FLOW_TIMEOUT_S = 1024, 40
WORKERS_MAX = 64

_SEGMENT_BYTES = 32 << 20
_BYTES_PER_ROUTE_AND_THREAD = 2 * 16


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one life of VPP from another: its pid, and when it started in unix seconds."""

    pid: int
    boottime_s: float


class Vpp:
    """The engine behind the sockets; all of it may be driven directly. `uptime_s` tells the seconds since start."""

    def __init__(
        self,
        uptime_s: Callable[[], float],
        *,
        boottime_s: float,
        workers: int = 1,
        routes: int = 0,
        pid: int | None = None,
    ) -> None:
        if not 0 <= workers <= WORKERS_MAX:
            raise ValueError(f"{workers} workers: 0 to {WORKERS_MAX} are possible")
        self.identity = Identity(os.getpid() if pid is None else pid, boottime_s)
        self.uptime_s = uptime_s
        self.workers = Workers(workers, STICKY_BUCKETS, FLOW_TIMEOUT_S)
        threads = self.workers.threads
        # Twice, because a vector that grows needs its old place until it has moved.
        self.segment = SegmentWriter(_SEGMENT_BYTES + 2 * routes * threads * _BYTES_PER_ROUTE_AND_THREAD)
        self.segment.set_scalar("/sys/heartbeat", 0)
        self.segment.set_scalar("/sys/last_stats_clear", 0)
        self.segment.set_scalar("/sys/boottime", boottime_s)
        self.segment.set_gauge("/sys/num_worker_threads", workers)
        self.segment.set_scalar("/sys/last_update", 0)
        self.fib = Fib(self.segment, threads, routes)
        self.lb = Lb(self.segment, self.fib, self.workers, uptime_s)
        self.forwarding = Forwarding(self.fib, self.lb, self.workers, uptime_s)
        self._heartbeats = 0

    def beat(self) -> None:
        """What VPP does to its segment every update interval."""
        self._heartbeats += 1
        self.segment.set_scalar("/sys/heartbeat", self._heartbeats)
        self.segment.set_scalar("/sys/last_update", self.uptime_s())

    def close(self) -> None:
        """Let go of the segment; readers keep their maps."""
        self.segment.close()
