import asyncio
import gzip
import math
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from maglev.metrics import rendering
from maglev.metrics.exposition import Block, Family, Made, Page
from maglev.metrics.negotiation import Form
from maglev.metrics.rendering import Rendering

TEXT, GZIP = Form(is_openmetrics=False, is_gzip=False), Form(is_openmetrics=False, is_gzip=True)


class Work:
    """A clock, and lines that take time on it to make."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.done: list[str] = []
        self.made: list[Made] = []
        self.page = Page((self.families,), self.made.append)
        times = SimpleNamespace(perf_counter=lambda: self.now_s, thread_time=lambda: self.now_s / 2)
        monkeypatch.setattr(rendering, "time", times)
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self.rest)

    async def rest(self, seconds: float) -> None:
        seconds = math.ceil(seconds * 1000 - 0.01) / 1000  # as asyncio does
        self.done.append(f"rest {seconds * 1000:.0f} ms")
        self.now_s += seconds
        await self._sleep(0)

    def families(self) -> list[Family]:
        self.done.append("begin")
        return [Family("g", "doc", "gauge", self.lines())]

    def lines(self) -> Iterator[str]:
        for _ in range(3):
            self.now_s += 0.004
            self.done.append("work 4 ms")
            yield "x" * 70_000 + "\n"


def test_rendering_rests_as_long_as_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    asyncio.run(Rendering(work.page).body(TEXT))

    assert work.done == ["begin", *["work 4 ms", "rest 4 ms"] * 3]


def test_packing_counts_as_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    def packed(block: Block) -> bytes:
        work.now_s += 0.003
        return block.text

    monkeypatch.setattr(Block, "deflated", property(packed))
    asyncio.run(Rendering(work.page).body(GZIP))

    assert work.done == ["begin", *["work 4 ms", "rest 1 ms"] * 3]


def test_what_a_page_took_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    body = asyncio.run(Rendering(work.page).body(TEXT))

    (made,) = work.made
    assert (made.form, made.size) == (TEXT, sum(map(len, body)))
    assert made.wall_s == pytest.approx(0.024)
    assert made.cpu_s == pytest.approx(0.006)


def test_those_who_ask_meanwhile_share_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    async def main() -> None:
        made = Rendering(work.page)
        first, *others = await asyncio.gather(*(made.body(TEXT) for _ in range(20)))
        assert all(other is first for other in others)
        assert work.done.count("begin") == 1
        assert await made.body(TEXT) is not first

    asyncio.run(main())
    assert work.done.count("begin") == 2


def test_one_page_is_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    async def main() -> None:
        made = Rendering(work.page)
        plain, packed = await asyncio.gather(made.body(TEXT), made.body(GZIP))
        assert gzip.decompress(b"".join(packed)) == b"".join(plain)

    asyncio.run(main())
    assert work.done == ["begin", *["work 4 ms", "rest 4 ms"] * 3] * 2


def test_who_leaves_does_not_take_the_page_away_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    async def main() -> None:
        made = Rendering(work.page)
        leaves, stays = (asyncio.create_task(made.body(TEXT)) for _ in range(2))
        await work._sleep(0)
        leaves.cancel()
        assert b"".join(await stays).count(b"\n") == 5

    asyncio.run(main())
    assert work.done.count("begin") == 1


def test_stop_leaves_nothing_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    async def main() -> None:
        made = Rendering(work.page)
        waiting = asyncio.create_task(made.body(TEXT))
        while "begin" not in work.done:  # bounded by what the page takes
            await work._sleep(0)
        await made.stop()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
