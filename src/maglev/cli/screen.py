"""A terminal's screen as a place for one picture after the other; must not know what they show."""

import contextlib
import os
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from maglev.cli import drawing
from maglev.cli.render import text
from maglev.errors import MaglevError, Unavailable

_ENDS = "any key ends"
_HEAD_ROWS = 2


@dataclass(frozen=True, slots=True)
class Screen:
    """Where pictures go; `command` is what the head line calls them, `clock` the time of day."""

    command: str
    output: TextIO
    clock: Callable[[], str] = lambda: time.strftime("%H:%M:%S")

    @property
    def is_terminal(self) -> bool:
        """Whether it can be drawn on."""
        return self.output.isatty()

    def size(self) -> drawing.Size:
        """As it is now."""
        columns, rows = os.get_terminal_size(self.output.fileno())
        return drawing.Size(columns or 80, rows or 24)  # a serial line may say 0

    def write(self, drawn: str) -> None:
        """At once, and not by way of Python's buffers: a signal may have to write while something is being written."""
        number = self.output.fileno()
        left = memoryview(drawn.encode(self.output.encoding, "backslashreplace"))
        while left:
            try:
                left = left[os.write(number, left) :]
            except BlockingIOError:  # a program before us has left the terminal so
                waiting = select.poll()
                waiting.register(number, select.POLLOUT)
                waiting.poll()


class Canvas:
    """The newest lines, below a head line, drawn in place."""

    def __init__(self, screen: Screen, lines: Sequence[str]) -> None:
        self.size = screen.size()
        self._screen = screen
        self._lines = lines
        self._drawn: list[str] = []
        self._trouble: MaglevError | None = None
        self._since = ""
        self._is_entered = False

    def enter(self) -> None:
        """Take the screen; what was on it comes back in the end."""
        self._is_entered = True
        self._screen.write(drawing.ENTER)

    def leave(self) -> None:
        """Give it back."""
        self._is_entered = False
        self._screen.write(drawing.LEAVE)

    def take_in(self, lines: Callable[[], Sequence[str]]) -> None:
        """The newest; where there are none, those of before stay, and the head line says since when."""
        try:
            self._lines = lines()
        except MaglevError as error:
            self._since = self._since if self._trouble else self._screen.clock()
            self._trouble = error
        else:
            self._trouble = None

    def draw(self) -> bool:
        """Draw them, and say whether the size has changed. Nothing while another job has the screen."""
        before, self.size = self.size, self._screen.size()
        if self._is_entered:
            rows = drawing.Size(self.size.columns, max(self.size.rows - _HEAD_ROWS, 0))
            self._drawn = [*self._head(), *drawing.seen(self._lines, rows)][: self.size.rows]
            self._screen.write(drawing.picture(self._drawn, self.size))
        return before != self.size

    def keep(self) -> None:
        """Leave what was drawn last on the screen that is there when we have gone."""
        with contextlib.suppress(BrokenPipeError):
            self._screen.write("".join(f"{line}\n" for line in self._drawn))

    def _head(self) -> list[str]:
        if self._trouble is None:
            return [drawing.head(self._screen.command, f"{self._screen.clock()}  {_ENDS}", self.size.columns), ""]
        what = "no answer" if isinstance(self._trouble, Unavailable) else "refused"
        right = f"{what} since {self._since}  {_ENDS}"
        said = drawing.fitted(text.printable(str(self._trouble)), self.size.columns)
        return [drawing.head(self._screen.command, right, self.size.columns), said]
