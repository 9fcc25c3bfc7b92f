import trio
from trio.testing import wait_all_tasks_blocked

from maglev.control.cell import Cell


async def test_every_watcher_sees_the_newest_value_only() -> None:
    cell = Cell("a")
    seen: list[str] = []

    async def watch() -> None:
        seen.append(await cell.changed("a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        cell.set("b")
        cell.set("c")

    assert seen == ["c", "c"]


async def test_a_watcher_that_is_behind_does_not_wait() -> None:
    cell = Cell("b")
    with trio.fail_after(1):
        assert await cell.changed("a") == "b"


async def test_setting_the_same_object_wakes_nobody() -> None:
    value = object()
    cell = Cell(value)
    with trio.move_on_after(0.01) as scope:
        cell.set(value)
        await cell.changed(value)
    assert scope.cancelled_caught
