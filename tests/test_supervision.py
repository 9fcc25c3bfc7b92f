"""What systemd is told, by a socket that stands for it: when, in which words, and when the watchdog goes hungry."""

import os
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from maglev.core.record import Record
from maglev.core.status import Status
from maglev.supervision import TICK_S, Supervision, sentence
from tests.daemon.conftest import heard
from tests.rpc import statuses

__all__ = ["heard"]

STATUS = "STATUS=no VPP; up: 0 of 0 frontends, 0 of 0 backends"


class Systemd:
    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """What came since this was last asked."""
        messages = []
        try:
            while True:
                messages.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return messages


@dataclass
class Maglevd:
    status: Status = statuses.EMPTY
    has_progress: bool = True
    environ: dict[str, str] = field(default_factory=dict)

    def supervision(self) -> Supervision:
        return Supervision(lambda: self.status, lambda: self.has_progress, self.environ)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(str(tmp_path / "notify"))
    yield systemd
    systemd.socket.close()


@pytest.fixture
def maglevd(tmp_path: Path) -> Maglevd:
    return Maglevd(environ={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})


async def test_ready_then_the_watchdog_and_another_status_only_if_it_is_another(
    systemd: Systemd, maglevd: Maglevd, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(maglevd.supervision().run)
        await wait_all_tasks_blocked()
        assert systemd.heard() == [f"READY=1\n{STATUS}"]

        await trio.sleep(2.5 * TICK_S)
        assert systemd.heard() == ["WATCHDOG=1"] * 2

        maglevd.status = statuses.FULL
        await trio.sleep(TICK_S)
        assert systemd.heard() == [f"STATUS={sentence(statuses.FULL)}", "WATCHDOG=1"]
        nursery.cancel_scope.cancel()


async def test_without_progress_the_watchdog_is_not_fed_and_the_log_says_why(
    systemd: Systemd, maglevd: Maglevd, autojump_clock: MockClock, heard: list[Record]
) -> None:
    maglevd.has_progress = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(maglevd.supervision().run)
        await trio.sleep(2.5 * TICK_S)
        assert "WATCHDOG=1" not in systemd.heard()

        maglevd.has_progress = True
        await trio.sleep(TICK_S)
        assert systemd.heard() == ["WATCHDOG=1"]
        nursery.cancel_scope.cancel()

    assert [record.fields["stuck"] for record in heard if record.name == "watchdog"] == ["5s", "10s"]


async def test_a_short_watchdog_is_fed_three_times_in_its_time(
    systemd: Systemd, maglevd: Maglevd, autojump_clock: MockClock
) -> None:
    maglevd.environ["WATCHDOG_USEC"] = "3000000"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(maglevd.supervision().run)
        await trio.sleep(3.1)
        nursery.cancel_scope.cancel()

    assert systemd.heard().count("WATCHDOG=1") == 3


async def test_a_watchdog_of_another_process_is_not_ours(
    systemd: Systemd, maglevd: Maglevd, autojump_clock: MockClock, heard: list[Record]
) -> None:
    maglevd.environ |= {"WATCHDOG_PID": "1", "WATCHDOG_USEC": "3000000"}
    maglevd.has_progress = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(maglevd.supervision().run)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    assert not [record for record in heard if record.name == "watchdog"]


def test_a_reload_is_told_with_the_moment_in_one_datagram_and_ends_whatever_happens(
    systemd: Systemd, maglevd: Maglevd
) -> None:
    supervision = maglevd.supervision()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    with suppress(RuntimeError), supervision.reloading():
        (begun,) = systemd.heard()
        raise RuntimeError

    told = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", begun)
    assert told
    assert before <= int(told[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert systemd.heard() == [f"READY=1\n{STATUS}"]


def test_a_refused_file_is_told_until_one_is_taken(systemd: Systemd, maglevd: Maglevd) -> None:
    supervision = maglevd.supervision()
    with supervision.reloading():
        supervision.judged("maglev.yaml:3: wrong\nin many ways")
    assert systemd.heard()[-1] == (
        f"READY=1\n{STATUS}; the configuration file is refused, the one before is used: "
        "maglev.yaml:3: wrong in many ways"
    )
    with supervision.reloading():
        supervision.judged("")
    assert systemd.heard()[-1] == f"READY=1\n{STATUS}"


def test_nothing_follows_the_word_that_it_stops(systemd: Systemd, maglevd: Maglevd) -> None:
    supervision = maglevd.supervision()
    with supervision.reloading():
        supervision.stopping()

    assert [text.splitlines()[0] for text in systemd.heard()] == ["RELOADING=1", "STOPPING=1"]


def test_a_name_in_the_abstract_namespace(maglevd: Maglevd, tmp_path: Path) -> None:
    systemd = Systemd(f"\0{tmp_path}")
    maglevd.environ["NOTIFY_SOCKET"] = f"@{tmp_path}"
    maglevd.supervision().stopping()

    assert systemd.heard()[0].startswith("STOPPING=1\n")
    systemd.socket.close()


def test_what_systemd_has_no_room_for_waits_and_keeps_its_order(systemd: Systemd, maglevd: Maglevd) -> None:
    supervision = maglevd.supervision()
    with suppress(BlockingIOError):
        while True:  # by a sender each, as one might have no more room in its own buffer
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                other.setblocking(False)
                other.sendto(b"STATUS=of somebody", maglevd.environ["NOTIFY_SOCKET"])
    with supervision.reloading():
        pass
    assert set(systemd.heard()) == {"STATUS=of somebody"}

    supervision.stopping()
    assert [text.splitlines()[0] for text in systemd.heard()] == ["RELOADING=1", "READY=1", "STOPPING=1"]


def test_a_systemd_that_is_not_there_is_a_warning(maglevd: Maglevd, heard: list[Record]) -> None:
    maglevd.supervision().stopping()

    (record,) = heard
    assert (record.name, record.fields["fault"]) == ("supervision", "No such file or directory")


def test_without_a_descriptor_it_waits_too(systemd: Systemd, maglevd: Maglevd, heard: list[Record]) -> None:
    supervision = maglevd.supervision()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with supervision.reloading():
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (systemd.heard(), heard) == ([], [])

    supervision.stopping()
    assert [text.splitlines()[0] for text in systemd.heard()] == ["RELOADING=1", "READY=1", "STOPPING=1"]


def test_a_look_tells_another_status_at_once_and_the_same_not_again(systemd: Systemd, maglevd: Maglevd) -> None:
    supervision = maglevd.supervision()
    supervision.look()
    maglevd.status = statuses.FULL
    supervision.look()
    supervision.look()

    assert systemd.heard() == [STATUS, f"STATUS={sentence(statuses.FULL)}"]


async def test_without_systemd_nothing_is_told_and_nothing_waits(maglevd: Maglevd) -> None:
    maglevd.environ.clear()
    supervision = maglevd.supervision()
    with supervision.reloading():
        await supervision.run()
    supervision.stopping()


def test_the_sentence_counts_what_is_up() -> None:
    told = sentence(statuses.FULL)

    assert re.fullmatch(
        r"VPP \S+ is connected(, warming up)?; up: \d+ of [1-9]\d* frontends, \d+ of [1-9]\d* backends", told
    )
