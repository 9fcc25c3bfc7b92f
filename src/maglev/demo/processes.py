"""Child processes of the demo: started with their output in a file, ended with the demo however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

STOP_S = 5.0
PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None)


class Child:
    """`python -m MODULE ARGUMENTS...`, in a session of its own, so that Ctrl-C reaches only the demo."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path) -> None:
        self.module = module
        self.log = log
        with log.open("wb") as output:
            # Started from this thread on purpose: the kernel ends the child when the thread that made it is gone.
            self._process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    async def ended(self) -> int:
        """Wait for its end; returns the exit status, which `end_of` puts into words."""
        pidfd = os.pidfd_open(self._process.pid)
        try:
            await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
        return self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def stop(self) -> None:
        """Ask it to end, insist after STOP_S seconds."""
        with trio.CancelScope(shield=True):
            if not self.is_running:
                return
            self._process.send_signal(signal.SIGTERM)
            with trio.move_on_after(STOP_S):
                await self.ended()
            if self.is_running:
                self._process.kill()
                await self.ended()


def end_of(status: int) -> str:
    """How a process ended, by the status that subprocess gives: negative when a signal killed it."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # most real-time signals have no name
        name = f"signal {-status}"
    return f"was killed by {name}"


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
