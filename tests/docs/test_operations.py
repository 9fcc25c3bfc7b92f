"""docs/operations.md is true: its failure drill is played on a real maglevd, its alerts are those of the rules."""

import configparser
import inspect
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from maglev import daemon, descriptors, options
from maglev.control.watching import MAX_PROBES_AT_ONCE
from maglev.core import holdback
from maglev.core.model import TCP, VipKey
from maglev.core.observed import DelBackend
from maglev.core.record import Record, Value
from maglev.logs.events import fields_of
from maglev.logs.forms import as_json
from maglev.logs.log import value_of
from maglev.vpp import session
from tests.cli.stage import TABLE, WEBS, Stage, Webs, webs
from tests.contrib import rules
from tests.daemon.site import free_port
from tests.docs import names, shell
from tests.docs.pages import ROOT, blocks, code, marked, rows, text
from tests.logs.samples import SAMPLES
from tests.processes import Process, until

PAGE = "docs/operations.md"
ADDRESSES = {"198.51.100.11": WEBS["web1"]}
"""Of the page's backends, here."""


class Drill:
    """What is done by hand and by systemd on a router, done to processes."""

    def __init__(self, stage: Stage, servers: Webs, vpp: ExitStack, maglevd: ExitStack) -> None:
        self._stage, self._servers, self._vpp, self._maglevd = stage, servers, vpp, maglevd
        self._file = stage.config.read_text()
        self._port = free_port()
        self.process: Process
        self._seen = 0
        self._start_vpp()
        self._start()

    def _start_vpp(self) -> None:
        self._vpp.enter_context(self._stage.vpp.running())

    def _start(self) -> None:
        self.process = self._maglevd.enter_context(self._stage.running("--metrics-addr", f"127.0.0.1:{self._port}"))
        self._seen = 0

    def begin(self) -> None:
        """What is in the log by now is of earlier steps."""
        self._seen = len(self._said)

    def do(self, cell: str) -> None:
        if "put the file back" in cell:
            self._stage.config.write_text(self._file)
        for command in code(cell):
            self._carry_out(command, re.findall(r"\bweb\d", cell.partition("`")[0]))

    def _carry_out(self, command: str, servers: list[str]) -> None:
        match command.split():
            case "systemctl", "stop" | "start" as verb, "nginx":
                assert servers
                for name in servers:
                    self._servers.ill(name, verb == "stop")
            case "systemctl", "restart", "vpp":
                self._vpp.close()
                self._start_vpp()
            case "systemctl", "restart", "maglevd":
                self.process.signal(signal.SIGTERM)
                assert self.process.wait() == 0
                assert self._says("stopped", "info")
                self._start()
            case "systemctl", "kill", "-s", "KILL", "maglevd":
                self.process.signal(signal.SIGKILL)
                assert self.process.wait() == -signal.SIGKILL
                self._start()
            case ("systemctl", "reload", "maglevd") | ("kill", "-HUP", "$(pidof", "-x", "maglevd)"):
                self.process.signal(signal.SIGHUP)
            case "maglevc", *_:
                subprocess.run(command, shell=True, env=self._stage.environ, cwd=self._stage.directory, check=True)
            case "vppctl", "lb", "as", prefix, "protocol", "tcp", "port", port, address, "del":
                vip = VipKey(ip_network(prefix), TCP, int(port))
                self._stage.vpp.write(DelBackend(vip, ip_address(ADDRESSES[address])))
            case "weight:" | "netns:", _:
                self._stage.config.write_text(self._changed(command))
            case ("healthchecker",):
                pass  # where that line is to stand
            case _:
                raise AssertionError(f"nobody knows how to do {command!r} here")

    def _changed(self, line: str) -> str:
        key = line.partition(":")[0]
        if key == "weight":
            return self._file.replace("weight: 50", line, 1)
        return self._file.replace("maglev:\n", f"maglev:\n  healthchecker: {{{line}}}\n", 1)

    def until_seen(self, log: str, metrics: str) -> None:
        for event, level in re.findall(r"`([a-z-]+)` at (\w+)", log):
            if event != "stopped":  # its log is gone with it
                self._until(lambda event=event, level=level: self._says(event, level), f"{event} at {level}")
        for line in code(metrics):
            self._until(lambda line=line: f"\n{line}\n" in self.metrics().replace(".0\n", "\n"), line)

    def until_right(self) -> None:
        """VPP has what it had before."""
        self._until(lambda: self._stage.vpp.weights() == TABLE, f"{TABLE} in VPP")

    def _until(self, is_so: object, what: str) -> None:
        assert callable(is_so)
        until(is_so, lambda: f"{what}; /metrics:\n{self.metrics()}\n{self.process.output}", self.process)

    def _says(self, event: str, level: str) -> bool:
        return [level.upper(), event] in self._said[self._seen :]

    @property
    def _said(self) -> list[list[str]]:
        """Level and event of each line."""
        return [line.split()[1:3] for line in self.process.output.splitlines()]

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
            return str(answer.read(), "utf-8")


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    with webs() as servers, ExitStack() as vpp, ExitStack() as maglevd:
        played = Drill(Stage(tmp_path, servers.port), servers, vpp, maglevd)
        played.until_right()
        yield played


def test_the_failure_drill_shows_what_it_is_said_to_show(drill: Drill) -> None:
    steps = rows(marked(PAGE, "drill"))
    assert len(steps) > 8
    for _, what, log, metrics, undo in steps:
        drill.begin()
        drill.do(what)
        drill.until_seen(log, metrics)
        drill.do(undo)
        drill.until_right()


def test_every_alert_is_told_with_its_severity_and_its_place_in_the_runbook() -> None:
    told = [(re.findall(r"\[(\w+)\]\(([\w.#]+)\)", alert)[0], severity) for alert, severity, _ in table("alerts")]

    assert told == [
        ((alert.name, f"runbook.md#{alert.name.lower()}"), alert.labels["severity"]) for alert in rules.alerts()
    ]


def test_the_numbers_are_those_of_the_code_and_of_the_unit() -> None:
    told = " ".join(text(PAGE).split())
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "contrib/systemd/maglevd.service")
    service, starts = unit["Service"], unit["Unit"]
    retry_s = inspect.signature(session.keep_connected).parameters["retry_s"].default

    assert starts["StartLimitIntervalSec"] == "0"
    assert f"after others systemd tries again every {seconds(service['RestartSec'])}, for ever" in told
    assert f"starts it again after {seconds(service['RestartSec'])}" in told
    assert f"come to no end for {seconds(service['WatchdogSec'])}" in told
    assert f"`LimitNOFILE` of the unit, {service['LimitNOFILE']}, is enough" in told
    assert int(service["LimitNOFILE"]) >= 2 * MAX_PROBES_AT_ONCE
    assert f"{2 * MAX_PROBES_AT_ONCE:,} at most, {descriptors.LEAST} at least" in told
    assert f"at most {retry_s:g} s after VPP's sockets are there" in told
    assert f"**A stop** waits up to {daemon.STOP_GRACE_S:g} s" in told
    assert holdback.DEATHS == 3
    assert f"after the third time maglevd waits {holdback.PAUSE_S:g} s, then longer" in told
    assert "(7 debug, 6 info, 4 warning, 3 error)" in told
    assert [names.priority(level) for level in ("debug", "info", "warning", "error")] == [7, 6, 4, 3]
    assert service["RestartPreventExitStatus"] == f"{options.EXIT_SYNTAX} {options.EXIT_SEMANTIC}"
    assert [(row[0], row[2]) for row in rows(told_table("exit status"))] == [
        (str(options.EXIT_OK), "leaves it"),
        (str(options.EXIT_SYNTAX), "leaves it: a restart mends nothing"),
        (str(options.EXIT_SEMANTIC), "leaves it"),
        *((str(each), "starts it again after 5 s") for each in (options.EXIT_FAILED, options.EXIT_FAULT)),
    ]


def seconds(setting: str) -> str:
    """As the page says it."""
    return setting.removesuffix("s") + " s"


def told_table(first: str) -> str:
    """The one whose head begins so."""
    head = f"| {first} |"
    return head + text(PAGE).partition(head)[2].partition("\n\n")[0]


def test_events_and_metrics_of_what_happens_exist() -> None:
    """Those of the drill are seen; these are only named."""
    happenings = rows(told_table("event"))

    assert len(happenings) > 9
    for _, _, log, metrics in happenings:
        assert [event for event in code(log) if event not in names.events()] == []
        assert [name for name in code(metrics) if name not in names.metrics() | {"up"}] == []


FILTERS = [
    words[words.index("jq") + 1 :]
    for block in blocks(PAGE)
    for words in shell.commands(block.text if block.language == "sh" else "")
    if "jq" in words and "-R" in words
]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("words", FILTERS, ids=lambda words: words[-1][:60])
def test_a_filter_for_the_log_finds_something_in_it_and_skips_what_systemd_says(words: list[str]) -> None:
    records = [Record(1_000_000_000, each.level, each.name, values(fields_of(each))) for each in SAMPLES]
    lines = ["Started maglevd.service.", *map(as_json, records)]
    found = subprocess.run(["jq", *words], input="\n".join(lines), capture_output=True, text=True, check=True).stdout

    assert found
    assert "null" not in found or "-r" not in words


def values(fields: Mapping[str, object]) -> dict[str, Value]:
    return {name: value_of(value) for name, value in fields.items()}


def table(name: str) -> list[list[str]]:
    return rows(marked(PAGE, name))
