"""The keys of one section, read one by one; faults are noted with their path and line, and reading goes on.

A section left empty counts as one without keys. Must not know which sections there are.
"""

from collections.abc import Collection, Iterator
from typing import TypeVar

from maglev.config.document import Entry, Mapping, Node, Scalar, Sequence
from maglev.config.faults import Faults, Place, Segment, quoted
from maglev.config.values import Reader, Wrong, describe

T = TypeVar("T")


class Fields:
    """One mapping at `place`, which is where its key stands.

    With `known`, every other key is a fault; without, the keys are names that the user made up. Where a section around
    it could not be read, nothing is missing here.
    """

    def __init__(
        self, node: Node, place: Place, faults: Faults, known: tuple[str, ...] | None, *, is_readable: bool = True
    ) -> None:
        self.place = place
        self._faults = faults
        self._entries: dict[str, Entry] = {}
        self._is_readable = is_readable
        match node:
            case Mapping(entries):
                self._entries = entries
            case Scalar() if node.is_null:
                pass
            case _:
                self._is_readable = False
                faults.add(place, f"expected a mapping, written `key: value`, seen {describe(node)}")
        if known is None:
            return
        for key in self._entries:
            if key not in known:
                self.fault(key, f"unknown key; known are {', '.join(known)}{faults.suggestion(key, known)}")

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def place_of(self, key: str) -> Place:
        """Where the value of `key` stands; the section itself when the key is missing."""
        entry = self._entries.get(key)
        segments = (*self.place.segments, key)
        if entry is None:
            return Place(segments, self.place.line, self.place.column)
        return Place(segments, entry.line, entry.column)

    def fault(self, key: str, message: str) -> None:
        """Note that something is wrong with `key`, present or not."""
        self._faults.add(self.place_of(key), message)

    def fault_missing(self, key: str, remedy: str) -> None:
        """Note that `key` is missing; where the section is no mapping at all, that was noted, and is enough."""
        if self._is_readable:
            self.fault(key, f"missing: add {remedy}")

    def fault_unknown(self, key: str, kind: str, name: str, names: Collection[str], section: str) -> None:
        """Note that `key` refers to a `kind` of thing whose name is not among `names`, those of `section`."""
        remedy = self._faults.suggestion(name, names) or f": add it to maglev.{section}, or use a name from there"
        self.fault(key, f"there is no {kind} {quoted(name)}{remedy}")

    def find(self, key: str, read: Reader[T]) -> T | None:
        """The value of `key`; None when it is missing, or wrong, which is noted."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        try:
            return read(entry.value)
        except Wrong as wrong:
            self.fault(key, str(wrong))
            return None

    def get(self, key: str, read: Reader[T], default: T) -> T:
        """The value of `key`, or `default` when it is missing or wrong."""
        value = self.find(key, read)
        return default if value is None else value

    def need(self, key: str, read: Reader[T], example: str) -> T | None:
        """The value of `key`; None when it is missing or wrong, both of which are noted."""
        if key not in self._entries:
            self.fault_missing(key, f"`{key}: {example}`")
            return None
        return self.find(key, read)

    def section(self, key: str, known: tuple[str, ...] | None) -> "Fields":
        """The mapping under `key`; an empty one when it is missing."""
        entry = self._entries.get(key)
        node = entry.value if entry else Mapping({}, self.place.line, self.place.column)
        return Fields(node, self.place_of(key), self._faults, known, is_readable=self._is_readable)

    def named(self) -> Iterator[str]:
        """The keys, in the order of the file."""
        return iter(self._entries)

    def need_list(self, key: str, known: tuple[str, ...]) -> list["Fields"]:
        """The mappings of the list under `key`; notes it when there are none."""
        entry = self._entries.get(key)
        match entry.value if entry else None:
            case Sequence(items) if items:
                return [Fields(n, self._item(key, i, n), self._faults, known) for i, n in enumerate(items)]
            case None:
                self.fault_missing(key, "a list of at least one item, each beginning with `- `")
            case node:
                expected = "a list of at least one item, each beginning with `- `"
                self.fault(key, f"expected {expected}, seen {describe(node)}")
        return []

    def _item(self, key: str, index: int, node: Node) -> Place:
        segments: tuple[Segment, ...] = (*self.place.segments, key, index)
        return Place(segments, node.line, node.column)
