"""The second thread: starts, ends, fails and is cancelled with the trio task that runs it."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from maglev.errors import Unavailable
from maglev.serving import Serving


async def test_it_has_started_when_all_servers_listen_and_ends_each_of_them() -> None:
    happened: list[str] = []

    async def first(stack: AsyncExitStack) -> None:
        happened.append("first listens")
        stack.callback(happened.append, "first ended")

    async def second(stack: AsyncExitStack) -> None:
        await asyncio.sleep(0)
        happened.append("second listens")
        stack.callback(happened.append, "second ended")

    async with trio.open_nursery() as nursery:
        await nursery.start(Serving([first, second]).run)
        assert happened == ["first listens", "second listens"]
        nursery.cancel_scope.cancel()

    assert happened[2:] == ["second ended", "first ended"]


async def test_a_server_that_cannot_listen_ends_the_others_and_says_why() -> None:
    happened: list[str] = []

    async def works(stack: AsyncExitStack) -> None:
        stack.callback(happened.append, "ended")

    async def fails(_stack: AsyncExitStack) -> None:
        raise Unavailable("cannot listen")

    with pytest.RaisesGroup(pytest.RaisesExc(Unavailable, match="cannot listen"), flatten_subgroups=True):
        await Serving([works, fails]).run()

    assert happened == ["ended"]


async def test_a_cancel_before_there_is_a_loop_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    is_in_thread, may_make_the_loop = threading.Event(), threading.Event()
    run_loop = asyncio.run

    def late(main: Coroutine[object, object, None]) -> None:
        is_in_thread.set()
        assert may_make_the_loop.wait(30)
        run_loop(main)

    async def server(_stack: AsyncExitStack) -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr(asyncio, "run", late)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Serving([server]).run)
        await trio.to_thread.run_sync(is_in_thread.wait)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()  # the cancel has reached all that it can reach
        may_make_the_loop.set()

    assert nursery.cancel_scope.cancelled_caught
