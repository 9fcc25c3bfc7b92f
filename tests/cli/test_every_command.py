"""Every command of the table, as the real program, against a real maglevd with the embedded VPP under traffic."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maglev.cli.words import RULES
from tests.api.client import Api, calling
from tests.api.site import TABLE, Site, until_up, until_written
from tests.daemon.site import web_server

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SAYS = {
    "help": ("help", ["show vpp lb counters [rate]"]),
    "show version": ("show version", ["maglevc:", "maglevd:"]),
    "show frontends [FRONTEND]": ("show frontends www", ["the website", "main", "web1", "42"]),
    "show backends [BACKEND]": ("show backends web1", ["127.0.0.1", "up", "L7OK"]),
    "show healthchecks [HEALTHCHECK]": ("show healthchecks strict", ["https", "8443", "^ok"]),
    "show vpp info": ("show vpp info", ["version:", "pid:"]),
    "show vpp lb state": ("show vpp lb state", ["198.51.100.1", "203.0.113.128/25", "192.0.2.80"]),
    "show vpp lb counters [rate]": ("show vpp lb counters rate", ["198.51.100.1", "web1,web2"]),
    "show vpp lb plan": ("show vpp lb plan", ["Nothing to do"]),
    "sync vpp lb state [FRONTEND]": ("sync vpp lb state www", ["0"]),
    "set backend BACKEND pause": ("set backend web2 pause", ["backend web2 is paused"]),
    "set backend BACKEND resume": ("set backend web2 resume", ["backend web2 is"]),
    "set backend BACKEND disable": ("--yes set backend web2 disable", ["backend web2 is disabled"]),
    "set backend BACKEND enable": ("set backend web2 enable", ["backend web2 is unknown"]),
    "set frontend FRONTEND pool POOL backend BACKEND weight WEIGHT [flush]": (
        "set frontend www pool main backend web1 weight 41",
        ["frontend www pool main backend web1 has weight 41 (in the file 42), effective weight 41"],
    ),
    "watch events [num NUMBER] [log [level LEVEL]] [backend] [frontend]": (
        "watch events num 3 backend",
        ['{"backend": {"at_ns": '],
    ),
    "watch frontends": None,  # they end by a key: test_watching
    "watch vpp lb counters [rate]": None,
    "config check": ("config check", ["the configuration file is valid"]),
    "config reload": ("config reload", ["the configuration file was taken over"]),
    "quit": ("quit", []),
    "exit": ("exit", []),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with web_server() as port:
        made = Site(tmp_path_factory.mktemp("site"), port)
        with made.vpp.running(), made.running():
            yield made


@pytest.fixture
def maglevc(site: Site) -> Run:
    with calling(Api(), site.address) as client:
        for name in ("web1", "web2"):
            until_up(client, name)
    until_written(site, TABLE)

    def run(line: str, *, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "maglev.cli.main", "--server", site.address, *line.split()],
            env={**os.environ, "COLUMNS": "80"},
            stdin=subprocess.DEVNULL if stdin is None else None,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_every_command_has_its_line_here() -> None:
    assert set(SAYS) == {rule.synopsis for rule in RULES}


@pytest.mark.parametrize(
    "synopsis", [synopsis for synopsis, line in SAYS.items() if line and "BACKEND enable" not in synopsis]
)
def test_it_answers(synopsis: str, maglevc: Run) -> None:
    line, said = SAYS[synopsis] or ("", [])
    done = maglevc(line)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        for each in said:
            assert each in done.stdout
    finally:
        if " disable" in line:
            assert maglevc("set backend web2 enable").stdout.startswith("backend web2 is ")  # up again, if it was quick
        if " pause" in line:
            maglevc("set backend web2 resume")
        if "weight" in line:
            maglevc("set frontend www pool main backend web1 weight 42")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("show version", "maglevd"),
        ("show frontends", "frontends"),
        ("show frontends www", "pools"),
        ("show backends", "backends"),
        ("show backends web1", "transitions"),
        ("show healthchecks", "health_checks"),
        ("show healthchecks ping", "interval_s"),
        ("show vpp info", "boottime_ns"),
        ("show vpp lb state", "vips"),
        ("show vpp lb counters", "backends"),
        ("show vpp lb counters rate", "vips"),
        ("show vpp lb plan", "operations"),
    ],
)
def test_behind_every_show_json_gives_one_document(line: str, key: str, maglevc: Run) -> None:
    done = maglevc(f"{line} | json")

    assert (done.returncode, done.stderr) == (0, "")
    assert key in json.loads(done.stdout)


def test_match_leaves_rows(maglevc: Run) -> None:
    done = maglevc("show backends | match ^web")

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["name", "web1", "web2"]


def test_what_cuts_flows_needs_yes_and_says_how_many(maglevc: Run) -> None:
    refused = maglevc("set backend web1 disable")
    flush = maglevc("set frontend www pool main backend web1 weight 0 flush")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("maglevc: this cuts the flows of web1: about ")
    assert " in 1 VIP, counted " in refused.stderr
    assert refused.stderr.endswith(" ago; say --yes if that is meant\n")
    assert (flush.returncode, flush.stdout) == (2, "")
    assert "this cuts the flows of web1 in www" in flush.stderr
    assert "up" in maglevc("show backends web1").stdout


def test_a_name_that_is_not_there_is_said_before_anybody_is_asked(maglevc: Run) -> None:
    for line in ("set backend web9 disable", "set frontend www pool main backend web9 weight 0 flush"):
        done = maglevc(line)

        assert done.returncode == 1
        assert "web9" in done.stderr


def test_faults_of_the_file_are_all_told_with_their_places(maglevc: Run, site: Site) -> None:
    good = site.config.read_text()
    site.config.write_text(good.replace("weight: 42", "weight: 420").replace("rise: 1", "rise: 0"))
    try:
        for line, so in (
            ("config check", "a reload would take nothing"),
            ("config reload", "nothing of it was taken over"),
        ):
            done = maglevc(line)

            assert done.returncode == 1
            assert [each for each in ("weight", "rise") if each in done.stdout] == ["weight", "rise"]
            assert done.stdout.count("line ") == 2
            assert done.stderr.startswith(f"maglevc: 2 faults in the configuration file: {so}")
    finally:
        site.config.write_text(good)
    assert maglevc("config check").returncode == 0


def test_a_script_runs_until_a_command_fails(maglevc: Run) -> None:
    done = maglevc("", stdin="# a comment\n\nshow backends web1 | match address\nshow frobs\nshow version\n")

    assert done.returncode == 2
    assert done.stdout == "address:  127.0.0.1\n"
    assert "unknown word 'frobs'" in done.stderr
    assert done.stderr.endswith("maglevc: stopped at line 4\n")


def test_a_script_may_leave_early(maglevc: Run) -> None:
    done = maglevc("", stdin="show version\nquit\nshow frobs\n")

    assert (done.returncode, done.stderr) == (0, "")


def test_no_server_is_3(maglevc: Run, tmp_path: Path) -> None:
    done = maglevc(f"--server unix:{tmp_path}/nobody show frontends")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
