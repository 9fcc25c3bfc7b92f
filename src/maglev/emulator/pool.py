"""VPP's pool: items under small indexes, a freed index is the next to be used; must not know what it holds."""

from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Iterates over its items in the order of their indexes, as VPP's `pool_foreach` does."""

    def __init__(self) -> None:
        self._slots: list[Item | None] = []
        self._free: list[int] = []

    def put(self, item: Item) -> int:
        """Store `item` under the index freed last, or else a new one."""
        if self._free:
            index = self._free.pop()
            self._slots[index] = item
            return index
        self._slots.append(item)
        return len(self._slots) - 1

    def free(self, index: int) -> None:
        """Give the index back. Raises IndexError when nothing is stored there."""
        self[index]
        self._slots[index] = None
        self._free.append(index)

    def __getitem__(self, index: int) -> Item:
        item = self._slots[index] if 0 <= index < len(self._slots) else None
        if item is None:
            raise IndexError(f"pool index {index} is free")
        return item

    def __contains__(self, index: int) -> bool:
        return 0 <= index < len(self._slots) and self._slots[index] is not None

    def __iter__(self) -> Iterator[Item]:
        return (item for item in self._slots if item is not None)

    def items(self) -> Iterator[tuple[int, Item]]:
        """Indexes and items."""
        return ((index, item) for index, item in enumerate(self._slots) if item is not None)

    def __len__(self) -> int:
        return len(self._slots) - len(self._free)
