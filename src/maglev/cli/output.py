"""Where answers and complaints go: stdout and stderr of this process, and how it ends; knows no command."""

import contextlib
import enum
import os
import sys
from collections.abc import Iterable
from typing import TextIO

from maglev.errors import ConfigError, MaglevError, Refused


class Exit(enum.IntEnum):
    """What the exit status says."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_SERVER = 3
    FAULT = 70  # EX_SOFTWARE
    NO_OUTPUT = 74  # EX_IOERR
    BROKEN_PIPE = 141  # 128 + SIGPIPE


class Unwritable(Exception):
    """Nobody takes what we have to say; `status` is how to end."""

    def __init__(self, status: Exit) -> None:
        super().__init__(status)
        self.status = status


def status_of(error: MaglevError) -> Exit:
    """By the family of the error."""
    if isinstance(error, ConfigError):
        return Exit.USAGE
    return Exit.REFUSED if isinstance(error, Refused) else Exit.NO_SERVER


def write(lines: Iterable[str]) -> None:
    """To stdout, at once. Raises Unwritable, and has said why unless the reader has just seen enough."""
    if sys.stdout is None:  # started with it closed
        complain("cannot write the answer: standard output is closed")
        raise Unwritable(Exit.NO_OUTPUT)
    try:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> Unwritable:
    """What to raise when stdout has failed; it is not written to any more."""
    _forget_output()
    if isinstance(error, BrokenPipeError):
        return Unwritable(Exit.BROKEN_PIPE)
    complain(f"cannot write the answer: {error.strerror}")
    return Unwritable(Exit.NO_OUTPUT)


def complain(sentence: str) -> None:
    """To stderr, if there is any; in a terminal no word is parted at its margin.

    A server may have had its say in it, and must not move the cursor.
    """
    if sys.stderr is not None:
        lines = f"maglevc: {sentence}".split("\n")
        columns = _columns(sys.stderr)
        if columns is not None or not sentence.isprintable():
            from maglev.cli.render import text

            lines = [text.printable(line) for line in lines]
            if columns is not None:
                lines = [each for line in lines for each in text.wrapped(line, columns)]
        with contextlib.suppress(OSError):
            sys.stderr.write("".join(f"{line}\n" for line in lines))
            sys.stderr.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is at the other end."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def width() -> int | None:
    """Columns of the terminal that takes our answers; None for a pipe or a file, which have no end."""
    return _columns(sys.stdout)


def _columns(stream: TextIO | None) -> int | None:
    if stream is None or not is_terminal(stream):
        return None
    with contextlib.suppress(OSError):
        if columns := os.get_terminal_size(stream.fileno()).columns:
            return columns
    return 80  # a serial line does not know


def _forget_output() -> None:
    """What could not be written stays buffered, and Python would try again, and complain, as it ends."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
