"""A program in a real pseudo-terminal, and what is to be seen there; looked at until it is so, never after a guess."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyte

from tests.processes import DEADLINE_S, TIED

CTRL_C, CTRL_Z = "\x03", "\x1a"
ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"

# The terminal has to control the program, or Ctrl-C would be a key like any other.
_OWNS_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """`screen` is what is to be seen, `raw` all that was written, `before` how the terminal was set."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._ours, self.theirs = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns, rows)
        self.before = self.settings
        self.popen: subprocess.Popen[bytes] | None = None

    def run(
        self,
        command: Sequence[str],
        stdin: int | None = None,
        stdout: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """With the terminal for what is not given, and `environ` on top of ours."""
        self.popen = subprocess.Popen(
            [*TIED, sys.executable, "-c", _OWNS_IT, *command] if stdin is None else [*TIED, *command],
            stdin=self.theirs if stdin is None else stdin,
            stdout=self.theirs if stdout is None else stdout,
            stderr=self.theirs,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
        )

    @property
    def settings(self) -> list[object]:
        """Echo, line editing, signals; of the program's side."""
        return list(termios.tcgetattr(self.theirs))

    @property
    def hears_keys(self) -> bool:
        """Single keys, without an echo."""
        local = termios.tcgetattr(self.theirs)[3]
        return not local & termios.ICANON and not local & termios.ECHO

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, is_so: Callable[[], object], what: str, patience_s: float = DEADLINE_S) -> None:
        """Take in what is written until it is so."""
        deadline = time.monotonic() + patience_s
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {patience_s:g} s for {what}; seen:\n" + "\n".join(self.lines))
            self._take_in(0.02)

    def until_says(self, text: str) -> None:
        """On the screen as it is."""
        self.until(lambda: any(text in line for line in self.lines), repr(text))

    def wait(self) -> int:
        """How it ended, with all that it wrote taken in."""
        assert self.popen is not None
        self.until(lambda: self.popen is not None and self.popen.poll() is not None, "the end of the program")
        while self._take_in(0.0):
            pass
        return self.popen.wait()

    def close(self) -> None:
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()
        os.close(self._ours)
        os.close(self.theirs)

    def _take_in(self, patience_s: float) -> bool:
        if not select.select([self._ours], [], [], patience_s)[0]:
            return False
        written = os.read(self._ours, 65536)
        self.raw += written
        self._stream.feed(written)
        return True


@contextmanager
def terminal(columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    made = Terminal(columns, rows)
    try:
        yield made
    finally:
        made.close()
