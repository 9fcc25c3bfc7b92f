"""Orders from the serving thread: every one leaves exactly one audit record, whatever becomes of it or of its giver."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from maglev.commands import Commands
from maglev.config.names import MAX_NAME
from maglev.config.parse import load
from maglev.control.checker import Checker
from maglev.control.operator import Operator
from maglev.control.reconciler import Reconciler
from maglev.core.denials import WINDOW_S
from maglev.core.events import Ordered, Outcome
from maglev.core.health import Order, State
from maglev.core.level import Level
from maglev.core.status import BackendStatus
from maglev.core.warmup import Warmup
from maglev.errors import Broken, ConfigError, Forbidden, MaglevError, NotFound, Refused, Unavailable
from maglev.reloading import Reloader
from maglev.rpc.ports import Caller, Role
from tests.config.samples import VALID, changed
from tests.control.fakes import VIP, FakeProbes, Journal, backend, clock, fleet, frontend, punctual

V = TypeVar("V")
ALICE = Caller("alice", "192.0.2.7:5", Role.OPERATOR, "root")
BOB = Caller("bob", "192.0.2.8:5", Role.VIEWER)


class Desk:
    """The commands on one frontend with two backends, and on a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(VALID)
        self.journal = Journal()
        table = fleet([backend(1), backend(2)], [frontend("www", VIP, {"b1": 100, "b2": 50})])
        checker = Checker(table, FakeProbes(), self.journal, clock(), punctual())
        self.operator = Operator(checker, table, self.journal)
        self.reloader = Reloader(path, load(path), lambda _old, _new: None, self.journal, lambda: 7, vpp_in_use=True)
        self.reconciler = Reconciler(None, 30.0, Warmup(0.0, 0.0), checker.health, self.journal, clock())
        self.commands = Commands(self.operator, self.reloader, self.reconciler, self.journal)

    @property
    def record(self) -> Ordered:
        (record,) = self.journal.of(Ordered)
        return record


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "maglev.yaml")


@asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        await nursery.start(desk.commands.run)
        yield nursery
        nursery.cancel_scope.cancel()


async def served(call: Callable[[], Awaitable[V]]) -> V:
    """As the serving thread calls it."""

    async def main() -> V:
        return await call()

    return await trio.to_thread.run_sync(lambda: asyncio.run(main()))


def told(record: Ordered) -> tuple[str, str | None, str | None, Outcome, str]:
    return record.what, record.before, record.after, record.outcome, record.result


async def test_an_order_is_on_record_with_who_gave_it_and_what_it_changed(desk: Desk) -> None:
    async with at_work(desk):
        status = await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))

    assert status.health.state is State.PAUSED
    assert desk.record == Ordered(
        "alice", "192.0.2.7:5", "root", "PauseBackend", "backend b1", "unknown", "paused", Outcome.OK, "ok"
    )
    assert desk.record.level is Level.INFO


async def test_names_as_long_as_they_may_be_are_told_whole(desk: Desk) -> None:
    longest = "b" * (MAX_NAME - 1)
    async with at_work(desk):
        for name in (f"{longest}1", f"{longest}2"):
            with pytest.raises(NotFound):
                await served(partial(desk.commands.order, name, Order.DISABLE, ALICE))

    assert [record.what for record in desk.journal.of(Ordered)] == [f"backend {longest}1", f"backend {longest}2"]


async def test_a_weight_is_on_record_with_the_one_before(desk: Desk) -> None:
    async with at_work(desk):
        await served(lambda: desk.commands.set_weight("www", "p0", "b1", 0, ALICE, flush=True))
        await served(lambda: desk.commands.set_weight("www", "p0", "b1", 7, ALICE, flush=False))

    what = "frontend www pool p0 backend b1"
    assert [told(record) for record in desk.journal.of(Ordered)] == [
        (what, "100", "0, flushed", Outcome.OK, "ok"),
        (what, "0, flushed", "7", Outcome.OK, "ok"),
    ]


@pytest.mark.parametrize(
    ("call", "error", "expected"),
    [
        (
            lambda commands: commands.order("b3", Order.PAUSE, ALICE),
            NotFound,
            (
                "backend b3",
                None,
                None,
                Outcome.REFUSED,
                "NOT_FOUND: there is no backend called 'b3'; ",
            ),
        ),
        (
            lambda commands: commands.set_weight("www", "p0", "b1", 101, ALICE, flush=False),
            ConfigError,
            (
                "frontend www pool p0 backend b1",
                *("100", "100", Outcome.REFUSED),
                "INVALID_ARGUMENT: a weight is a whole number from 0 to 100 (weight=101)",
            ),
        ),
        (
            lambda commands: commands.set_weight("www", "p7", "b\n" + "x" * 200, 1, ALICE, flush=False),
            NotFound,
            (
                f"frontend www pool p7 backend b?{'x' * 126}...",
                *(None, None, Outcome.REFUSED),
                "NOT_FOUND: there is no pool of www called 'p7'; ",
            ),
        ),
        (
            lambda commands: commands.sync("wwww", ALICE),
            NotFound,
            ("frontend wwww", None, None, Outcome.REFUSED, "NOT_FOUND: there is no frontend called 'wwww'; "),
        ),
        (
            lambda commands: commands.sync("", ALICE),
            Unavailable,
            ("all frontends", None, None, Outcome.REFUSED, "UNAVAILABLE: no VPP is connected; "),
        ),
    ],
)
async def test_what_is_refused_is_on_record_with_its_reason(
    desk: Desk,
    call: Callable[[Commands], Awaitable[object]],
    error: type[MaglevError],
    expected: tuple[str, str | None, str | None, Outcome, str],
) -> None:
    async with at_work(desk):
        with pytest.raises(error):
            await served(lambda: call(desk.commands))

    assert told(desk.record)[:4] == expected[:4]
    assert desk.record.result.startswith(expected[4])


async def test_an_order_that_does_not_fit_the_state_is_on_record(desk: Desk) -> None:
    async with at_work(desk):
        await served(lambda: desk.commands.order("b1", Order.DISABLE, ALICE))
        desk.journal.events.clear()
        with pytest.raises(Refused):
            await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))

    assert (desk.record.before, desk.record.after) == ("disabled", "disabled")
    assert desk.record.result.startswith("FAILED_PRECONDITION: ")


@pytest.mark.parametrize(
    "call",
    [
        lambda commands: commands.order("b1", Order.PAUSE, BOB),
        lambda commands: commands.set_weight("www", "p0", "b1", 0, BOB, flush=True),
        lambda commands: commands.reload_config(BOB),
        lambda commands: commands.sync("", BOB),
    ],
)
async def test_what_somebody_may_not_is_on_record_at_warning_and_not_done(
    desk: Desk, call: Callable[[Commands], Awaitable[object]]
) -> None:
    async with at_work(desk):
        with pytest.raises(Forbidden, match="bob is a viewer here"):
            await served(lambda: call(desk.commands))

    assert desk.journal.events == [desk.record]
    assert (desk.record.who, desk.record.outcome, desk.record.level) == ("bob", Outcome.DENIED, Level.WARNING)
    assert desk.record.result.startswith("PERMISSION_DENIED: ")
    assert desk.operator.state_of("b1") == "unknown"


async def test_a_reload_is_on_record_with_what_it_brought(desk: Desk) -> None:
    desk.path.write_text(changed("rise: 1", "rise: 2"))
    async with at_work(desk):
        assert await served(lambda: desk.commands.reload_config(ALICE)) is None
        assert await served(lambda: desk.commands.reload_config(ALICE)) is None
        desk.path.write_text(VALID.replace("rise: 1", "rise: 0").replace("enabled: false", "enabled: 7"))
        faults = await served(lambda: desk.commands.reload_config(ALICE))
        assert await served(desk.commands.check_config) == faults  # which only looks

    good, same, bad = desk.journal.of(Ordered)
    assert told(good) == ("config", None, "changed healthcheck web", Outcome.OK, "ok")
    assert told(same) == ("config", None, "nothing else than before", Outcome.OK, "ok")
    assert (bad.outcome, bad.after) == (Outcome.REFUSED, None)
    assert bad.result.startswith("INVALID_ARGUMENT: line 21: maglev.")
    assert bad.result.endswith("; the log has 2 faults")


async def test_a_reload_by_signal_is_on_record_as_that(desk: Desk) -> None:
    desk.path.write_text(changed("rise: 1", "rise: 2"))
    await desk.commands.reload_by_signal()

    assert (desk.record.who, desk.record.origin, desk.record.action) == ("SIGHUP", "", "ReloadConfig")
    assert desk.record.after == "changed healthcheck web"


async def test_an_order_whose_giver_has_gone_is_done_and_on_record(desk: Desk) -> None:
    async def gone() -> None:
        asking = asyncio.ensure_future(desk.commands.order("b1", Order.PAUSE, ALICE))
        await asyncio.sleep(0)  # handed over, and nobody waits for the answer
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking

    async with at_work(desk):
        await served(gone)
        await trio.testing.wait_all_tasks_blocked()

    assert told(desk.record) == ("backend b1", "unknown", "paused", Outcome.OK, "ok")


def broken(*_: object) -> BackendStatus:
    raise ZeroDivisionError("ours")


async def test_an_order_that_breaks_maglevd_is_on_record_and_ends_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(desk):
        with monkeypatch.context() as patch:
            patch.setattr(desk.operator, "order", broken)
            with pytest.raises(Broken, match="report the traceback in its log"):
                await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))
        assert told(desk.record)[2:] == ("unknown", Outcome.REFUSED, "INTERNAL: ZeroDivisionError('ours')")
        await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))

    (line,) = caplog.records
    assert line.exc_info is not None
    assert line.exc_info[0] is ZeroDivisionError
    assert (line.name, line.levelname) == ("maglev.commands", "ERROR")


async def test_a_reload_by_signal_or_a_check_that_breaks_maglevd_ends_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk.reloader, "reload", broken)
    monkeypatch.setattr(desk.reloader, "check", broken)
    await desk.commands.reload_by_signal()
    assert desk.record.result == "INTERNAL: ZeroDivisionError('ours')"
    async with at_work(desk):
        with pytest.raises(Broken):
            await served(desk.commands.check_config)

    assert len(caplog.records) == 2


async def test_one_who_tries_in_a_loop_is_told_at_once_and_then_counted(desk: Desk, mock_clock: MockClock) -> None:
    async def try_it(caller: Caller, times: int) -> None:
        for _ in range(times):
            with pytest.raises(Forbidden):
                await served(lambda: desk.commands.order("b1", Order.PAUSE, caller))

    async def later() -> list[tuple[str, int]]:
        mock_clock.jump(WINDOW_S)
        await trio.testing.wait_all_tasks_blocked()
        new = [(record.who, record.times) for record in desk.journal.of(Ordered)]
        desk.journal.events.clear()
        return new

    async with at_work(desk):
        await try_it(BOB, 3)
        await try_it(replace(BOB, who="carol"), 1)
        assert [(record.who, record.times) for record in desk.journal.of(Ordered)] == [("bob", 1), ("carol", 1)]
        desk.journal.events.clear()
        assert await later() == [("bob", 2)]
        await try_it(BOB, 4)
        assert desk.journal.of(Ordered) == []
        assert await later() == [("bob", 4)]
        assert await later() == []
        await try_it(BOB, 3)
        assert [record.times for record in desk.journal.of(Ordered)] == [1]
        await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))
        await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))

    assert [(record.who, record.times) for record in desk.journal.of(Ordered)] == [
        *(("bob", 1), ("alice", 1), ("alice", 1)),
        ("bob", 2),  # what was counted is told at the stop
    ]


async def test_orders_before_the_start_and_after_the_stop_are_on_record(desk: Desk) -> None:
    with pytest.raises(Unavailable, match="starting"):
        await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))
    assert desk.record.result.startswith("UNAVAILABLE: maglevd is starting")

    async with at_work(desk):
        pass
    desk.journal.events.clear()
    with pytest.raises(Unavailable, match="stopping"):
        await served(lambda: desk.commands.order("b1", Order.PAUSE, ALICE))
    assert told(desk.record) == ("backend b1", None, None, Outcome.REFUSED, "UNAVAILABLE: maglevd is stopping")


async def test_a_reload_that_the_stop_cuts_short_is_on_record(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = trio.Event()

    async def endless() -> None:
        reading.set()
        await trio.sleep_forever()

    monkeypatch.setattr(desk.reloader, "reload", endless)
    answers: list[str] = []

    async def ask() -> None:
        try:
            await served(lambda: desk.commands.reload_config(ALICE))
        except Unavailable as error:
            answers.append(str(error))

    async with trio.open_nursery() as outer, at_work(desk):
        outer.start_soon(ask)
        await reading.wait()

    assert answers == ["maglevd is stopping"]
    assert told(desk.record)[3:] == (Outcome.REFUSED, "UNAVAILABLE: maglevd is stopping")
