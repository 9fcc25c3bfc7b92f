"""The live demo on a terminal: a pseudo-terminal of our own, with its size and its Ctrl-C."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import DEADLINE_S, TIED, mentioned_by, until

ENTER_OTHER_SCREEN, LEAVE_OTHER_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HOME = "\x1b[H"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = b"\x03"


class Terminal:
    """The user's end of a terminal, and the demo on the other end."""

    def __init__(self, lines: int, columns: int) -> None:
        self.shown = ""
        self._fd, other_end = os.openpty()
        os.set_blocking(self._fd, False)
        self.resize(lines, columns)
        # setsid makes it the terminal of the demo, so that Ctrl-C and a new size reach it as signals.
        command = [*TIED, "setsid", "--ctty", sys.executable, "-m", "maglev.demo"]
        # pytest loads readline, which sets LINES and COLUMNS where Python does not see it: give what Python sees.
        env = dict(os.environ)
        self.popen = subprocess.Popen(command, stdin=other_end, stdout=other_end, stderr=other_end, env=env)
        os.close(other_end)

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self._fd, key)

    def until_shows(self, text: str) -> None:
        until(lambda: text in self.read(), lambda: f"{text!r} in:\n{self.shown}")

    def until_screen_of(self, lines: int, columns: int) -> None:
        """Wait for a whole screen of exactly this size."""

        def is_drawn() -> bool:
            screens = [CONTROL.sub("", screen).splitlines() for screen in self.read().split(HOME)[1:-1]]
            return any(len(screen) == lines and {len(line) for line in screen} == {columns} for screen in screens)

        until(is_drawn, lambda: f"a screen of {lines} lines and {columns} columns in:\n{self.shown!r}")

    def read(self) -> str:
        try:
            while chunk := os.read(self._fd, 65536):
                self.shown += chunk.decode(errors="replace")
        except OSError:  # nothing more now (EAGAIN), or the other end is closed (EIO)
            pass
        return self.shown

    def until_ended(self) -> int:
        def has_ended() -> bool:
            self.read()
            return self.popen.poll() is not None

        until(has_ended, lambda: f"its end:\n{self.shown}")
        self.read()
        return self.popen.wait()

    def close(self) -> None:
        os.close(self._fd)  # the demo gets SIGHUP if it is still there
        try:
            self.popen.wait(DEADLINE_S)
        finally:
            self.popen.kill()


@contextmanager
def terminal(lines: int, columns: int) -> Iterator[Terminal]:
    one = Terminal(lines, columns)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("COLUMNS", "LINES", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_live_demo_follows_the_size_of_its_terminal_and_ends_with_ctrl_c(scratch: Path) -> None:
    with terminal(40, 120) as user:
        user.until_shows(ENTER_OTHER_SCREEN)
        user.until_shows("maglevd and VPP ")
        user.until_shows("takes the traffic")
        user.until_screen_of(40, 120)
        user.resize(24, 90)
        user.until_screen_of(24, 90)
        user.press(CTRL_C)
        assert user.until_ended() == 0

    _, left = user.shown.split(LEAVE_OTHER_SCREEN)
    assert "takes the traffic" in left  # how far it came stays on the user's screen
    assert "Traceback" not in user.shown
    assert mentioned_by(str(scratch)) == []
    assert list(scratch.glob("maglev-demo-*")) == []


def test_a_terminal_that_is_closed_ends_the_demo(scratch: Path) -> None:
    with terminal(40, 120) as user:
        user.until_shows("maglevd and VPP ")

    assert user.popen.returncode == 0
    assert mentioned_by(str(scratch)) == []
    assert list(scratch.glob("maglev-demo-*")) == []
