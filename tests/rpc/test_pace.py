import asyncio
import time
from collections.abc import Iterator

import pytest

from maglev.rpc.pace import TURN_S, Leftover, Pace


def test_those_who_wait_go_in_their_order_and_who_has_gone_holds_nobody_up() -> None:
    went: list[int] = []

    async def writer(pace: Pace, number: int) -> None:
        await pace.turn()
        went.append(number)

    async def main() -> None:
        pace = Pace(lambda: 0.5)  # whose turn began long ago: all have to wait
        writers = [asyncio.create_task(writer(pace, number)) for number in range(100)]
        await asyncio.sleep(0)
        assert went == []
        for gone in writers[:20]:
            gone.cancel()
        await asyncio.gather(*writers, return_exceptions=True)

    asyncio.run(main())

    assert went == list(range(20, 100))


def test_who_is_stuck_in_a_write_stops_nobody() -> None:
    async def main() -> None:
        pace = Pace(lambda: 0.5)
        await pace.turn()  # and it never comes back
        for _ in range(100):
            await pace.turn()

    asyncio.run(main())


def test_a_turn_is_free_while_it_is_young() -> None:
    async def main() -> None:
        pace = Pace(lambda: 0.5)
        pace.begin()
        turn = pace.turn()
        with pytest.raises(StopIteration):
            turn.send(None)  # without a wait

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "perf_counter", lambda: 5.0)
        asyncio.run(main())


@pytest.mark.parametrize(("share", "rests"), [(0.5, 1), (0.25, 3), (0.1, 9)])
def test_the_rest_is_as_long_as_the_share_wants_it(share: float, rests: int) -> None:
    assert Pace(lambda: share)._rest_s() == pytest.approx(rests * TURN_S)


@pytest.mark.parametrize(("load", "share"), [(0.0, 0.5), (0.1, 0.5), (0.4, 2 / 3 - 0.4), (0.6, 0.1), (1.0, 0.1)])
def test_what_a_thread_leaves_is_for_others(load: float, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def clock(speed: float) -> Iterator[float]:
        return (speed * 0.05 * beat for beat in range(1000))

    walls, cpus = clock(1.0), clock(load)
    monkeypatch.setattr(time, "monotonic", lambda: next(walls))
    monkeypatch.setattr(time, "thread_time", lambda: next(cpus))
    leftover = Leftover()
    for _ in range(100):
        leftover.beat()

    assert leftover.share == pytest.approx(share)


def test_a_clock_that_stands_still_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)
    leftover = Leftover()
    leftover.beat()

    assert leftover.share == 0.5
