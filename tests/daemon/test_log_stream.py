"""maglevd's stderr as a process has it: JSON where nobody reads along, and whatever becomes of its reader."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.daemon.site import Site
from tests.processes import DEADLINE_S, TIED, running, until

MAGLEVD = (sys.executable, "-m", "maglev.entry")


def arguments_of(site: Site, *more: str) -> list[str]:
    """Without the form of the log that other tests ask for, and without a VPP."""
    words = site.arguments
    where = words.index("--log-format")
    return [*words[:where], *words[where + 2 :], "--vpp-api-addr", "", *more]


@contextmanager
def maglevd(
    command: Sequence[str], stderr: int | None, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*TIED, *command], stderr=stderr, env={**os.environ, **(environ or {})})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(DEADLINE_S)


def until_it_is_up(site: Site, process: subprocess.Popen[bytes]) -> None:
    until(lambda: site.state() == "up" or process.poll() is not None, lambda: "the backend to be up")
    assert process.poll() is None


def test_in_a_file_every_line_is_json(site: Site) -> None:
    with running("maglev.entry", arguments_of(site, "--log-level", "debug"), site.log) as process:
        process.until_says("frontend-transition")
        site.config.write_text("maglev: [")
        process.signal(signal.SIGHUP)
        process.until_says("config-refused")
        assert process.stop() == 0

    records = [json.loads(line) for line in process.output.splitlines()]
    assert {"started", "probe-start", "probe-done", "backend-transition", "config-refused", "stopped"} <= {
        record["event"] for record in records
    }
    transition = next(record for record in records if record["event"] == "backend-transition")
    moment, detail = transition.pop("time"), transition.pop("detail")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert isinstance(detail, str)
    assert transition == {
        "level": "info",
        "event": "backend-transition",
        "backend": "a",
        "address": "127.0.0.1",
        "from": "unknown",
        "to": "up",
        "code": "L7OK",
    }
    done = next(record for record in records if record["event"] == "probe-done")
    assert done["passed"] is True
    assert isinstance(done["duration_s"], float)


def test_why_it_could_not_start_is_a_record_as_well(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.metrics_port)):
        done = subprocess.run([*MAGLEVD, *arguments_of(site)], capture_output=True, timeout=DEADLINE_S, check=False)

    failed = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, failed["event"], failed["level"]) == (3, "failed", "error")
    assert f"127.0.0.1:{site.metrics_port}" in failed["reason"]


def test_on_a_terminal_it_is_text(site: Site) -> None:
    ours, theirs = pty.openpty()
    with maglevd([*MAGLEVD, *arguments_of(site)], theirs) as process:
        os.close(theirs)
        until_it_is_up(site, process)
        said = b""
        while b"backend-transition" not in said:
            said += os.read(ours, 65536)
        assert stopped(process) == 0
    os.close(ours)
    assert b"Z INFO started version=" in said


def test_the_journal_gets_a_priority_before_each_line(site: Site) -> None:
    ours, theirs = socket.socketpair()
    found = os.fstat(theirs.fileno())
    environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    with ours, maglevd([*MAGLEVD, *arguments_of(site)], theirs.fileno(), environ) as process:
        theirs.close()
        until_it_is_up(site, process)
        assert stopped(process) == 0
        lines = ours.makefile().read().splitlines()

    for line in lines:
        priority, record = line[:3], json.loads(line[3:])
        assert priority == {"info": "<6>", "warning": "<4>"}[record["level"]]


def test_a_reader_that_stands_still_stops_no_probe_and_no_end(site: Site) -> None:
    """A pipe of 4,096 bytes that nobody reads; 60 probes log more than three times as much."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    more = "".join(f"    b{n}: {{address: 127.0.0.{n}, healthcheck: web}}\n" for n in range(2, 11))
    site.config.write_text(site.config.read_text().replace("  backends:\n", f"  backends:\n{more}"))

    def probes() -> float:
        counts = re.findall(r"^maglev_probe_total\{.*\} (\S+)$", site.metrics(), re.MULTILINE)
        return sum(map(float, counts))

    with maglevd([*MAGLEVD, *arguments_of(site, "--log-level", "debug")], writer) as process:
        os.close(writer)
        until_it_is_up(site, process)
        until(lambda: probes() > 60, lambda: "60 probes")
        assert stopped(process) == 0
    lines = os.read(reader, 65536).decode().splitlines()
    os.close(reader)
    assert json.loads(lines[0])["event"] == "started"


def test_a_reader_that_is_gone_ends_nothing(site: Site) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with maglevd([*MAGLEVD, *arguments_of(site)], writer) as process:
        os.close(writer)
        until_it_is_up(site, process)
        assert stopped(process) == 0


def test_without_a_stderr_it_does_the_same_work(site: Site) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *MAGLEVD, *arguments_of(site)]
    with maglevd(command, None) as process:
        until_it_is_up(site, process)
        assert stopped(process) == 0


def test_without_a_stderr_a_bad_config_still_has_its_status(site: Site) -> None:
    site.config.write_text("maglev: {nonsense: 1}")
    command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *MAGLEVD, *arguments_of(site)]
    with maglevd(command, None) as process:
        assert process.wait(DEADLINE_S) == 2
