"""One worker's table of known flows; must not know of VIPs, backends or packets, only of their numbers.

From VPP src/plugins/lb/lbhash.h: a fixed number of buckets of four slots, each holding hash, VIP, value (AS index, 0 =
no server) and the second it expires in. Nothing is ever removed: a slot is overwritten once it has expired, and only
then the reference it holds on its AS goes. Times are u32 seconds and start at 0, so that a new table is all expired.
"""

from array import array

SLOTS = 4
NOBODY = 0xFFFFFFFF  # the VIP of a flushed slot, which stays taken until it expires


class StickyTable:
    """Costs 64 bytes a bucket, as in VPP."""

    def __init__(self, buckets: int) -> None:
        self.buckets = buckets
        self._mask = buckets - 1
        empty = array("I", [0]) * (buckets * SLOTS)
        self._hashes, self._vips, self._values, self._expires = (array("I", empty) for _ in range(4))
        self._references: dict[int, int] = {}

    def find(self, flow: int, vip: int, now: int, timeout: int) -> tuple[int, int | None]:
        """The value of a live flow (0 = not known), whose time is extended, and the first free slot of its bucket."""
        first = (flow & self._mask) * SLOTS
        free: int | None = None
        for slot in range(first, first + SLOTS):
            if self._expires[slot] <= now:
                if free is None:
                    free = slot
            elif self._hashes[slot] == flow and self._vips[slot] == vip:
                self._expires[slot] = _deadline(now, timeout)
                # VPP looks for a free slot in the whole bucket, and needs it if the value is 0.
                return self._values[slot], free if free is not None else self._free_after(slot, first + SLOTS, now)
        return 0, free

    def put(self, slot: int, flow: int, vip: int, value: int, now: int, timeout: int) -> None:
        """Take a free slot for a flow, moving the reference from the AS it held."""
        self._refer(self._values[slot], -1)
        self._refer(value, 1)
        self._hashes[slot] = flow
        self._vips[slot] = vip
        self._values[slot] = value
        self._expires[slot] = _deadline(now, timeout)

    def references(self, value: int) -> int:
        """How many slots hold this AS, expired ones too."""
        return self._references.get(value, 0)

    def live(self, now: int) -> int:
        """How many slots have not expired."""
        return sum(1 for expires in self._expires if expires >= now)

    def flush(self, vip: int, value: int | None = None) -> None:
        """Forget the flows of a VIP, or only those to one AS; their slots stay taken until they expire."""
        if value is not None and not self.references(value):
            return
        wanted, numbers = (vip, self._vips) if value is None else (value, self._values)
        slot = -1
        while True:
            try:
                slot = numbers.index(wanted, slot + 1)
            except ValueError:
                return
            if self._vips[slot] == vip:
                self._refer(self._values[slot], -1)
                self._vips[slot] = NOBODY
                self._values[slot] = 0

    def _free_after(self, slot: int, end: int, now: int) -> int | None:
        return next((other for other in range(slot + 1, end) if self._expires[other] <= now), None)

    def _refer(self, value: int, change: int) -> None:
        if not value:
            return
        count = self._references.get(value, 0) + change
        if count:
            self._references[value] = count
        else:
            del self._references[value]


def _deadline(now: int, timeout: int) -> int:
    """VPP adds as u32 and compares as i32: a timeout of decades has expired before it begins."""
    deadline = now + timeout & 0xFFFFFFFF
    return deadline if deadline < 1 << 31 else 0
