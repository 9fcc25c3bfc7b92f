"""What VPP's threads keep of flows: a sticky table each; must not know what is done with a packet.

Thread 0 is VPP's main thread, which sees packets only if there are no workers.
"""

from collections.abc import Iterator

from maglev.emulator.sticky import StickyTable

# VPP adds this to its uptime so that a table full of zeros is a table of expired slots.
_TIME_OFFSET_S = 10_000


class Workers:
    """The sticky tables of `count` workers, or of the main thread. A table appears with its thread's first packet."""

    def __init__(self, count: int, buckets: int, flow_timeout_s: int) -> None:
        self.threads = count + 1
        self.buckets = buckets
        self.flow_timeout_s = flow_timeout_s
        self._tables: list[StickyTable | None] = [None] * self.threads

    @property
    def serving(self) -> range:
        """The threads that see packets."""
        return range(1, self.threads) if self.threads > 1 else range(1)

    def table(self, thread: int) -> StickyTable:
        """The thread's table; an empty one if the number of buckets has changed since its last packet."""
        found = self._tables[thread]
        if found is None or found.buckets != self.buckets:
            found = self._tables[thread] = StickyTable(self.buckets)
        return found

    def tables(self) -> Iterator[tuple[int, StickyTable]]:
        """The tables there are, with their threads."""
        return ((thread, table) for thread, table in enumerate(self._tables) if table is not None)

    def flows(self, as_index: int) -> int:
        """How many slots refer to this AS, expired ones too."""
        return sum(table.references(as_index) for _, table in self.tables())

    def flush(self, vip_index: int, as_index: int | None = None) -> None:
        """Forget a VIP's flows, or only those to one of its ASes."""
        for _, table in self.tables():
            table.flush(vip_index, as_index)


def sticky_time(uptime_s: float) -> int:
    """The second in which a sticky table believes it is."""
    return int(uptime_s + _TIME_OFFSET_S)
