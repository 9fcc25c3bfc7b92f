"""The latest messages of one kind, and readers that have a place in several such rings; must not know what they say."""

from collections.abc import Iterator, Sequence

from maglev.rpc import happenings


class Ring:
    """Keeps the latest `bound` messages, each with its number among all that happened."""

    def __init__(self, bound: int, *, is_log: bool) -> None:
        self.is_log = is_log
        self.end = 0  # the place of the next message
        self._bound = bound
        self._kept: dict[int, tuple[int, bytes]] = {}

    @property
    def begin(self) -> int:
        """The place of the oldest message that is kept."""
        return self.end - len(self._kept)

    def add(self, number: int, message: bytes) -> None:
        """The next message, which is of the happening with that number."""
        self._kept[self.end] = number, message
        self._kept.pop(self.end - self._bound, None)
        self.end += 1

    def at(self, place: int) -> tuple[int, bytes]:
        """The happening's number and the message at a place from `begin` to before `end`."""
        return self._kept[place]

    def lose(self, count: int) -> None:
        """All that is kept, and so many more that never came here."""
        self._kept.clear()
        self.end += count


class Reader(Iterator[bytes]):
    """Reads several rings from their ends of now on, in the order of what happened; stops where there is no more yet.

    What a ring of the log has dropped is skipped, with a message that says so. Where a ring of states has dropped
    something, `has_lost_states`, and there is no way on.
    """

    def __init__(self, rings: Sequence[Ring]) -> None:
        self._rings = rings
        self.begun = [ring.end for ring in rings]
        self._places = list(self.begun)

    @property
    def has_lost_states(self) -> bool:
        """Whether it has to begin again."""
        return any(place < ring.begin for ring, place in zip(self._rings, self._places, strict=True) if not ring.is_log)

    @property
    def is_at_the_end(self) -> bool:
        """Whether there is nothing to read."""
        return all(place == ring.end for ring, place in zip(self._rings, self._places, strict=True))

    def lost_until(self, later: "Reader") -> int:
        """How many messages it did not read that lie before the beginning of another reader of the same rings."""
        return sum(later.begun) - sum(self._places)

    def __next__(self) -> bytes:
        """The next message. Raises StopIteration."""
        if self.has_lost_states:
            raise StopIteration
        nearest: tuple[int, int, bytes] | None = None
        for which, ring in enumerate(self._rings):
            place = self._places[which]
            if place < ring.begin:
                self._places[which] = ring.begin
                return happenings.resync(ring.begin - place, log_only=True)
            if place < ring.end:
                number, message = ring.at(place)
                if nearest is None or number < nearest[0]:
                    nearest = number, which, message
        if nearest is None:
            raise StopIteration
        self._places[nearest[1]] += 1
        return nearest[2]
