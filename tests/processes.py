"""Real processes for tests: output in a file, always ended, awaited by what they say or do, never by a guessed time."""

import os
import re
import select
import shutil
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

# The kernel ends a test's process when the tests are killed. Done by a program, as Python code between fork and exec
# (preexec_fn) is not safe in tests that have threads.
TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()

T = TypeVar("T")


class Program:
    """A command with stdout and stderr in one file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [*TIED, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self) -> int:
        return self.popen.wait(DEADLINE_S)

    def signal_until_it_ends(self, number: int) -> int:
        """Signals it without a pause: at each moment of its stop, of its last lines and of the end of Python."""
        deadline = time.monotonic() + DEADLINE_S
        while self.popen.poll() is None and time.monotonic() < deadline:
            self.popen.send_signal(number)
            os.sched_yield()
        return self.wait()

    def until_says(self, text: str) -> None:
        until(lambda: text in self.output, lambda: f"{text!r} in:\n{self.output}", self)

    def stand_still(self, seconds: float) -> None:
        """Stopped by the kernel for so long: for the process that time is just gone."""
        self.popen.send_signal(signal.SIGSTOP)
        try:
            select.select([], [], [], seconds)
        finally:
            self.popen.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(DEADLINE_S)
        finally:
            self.popen.kill()


class Process(Program):
    """`python -m MODULE ...`."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path) -> None:
        super().__init__([sys.executable, "-m", module, *arguments], log)


@contextmanager
def running(module: str, arguments: Sequence[str], log: Path) -> Iterator[Process]:
    process = Process(module, arguments, log)
    try:
        yield process
    finally:
        process.stop()


def until(is_so: Callable[[], T], what: Callable[[], str], process: Program | None = None) -> T:
    """Look again and again until it is so; fails with `what` after DEADLINE_S or when `process` has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while not (answer := is_so()):
        if process is not None and process.popen.poll() is not None and not is_so():
            raise AssertionError(f"the process ended with {process.popen.returncode}; waited for {what()}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {DEADLINE_S:g} s for {what()}")
        select.select([], [], [], PAUSE_S)
    return answer


def until_it_takes_its_signals(process: Process) -> None:
    """Wait for the first line of its program: Python catches SIGINT from early on, our programs first give it back.

    Before Python catches it there is a moment in which it looks the same, and a signal would be swallowed. But only a
    program that imports its modules grows meanwhile.
    """
    seen_mb: list[int] = []

    def has_given_it_back() -> bool:
        if not _leaves_sigint_to_the_kernel(process.popen.pid):
            seen_mb.clear()
            return False
        seen_mb.append(resident_mb(process.popen.pid))
        return seen_mb[-1] > seen_mb[0]

    until(has_given_it_back, lambda: "its first line to run", process)


def resident_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) // 256


def _leaves_sigint_to_the_kernel(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.findall(r"SigCgt:\s+(\w+)", status)[0], 16)
    ignored = int(re.findall(r"SigIgn:\s+(\w+)", status)[0], 16)
    is_python_up = bool(ignored & 1 << (signal.SIGPIPE - 1)) and resident_mb(pid) > 8
    return is_python_up and not caught & 1 << (signal.SIGINT - 1)


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
