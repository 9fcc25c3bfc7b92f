"""Those who asked for a sync of VPP's table and wait for its end; decides nothing and writes nothing."""

import enum
from dataclasses import dataclass

import trio

from maglev.errors import Overloaded, Unavailable

WAITING = 256  # an impatient caller leaves its wait behind for as long as maglevd waits


@dataclass(frozen=True, slots=True)
class Synced:
    """VPP's table was read at `audited_at_ns` (unix nanoseconds); `operations` after that began nothing was left to do.

    `refused_vips` are not as they should be, as VPP refuses it.
    """

    audited_at_ns: int
    operations: int
    refused_vips: int


class _Stage(enum.Enum):
    ASKED = 0
    READING = 1
    WRITING = 2


class _Sync:
    def __init__(self) -> None:
        self.stage = _Stage.ASKED
        self.audited_at_ns = 0
        self.acknowledged = 0  # operations of the session when the reading began
        self.end: Synced | Unavailable | None = None
        self.ended = trio.Event()


class Syncs:
    """All who wait. The reconciler says what it has come to, in this order, over and over."""

    def __init__(self) -> None:
        self._waiting: list[_Sync] = []

    async def wait(self) -> Synced:
        """Wait for the end of a sync whose reading of the table is yet to begin. Raises Unavailable, Overloaded."""
        if len(self._waiting) >= WAITING:
            raise Overloaded(f"{len(self._waiting)} wait for a sync already", hint="it is done all the same; ask less")
        sync = _Sync()
        self._waiting.append(sync)
        try:
            await sync.ended.wait()
        finally:
            if sync in self._waiting:
                self._waiting.remove(sync)
        if isinstance(sync.end, Synced):
            return sync.end
        raise sync.end or Unavailable("the sync came to nothing")

    def audit_begins(self, acknowledged: int) -> None:
        """The table is read for all who have asked by now; VPP has acknowledged so many operations in this session."""
        for sync in self._waiting:
            if sync.stage is _Stage.ASKED:
                sync.stage, sync.acknowledged = _Stage.READING, acknowledged

    def audited(self, at_ns: int) -> None:
        """The table was read."""
        for sync in self._waiting:
            if sync.stage is _Stage.READING:
                sync.stage, sync.audited_at_ns = _Stage.WRITING, at_ns

    def nothing_left(self, acknowledged: int, refused_vips: int) -> None:
        """All that can be written is, and no answer is in doubt."""
        for sync in [each for each in self._waiting if each.stage is _Stage.WRITING]:
            self._end(sync, Synced(sync.audited_at_ns, acknowledged - sync.acknowledged, refused_vips))

    def session_ended(self) -> None:
        """VPP is gone."""
        for sync in list(self._waiting):
            self._end(sync, Unavailable("VPP was lost meanwhile", hint="maglevd syncs by itself once it is back"))

    def _end(self, sync: _Sync, end: Synced | Unavailable) -> None:
        self._waiting.remove(sync)
        sync.end = end
        sync.ended.set()
