"""Reloads of a real file, in a thread, while the loop goes on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from maglev.config.model import Config
from maglev.config.parse import ConfigFaults, load
from maglev.core.events import ConfigReloaded, Event, ReloadRefused
from maglev.errors import Broken, Unavailable
from maglev.reloading import Reloader
from tests.config.samples import VALID, changed


@dataclass
class Desk:
    """A file, and who takes its configuration over."""

    path: Path
    taken: list[tuple[Config, Config]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.write_text(VALID)
        self.first = load(self.path)
        self.reloader = Reloader(self.path, self.first, self._take, self.events.append, lambda: 7, vpp_in_use=True)

    def _take(self, old: Config, new: Config) -> None:
        self.taken.append((old, new))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "maglev.yaml")


async def test_a_good_file_is_taken_over_and_told(desk: Desk) -> None:
    desk.path.write_text(changed("rise: 1", "rise: 2"))
    said = await desk.reloader.reload()

    ((old, new),) = desk.taken
    assert old is desk.first
    assert new.healthchecks["web"].policy.rise == 2
    assert new.frontends["www"] is desk.first.frontends["www"]
    assert desk.events == [said]
    assert said == ConfigReloaded((), (), ("healthcheck web",), 7, frozenset(), frozenset())


async def test_each_reload_goes_on_from_the_last_good_one(desk: Desk) -> None:
    for text in (changed("rise: 1", "rise: 2"), "maglev: [", changed("rise: 1", "rise: 3")):
        desk.path.write_text(text)
        await desk.reloader.reload()

    (_, second), (third_from, third) = desk.taken
    assert third_from is second
    assert third.healthchecks["web"].policy.rise == 3


async def test_of_a_bad_file_nothing_is_taken_over_and_every_fault_is_told(desk: Desk) -> None:
    desk.path.write_text(VALID.replace("rise: 1", "rise: 0").replace("enabled: false", "enabled: 7"))
    faults = await desk.reloader.reload()

    assert isinstance(faults, ConfigFaults)
    assert not faults.is_syntax
    assert not desk.taken
    (told,) = desk.events
    assert isinstance(told, ReloadRefused)
    assert told.faults == tuple(map(str, faults.faults))
    assert len(told.faults) == 2


@pytest.mark.parametrize("text", ["maglev: [", None])
async def test_a_file_that_is_no_yaml_or_gone_is_told_as_that(desk: Desk, text: str | None) -> None:
    desk.path.unlink() if text is None else desk.path.write_text(text)
    faults = await desk.reloader.reload()

    assert isinstance(faults, ConfigFaults)
    assert faults.is_syntax
    assert not desk.taken


async def test_a_check_says_what_is_wrong_and_changes_nothing(desk: Desk) -> None:
    assert await desk.reloader.check() is None
    desk.path.write_text(changed("rise: 1", "rise: 0"))
    faults = await desk.reloader.check()

    assert faults is not None
    assert "rise" in str(faults)
    assert (desk.taken, desk.events) == ([], [])


async def test_asking_often_before_it_began_asks_once(desk: Desk) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(desk.reloader.run, desk.reloader.reload)
        for _ in range(5):
            desk.reloader.ask()
        with trio.fail_after(30):
            while not desk.events:
                await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert len(desk.events) == 1
        desk.reloader.ask()
        with trio.fail_after(30):
            while len(desk.events) < 2:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def test_who_asks_while_one_is_read_shares_the_next_reading(desk: Desk) -> None:
    answers: list[object] = []

    async def ask(call: Callable[[], Awaitable[object]]) -> None:
        answers.append(await call())

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(ask, desk.reloader.reload)
            nursery.start_soon(ask, desk.reloader.check)
        desk.path.write_text(changed("rise: 1", "rise: 0"))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(50):
            nursery.start_soon(ask, desk.reloader.reload)

    assert len(answers) == 150
    assert len(desk.events) <= 2  # one for those of the beginning, one for those who came later
    assert isinstance(desk.events[-1], ReloadRefused)


async def test_who_waits_for_a_reading_that_breaks_maglevd_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[type[Exception]] = []

    def broken(_: object) -> object:
        raise ZeroDivisionError("ours")

    async def ask() -> None:
        try:
            await desk.reloader.reload()
        except (ZeroDivisionError, Broken) as error:
            told.append(type(error))

    monkeypatch.setattr(desk.reloader, "_read", broken)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)

    assert sorted(told, key=str) == [ZeroDivisionError, Broken]


async def test_who_waits_for_a_reading_that_is_cancelled_is_told(desk: Desk) -> None:
    told: list[str] = []

    async def ask() -> None:
        try:
            await desk.reloader.reload()
        except Unavailable as error:
            told.append(str(error))

    async with trio.open_nursery() as others, trio.open_nursery() as leader:
        leader.start_soon(desk.reloader.check)  # has the turn
        await trio.lowlevel.checkpoint()
        leader.start_soon(desk.reloader.reload)
        await trio.lowlevel.checkpoint()
        others.start_soon(ask)
        await trio.lowlevel.checkpoint()
        leader.cancel_scope.cancel()

    assert told == ["maglevd is stopping"]
