"""A latest-value cell: one writer, many watchers, nothing queued; a watcher that was late sees only the newest."""

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Cell(Generic[T]):
    """Holds one frozen value. `value` may be read from any thread; `set` and `changed` belong to the trio thread."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._changed = trio.Event()

    def set(self, value: T) -> None:
        """Replace the value and wake every watcher that holds another one."""
        self.value = value
        self._changed.set()
        self._changed = trio.Event()

    async def changed(self, since: T) -> T:
        """Wait until the value is another object than `since`, and return it; at once if it is already."""
        while self.value is since:
            await self._changed.wait()
        return self.value
