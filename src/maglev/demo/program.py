"""The demo as a program: its command line, its directory, its signals and its exit status."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio

from maglev import signals
from maglev.demo.composition import Demo, DemoFailed
from maglev.demo.options import Options, read_options
from maglev.demo.story import NotSeen
from maglev.errors import MaglevError, leaves

EXIT_OK, EXIT_NOT_SEEN, EXIT_INTERRUPTED = 0, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    return trio.run(_run, read_options(argv))


async def _run(options: Options) -> int:
    """The directory is made after the signals are taken and removed before they are given up: none can leave it."""
    scope = trio.CancelScope()
    failures: list[Exception] = []
    is_told = False
    with signals.stopped_by(scope.cancel, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        directory = Path(tempfile.mkdtemp(prefix="maglev-demo-"))
        try:
            with scope:
                await Demo(options, directory).run()
                is_told = True
        except* (DemoFailed, NotSeen, MaglevError, OSError) as group:
            failures = list(leaves(group))
        if not failures:
            shutil.rmtree(directory, ignore_errors=True)
            return EXIT_OK if is_told or options.is_live else EXIT_INTERRUPTED
        for failure in failures:
            sys.stderr.write(f"demo: {failure}\n")
        sys.stderr.write(f"demo: logs are kept in {directory}\n")
        return EXIT_NOT_SEEN
