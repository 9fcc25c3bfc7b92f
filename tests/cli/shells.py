"""A shell in a pseudo-terminal: keys, and what its user sees down to the cursor."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from maglev.cli.shell import prompt_of
from tests.cli.terminal import Terminal, terminal

UP, LEFT, RIGHT, HOME = "\x1b[A", "\x1b[D", "\x1b[C", "\x01"
CTRL_D, CTRL_R, CTRL_U = "\x04", "\x12", "\x15"
TAB, ENTER, ERASE = "\t", "\r", "\x7f"

COMMAND = (sys.executable, "-m", "maglev.cli.main")


def pasted(text: str) -> str:
    """As a terminal hands over a paste, to programs that asked to be told."""
    return f"\x1b[200~{text}\x1b[201~"


class Shell:
    """`terminal` has it all; this is about the last lines."""

    def __init__(self, inside: Terminal) -> None:
        self.terminal = inside

    def type(self, keys: str) -> None:
        """While there is a prompt: without one, while a command runs, the terminal has its own idea of some keys."""
        self.terminal.type(keys)

    @property
    def lines(self) -> list[str]:
        """Down to the cursor, and below it only if there is something."""
        at = self.terminal.screen.cursor.y
        return [*self.terminal.lines[: at + 1], *(line for line in self.terminal.lines[at + 1 :] if line)]

    def until_ends(self, *lines: str, column: int | None = None) -> None:
        """Until these are the last lines of the screen, and the cursor is at the end of them, or in `column`."""
        at = len(lines[-1]) if column is None else column
        wanted = [line.rstrip() for line in lines]
        self.terminal.until(
            lambda: self.lines[-len(lines) :] == wanted and self.terminal.screen.cursor.x == at,
            f"{wanted}, and the cursor in column {at}; it is in {self.terminal.screen.cursor.x}",
        )

    def until_says(self, text: str) -> None:
        self.terminal.until_says(text)

    def wait(self) -> int:
        return self.terminal.wait()


@contextmanager
def in_terminal(
    command: Sequence[str], environ: Mapping[str, str], columns: int = 80, rows: int = 24
) -> Iterator[Shell]:
    with terminal(columns, rows) as inside:
        inside.run(command, environ={"TERM": "xterm-256color", **environ})
        yield Shell(inside)


@contextmanager
def maglevc(server: str, state: Path, columns: int = 80, rows: int = 24, **environ: str) -> Iterator[Shell]:
    """maglevc without words, which keeps its history in `state`, and has put its prompt."""
    command = (*COMMAND, "--server", server)
    with in_terminal(command, {"XDG_STATE_HOME": str(state), **environ}, columns, rows) as shell:
        shell.until_ends(prompt_of(server))
        yield shell
