"""The cell of VPP's counter indexes, and who may use them when; must not know why anything is written.

An index is withdrawn before what may move it is sent, and told again by the next audit. All others stay: VPP moves no
pool slot and no load-balance index but of what comes or goes (core.counters.Moved).
"""

from dataclasses import replace

from maglev.control.cell import Cell
from maglev.core.counters import Indexes, Moved


class Indexing:
    """The only writer of `indexes`, which is None without a session, and when VPP's listing could not be read."""

    def __init__(self) -> None:
        self.indexes: Cell[Indexes | None] = Cell(None)
        self._audited: Indexes | None = None
        self._is_short = False  # of something that a write might have moved, and did perhaps not

    def audited(self, indexes: Indexes | None, begun_at_ns: int, moved: Moved) -> None:
        """An audit that began then told `indexes`; what has `moved` since it began is not to be used."""
        self._audited = None if indexes is None else replace(indexes, audited_at_ns=begun_at_ns)
        self._tell(moved)

    def withdraw(self, moving: Moved) -> None:
        """Something is about to be sent. All that is queued at once, as the rest is copied each time."""
        indexes = self.indexes.value
        if indexes is not None and (rest := indexes.without(moving)) is not indexes:
            self._is_short = True
            self.indexes.set(rest)

    def settle(self, moved: Moved) -> None:
        """Nothing is queued any more: what was not done, because VPP refused or nobody wants it now, moved nothing."""
        if self._is_short:
            self._tell(moved)

    def lost(self) -> None:
        """The session is over."""
        self._audited, self._is_short = None, False
        self.indexes.set(None)

    def _tell(self, moved: Moved) -> None:
        self._is_short = False
        new, old = self._audited, self.indexes.value
        if new is not None:
            new = new.without(moved)
            new = new if old is None else new.like(old)
        self.indexes.set(new)
