"""Real processes for tests: output in a file, always ended, awaited by what they say or do, never by a guessed time."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

DEADLINE_S = 30.0
PAUSE_S = 0.02  # between two looks at another process; nothing depends on its length

T = TypeVar("T")


class Process:
    """`python -m MODULE ...` with stdout and stderr in one file."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self) -> int:
        return self.popen.wait(DEADLINE_S)

    def until_says(self, text: str) -> None:
        until(lambda: text in self.output, lambda: f"{text!r} in:\n{self.output}", self)

    def stop(self) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(DEADLINE_S)
        finally:
            self.popen.kill()


@contextmanager
def running(module: str, arguments: Sequence[str], log: Path) -> Iterator[Process]:
    process = Process(module, arguments, log)
    try:
        yield process
    finally:
        process.stop()


def until(is_so: Callable[[], T], what: Callable[[], str], process: Process | None = None) -> T:
    """Look again and again until it is so; fails with `what` after DEADLINE_S or when `process` has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while not (answer := is_so()):
        if process is not None and process.popen.poll() is not None and not is_so():
            raise AssertionError(f"the process ended with {process.popen.returncode}; waited for {what()}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {DEADLINE_S:g} s for {what()}")
        select.select([], [], [], PAUSE_S)
    return answer


def mentioned_by(text: str) -> list[int]:
    """Ids of processes whose command line has `text` in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in words:
                found.append(int(entry.name))
    return found
