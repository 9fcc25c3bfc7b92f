"""What is watched, by a program in a real terminal that asks a real server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from maglev.cli import live
from maglev.cli.keys import Keys
from maglev.core.events import BackendTransition
from maglev.core.health import State
from maglev.core.status import Status
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.server import Served
from tests.cli import watcher
from tests.cli.terminal import CTRL_C, CTRL_Z, ENTER_SCREEN, LEAVE_SCREEN, Terminal, terminal
from tests.processes import DEADLINE_S, until
from tests.rpc import statuses
from tests.rpc.served import answering, serving

PROGRAM = (sys.executable, str(Path(watcher.__file__)))
STATES = 9  # of backends and frontends: what a watcher gets first


@dataclass
class Site:
    """A maglevd whose status can be changed, and which can go and come back."""

    address: str
    status: Status
    served: Served
    running: ExitStack

    def move(self, name: str) -> None:
        """An event, for who watches."""
        self.served.hub.publish(BackendTransition(name, ip_address("10.0.0.1"), State.UP, State.DOWN, "L7OK", "", 1))

    def stop(self) -> None:
        self.running.close()

    def start(self) -> None:
        self.running.enter_context(serving(self.served, self.address))


@contextmanager
def up(address: str) -> Iterator[Site]:
    with ExitStack() as running:
        made = Site(address, statuses.FULL, answering(lambda: made.status), running)
        made.start()
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with up(f"unix:{tmp_path}/maglev.sock") as site:
        yield site


@pytest.fixture
def tty() -> Iterator[Terminal]:
    with terminal() as made:
        yield made


def watching(tty: Terminal, what: str, site: Site, *more: str) -> None:
    tty.run([*PROGRAM, what, site.address, *more])


def ended(tty: Terminal) -> int:
    status = tty.wait()
    assert tty.settings == tty.before
    return status


@pytest.mark.parametrize("key", ["q", " ", "\r", "\x1b[A", CTRL_C])
def test_any_key_ends_the_events(key: str, site: Site, tty: Terminal) -> None:
    watching(tty, "events", site)
    tty.until(lambda: tty.raw.count(b"\n") == STATES, "all states")
    assert tty.hears_keys
    tty.type(key)

    assert ended(tty) == 0
    assert tty.raw.endswith(b"ended\r\n")
    said = tty.raw.decode().splitlines()[:-1]
    assert [line for line in said if not line.startswith("{")] == []


def test_a_key_of_before_ends_nothing(site: Site, tty: Terminal) -> None:
    tty.type("\n")
    watching(tty, "events", site)
    tty.until(lambda: tty.raw.count(b"}}") == STATES, "all states")
    site.move("late")
    tty.until(lambda: b'"late"' in tty.raw, "an event that came later")
    tty.type("q")

    assert ended(tty) == 0


def test_the_number_of_events_ends_them(site: Site, tty: Terminal) -> None:
    watching(tty, "events", site, "3")

    assert ended(tty) == 0
    assert tty.raw.count(b"}}") == 3
    assert tty.raw.endswith(b"ended\r\n")


def test_a_server_that_stops_ends_the_events(site: Site, tty: Terminal) -> None:
    watching(tty, "events", site)
    tty.until(lambda: tty.raw.count(b"\n") == STATES, "all states")
    site.stop()

    assert ended(tty) == 3
    assert b"no more events from " in tty.raw
    assert tty.raw.endswith(b"; watch again\r\n")  # with maglevd's own word, if that came before the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("what", ["events", "frames"])
def test_a_signal_that_ends_it_leaves_the_terminal_as_it_was(
    what: str, number: signal.Signals, site: Site, tty: Terminal
) -> None:
    watching(tty, what, site)
    tty.until(lambda: b"spare" in tty.raw, "its first words")
    assert tty.hears_keys
    assert tty.popen is not None
    tty.popen.send_signal(number)

    assert ended(tty) == -number
    assert tty.raw.count(ENTER_SCREEN) == tty.raw.count(LEAVE_SCREEN) == (what == "frames")


def test_in_a_script_the_events_go_on_whatever_stdin_has(site: Site) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"q\n")
    with subprocess.Popen([*PROGRAM, "events", site.address], stdin=reading, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        said = [running.stdout.readline() for _ in range(STATES)]
        os.close(writing)
        site.move("late")
        said.append(running.stdout.readline())
        running.stdout.close()  # whoever read it has seen enough: that is noticed with the next event
        site.move("later")
        assert running.wait(DEADLINE_S) == 141
    os.close(reading)

    assert json.loads(said[-1])["backend"]["backend"] == "late"


def test_a_script_can_be_interrupted(site: Site) -> None:
    with subprocess.Popen(
        [*PROGRAM, "events", site.address], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE_S) == -signal.SIGINT


def test_frames_are_drawn_in_place(site: Site, tty: Terminal) -> None:
    watching(tty, "frames", site)
    tty.until_says("web2 down")
    site.status = replace(
        site.status, health=replace(statuses.HEALTH, backends={"web1": statuses.HEALTH.backends["web1"]})
    )
    tty.until(lambda: tty.lines[3:] == ["web1 up", *[""] * 20], "one backend alone")
    assert tty.lines[0].startswith("show backends")
    assert tty.lines[0].endswith("  any key ends")
    assert tty.lines[1:3] == ["", "width 80"]
    assert tty.hears_keys
    tty.type("x")

    assert ended(tty) == 0
    drawn, left = tty.raw.split(LEAVE_SCREEN)
    assert drawn.startswith(ENTER_SCREEN)
    assert drawn.count(b"\x1b[?25l") == tty.raw.count(b"\x1b[?25h") == 1
    assert left.startswith(b"show backends ")
    assert left.endswith(b"width 80\r\n\x1b[32mweb1\x1b[0m up\r\nended\r\n")  # the last picture stays


def test_ctrl_c_ends_the_frames_and_keeps_the_last(site: Site, tty: Terminal) -> None:
    watching(tty, "frames", site)
    tty.until_says("web2 down")
    tty.type(CTRL_C)

    assert ended(tty) == 0
    assert b"web2" in tty.raw.split(LEAVE_SCREEN)[1]


def test_frames_follow_the_size_of_the_window(site: Site, tty: Terminal) -> None:
    watching(tty, "frames", site)
    tty.until_says("width 80")
    tty.resize(40, 5)
    tty.until_says("width 40")
    tty.until_says("... 4 more lines: make the window taller")
    assert tty.lines[3] == "web2 down"
    tty.resize(100, 30)
    tty.until_says("width 100")
    tty.until_says("six unknown")
    tty.type("x")

    assert ended(tty) == 0


def test_a_new_size_is_not_left_for_the_next_frame_to_see(site: Site, tty: Terminal) -> None:
    watching(tty, "hourly", site)
    tty.until_says("width 80")
    tty.resize(40, 8)
    tty.until_says("width 40")
    tty.type("x")

    assert ended(tty) == 0


def test_frames_stay_while_nobody_answers_and_go_on_after_that(site: Site, tty: Terminal) -> None:
    watching(tty, "frames", site)
    tty.until_says("web2 down")
    site.stop()
    tty.until_says("no answer since")
    tty.until_says("no maglevd answers at unix:")
    assert tty.lines[3] == "web2 down"
    site.start()
    tty.until(lambda: tty.lines[1] == "" and tty.lines[3] == "web2 down", "no word of trouble")
    site.stop()
    tty.until_says("no answer since")
    tty.type("x")

    assert ended(tty) == 0


def test_a_key_is_heard_while_an_answer_is_waited_for(site: Site, tty: Terminal) -> None:
    """The server says nothing any more: the call has ten seconds, which nobody should have to wait."""
    tty.run([*PROGRAM, "stuck", site.address])
    tty.until_says("asked again")
    tty.type("x")

    assert ended(tty) == 0


def test_without_a_first_frame_nothing_is_drawn(site: Site, tty: Terminal) -> None:
    site.stop()
    watching(tty, "frames", site)

    assert ended(tty) == 3
    assert tty.raw.startswith(b"no maglevd answers at ")


def test_where_no_terminal_is_frames_stand_below_each_other(site: Site) -> None:
    with subprocess.Popen(
        [*PROGRAM, "frames", site.address], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        said = [running.stdout.readline() for _ in range(13)]
        running.stdout.close()
        assert running.wait(DEADLINE_S) == 141

    assert said[0] == b"width None\n"
    assert said[6] == b"\n"
    assert said[:6] == said[7:]


def test_a_job_of_a_shell_can_be_stopped_and_continued(site: Site, tty: Terminal) -> None:
    tty.run(["bash", "--norc", "--noprofile", "-i"])
    tty.type(f"PS1='ready> '; {' '.join(PROGRAM)} frames {site.address}\r")
    tty.until_says("web2 down")
    tty.type(CTRL_Z)
    tty.until_says("Stopped")
    stopped = tty.raw
    assert stopped.count(ENTER_SCREEN) == stopped.count(LEAVE_SCREEN) == 1
    tty.type("fg\r")
    tty.until(lambda: tty.raw.count(ENTER_SCREEN) == 2, "the picture again")
    tty.type("x")
    tty.until(lambda: [line for line in tty.lines if line][-2:] == ["ended", "ready>"], "its end")
    tty.type("exit\r")

    assert tty.wait() == 0


def test_a_look_that_took_long_makes_the_pause_longer() -> None:
    look = live._Look(lambda _: [], None, took_s=2.0)

    assert live._pause_s(look, lambda: 5.0) == 40.0
    assert live._pause_s(replace(look, took_s=0.01), lambda: 5.0) == 5.0


class Flood:
    """A stream that has more than anybody takes in, and then ends."""

    def __init__(self, total: int) -> None:
        self._left = iter(range(1, total + 1))

    def __iter__(self) -> Iterator[pb.Event]:
        return (pb.Event(resync=pb.ResyncEvent(lost=number)) for number in self._left)


def test_what_nobody_writes_is_left_for_the_server_to_count() -> None:
    keys = Keys(None)
    taken: list[pb.Event] = []
    with live._Inbox() as inbox:
        inbox.begin(Flood(3 * live._UNWRITTEN + 1), keys)
        until(lambda: len(inbox._events) == live._UNWRITTEN, lambda: "a full inbox")
        while not inbox.is_over():
            arrived = inbox.take()
            assert len(arrived) <= live._UNWRITTEN
            taken += arrived
            keys.wait(DEADLINE_S if not arrived else 0.0)
    keys.close()

    assert [event.resync.lost for event in taken] == [*range(1, 3 * live._UNWRITTEN + 2)]
