"""A frozen mapping that is cheap to change one value of, and to compare with an older one; knows nothing of its values.

The keys are fixed and in order. Values lie in chunks that a changed copy shares with its original, so that `replaced`
costs a chunk and not the whole, and `changed` looks only into the chunks that are not shared.
"""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from itertools import chain
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

CHUNK = 128
"""About the square root of the largest mappings: as many values to copy as chunks."""


class Snapshot(Mapping[K, V]):
    """Made of any mapping once; then each `replaced` gives a new one. Safe to read from any thread.

    `order` are the keys and `chunks` their values, neither ever changed.
    """

    __slots__ = ("_places", "chunks", "order")

    def __init__(self, values: Mapping[K, V]) -> None:
        every = tuple(values.values())
        self.order = tuple(values)
        self._places = {key: place for place, key in enumerate(self.order)}
        self.chunks = tuple(every[start : start + CHUNK] for start in range(0, len(every), CHUNK))

    def __getitem__(self, key: K) -> V:
        place = self._places[key]
        return self.chunks[place // CHUNK][place % CHUNK]

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[K]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)

    def __repr__(self) -> str:
        return f"Snapshot({dict(self)!r})"

    def values(self) -> ValuesView[V]:
        """The values in the order of the keys."""
        return _Values(self)

    def items(self) -> ItemsView[K, V]:
        """Keys and values in the order of the keys."""
        return _Items(self)

    def in_order(self) -> Iterator[V]:
        """The values in the order of the keys, without looking each up."""
        return chain.from_iterable(self.chunks)

    def replaced(self, changes: Mapping[K, V]) -> "Snapshot[K, V]":
        """A copy with other values for some of the keys. Raises KeyError for a key that is not there."""
        opened: dict[int, list[V]] = {}
        for key, value in changes.items():
            number, place = divmod(self._places[key], CHUNK)
            if number not in opened:
                opened[number] = list(self.chunks[number])
            opened[number][place] = value
        chunks = list(self.chunks)
        for number, values in opened.items():
            chunks[number] = tuple(values)
        copy: Snapshot[K, V] = Snapshot.__new__(Snapshot)
        copy.order, copy._places, copy.chunks = self.order, self._places, tuple(chunks)
        return copy


def changed(new: Mapping[K, V], old: Mapping[K, V]) -> dict[K, V]:
    """The values of `new` that are other objects than in `old`, those of new keys too, in order; not what has gone.

    Cheap for two snapshots that came of one by `replaced`, whatever the number of steps; else all values are looked at.
    """
    if not isinstance(new, Snapshot) or not isinstance(old, Snapshot) or new.order is not old.order:
        return {key: value for key, value in new.items() if key not in old or old[key] is not value}
    return {
        new.order[number * CHUNK + place]: value
        for number, (mine, theirs) in enumerate(zip(new.chunks, old.chunks, strict=True))
        if mine is not theirs
        for place, (value, before) in enumerate(zip(mine, theirs, strict=True))
        if value is not before
    }


class _Values(ValuesView[V]):
    _mapping: Snapshot[object, V]

    def __iter__(self) -> Iterator[V]:
        return self._mapping.in_order()


class _Items(ItemsView[K, V]):
    _mapping: Snapshot[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return zip(self._mapping, self._mapping.in_order(), strict=True)
