"""Those who asked for a sync of VPP's table and wait for its end; decides nothing and writes nothing."""

import enum
from dataclasses import dataclass

import trio

from maglev.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Synced:
    """VPP's table was read at `audited_at_ns` (unix nanoseconds), and `operations` later nothing was left to do.

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
        self.acknowledged = 0  # operations of the session when the table had been read
        self.end: Synced | Unavailable | None = None
        self.ended = trio.Event()


class Syncs:
    """All who wait. The reconciler says what it has come to, in this order, over and over."""

    def __init__(self) -> None:
        self._waiting: list[_Sync] = []

    async def wait(self) -> Synced:
        """Wait for the end of a sync whose reading of the table is yet to begin. Raises Unavailable."""
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

    def audit_begins(self) -> None:
        """The table is about to be read, for all who have asked by now."""
        for sync in self._waiting:
            if sync.stage is _Stage.ASKED:
                sync.stage = _Stage.READING

    def audited(self, at_ns: int, acknowledged: int) -> None:
        """The table was read, when VPP had acknowledged so many operations in this session."""
        for sync in self._waiting:
            if sync.stage is _Stage.READING:
                sync.stage, sync.audited_at_ns, sync.acknowledged = _Stage.WRITING, at_ns, acknowledged

    def nothing_left(self, acknowledged: int, refused_vips: int) -> None:
        """All that can be written is."""
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
