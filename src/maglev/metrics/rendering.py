"""Makes pages for all who ask, one at a time and in short turns; must not know what is on them.

Rendering and probing share the GIL, and a probe gives it up at each system call: whoever then holds it for long makes
the probe late. So after each turn of a millisecond rendering rests for as long as the turn took, and those who ask
for the same page while it is being made share it.
"""

import asyncio
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from maglev.metrics.exposition import Page

_TURN_S = 0.001


@dataclass(frozen=True, slots=True)
class Form:
    """How a page is wanted."""

    is_openmetrics: bool
    is_gzip: bool


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
        async with self._turn:
            packer = zlib.compressobj(level=1, wbits=31) if form.is_gzip else None
            body = []
            began = time.perf_counter()
            for piece in self._page.pieces(is_openmetrics=form.is_openmetrics):
                body.append(packer.compress(piece) if packer else piece)
                spent_s = time.perf_counter() - began
                if spent_s >= _TURN_S:
                    await asyncio.sleep(spent_s)
                    began = time.perf_counter()
            if packer:
                body.append(packer.flush())
            return body
