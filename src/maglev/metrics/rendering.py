"""Makes pages for all who ask, one at a time and in short turns; must not know what is on them.

Rendering and probing share the GIL, and a probe gives it up at each system call: whoever then holds it for long makes
the probe late. So after each turn of a millisecond rendering rests for as long as the turn held the GIL; packing does
without it, and counts as rest. Those who ask for the same page while it is being made share it.
"""

import asyncio
import time
import zlib
from collections.abc import Sequence

from maglev.metrics.exposition import Block, Made, Page
from maglev.metrics.negotiation import Form

_TURN_S = 0.001
_ROUNDED_UP_S = 0.0005  # asyncio sleeps whole milliseconds: a rest of 1.05 would be one of 2
_GZIP_HEAD = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255])  # RFC 1952: deflate, no name, no time, fastest, any system
_GZIP_LAST = bytes([3, 0])  # RFC 1951: a last block without anything in it


class Rendering:
    """Renders one page on a running asyncio loop."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._turn = asyncio.Lock()
        self._under_way: dict[Form, asyncio.Task[Sequence[bytes]]] = {}

    async def body(self, form: Form) -> Sequence[bytes]:
        """The page in pieces, no older than this call but for the time that it takes to make."""
        task = self._under_way.get(form)
        if task is None:
            task = asyncio.create_task(self._render(form), name="metrics page")
            self._under_way[form] = task
            task.add_done_callback(lambda _: self._under_way.pop(form))
        return await asyncio.shield(task)  # who leaves does not take it away from the others

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _render(self, form: Form) -> Sequence[bytes]:
        asked_s = time.perf_counter()
        async with self._turn:
            body = _Gzip() if form.is_gzip else _Plain()
            turn = _Turn()
            for block in self._page.blocks(is_openmetrics=form.is_openmetrics):
                turn.free_s += body.add(block)
                await turn.rest_if_it_is_over()
            pieces = body.end()
            cpu_s = turn.end()
        self._page.told(Made(form, time.perf_counter() - asked_s, cpu_s, sum(map(len, pieces))))
        return pieces


class _Turn:
    """Some work under the GIL, and in it `free_s` without."""

    def __init__(self) -> None:
        self.free_s = 0.0
        self._cpu_s = 0.0
        self._begin()

    async def rest_if_it_is_over(self) -> None:
        held_s = time.perf_counter() - self._began_s - self.free_s
        if held_s >= _TURN_S:
            self._cpu_s += time.thread_time() - self._cpu_began_s
            await asyncio.sleep(max(held_s - self.free_s - _ROUNDED_UP_S, 0.0))
            self._begin()

    def end(self) -> float:
        """CPU seconds of all turns."""
        return self._cpu_s + time.thread_time() - self._cpu_began_s

    def _begin(self) -> None:
        self.free_s = 0.0
        self._cpu_began_s = time.thread_time()
        self._began_s = time.perf_counter()


class _Plain:
    """The blocks' text."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def add(self, block: Block) -> float:
        """Returns the seconds for which the GIL was free."""
        self._pieces.append(block.text)
        return 0.0

    def end(self) -> Sequence[bytes]:
        return self._pieces


class _Gzip:
    """One gzip member made of the blocks' own pieces: members of their own would be shorter here, but not all read on.

    Only the checksum is of the whole, and costs half a millisecond per megabyte.
    """

    def __init__(self) -> None:
        self._pieces = [_GZIP_HEAD]
        self._crc = 0
        self._size = 0

    def add(self, block: Block) -> float:
        """Returns the seconds for which the GIL was free."""
        began_s = time.perf_counter()
        self._pieces.append(block.deflated)
        self._crc = zlib.crc32(block.text, self._crc)
        self._size += len(block.text)
        return time.perf_counter() - began_s

    def end(self) -> Sequence[bytes]:
        tail = self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        return [*self._pieces, _GZIP_LAST + tail]
