"""The processes of the tests do not outlive the tests."""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import DEADLINE_S, TIED

PARENT = """
import sys
from pathlib import Path
from tests.processes import Process
directory = Path(sys.argv[1])
sockets = ["--api-socket", str(directory / "api.sock"), "--stats-socket", str(directory / "stats.sock")]
one = Process("maglev.emulator", sockets, directory / "log")
one.until_says("embedded VPP")
print(one.popen.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not TIED, reason="there is no setpriv")
def test_they_end_when_the_tests_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([child], [], [], DEADLINE_S)[0], "the child lives on"
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)
