"""maglevd(8) says what maglevd does: flags, statuses, numbers, and the unit that it runs by."""

import inspect
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from maglev import daemon, options
from maglev.config.parse import parse
from maglev.control.watching import MAX_PROBES_AT_ONCE
from maglev.manuals import maglevd
from maglev.vpp.session import keep_connected
from tests.config import guide
from tests.manuals.rendered import rendered, section

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "contrib/systemd/maglevd.service").read_text()
DROP_IN = ROOT / "contrib/systemd/netns.conf"


@pytest.fixture(scope="module")
def page() -> str:
    return rendered("maglevd.8")


def said(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=-?(.*)$", unit, re.MULTILINE)


def test_every_flag_is_there_with_its_variable_and_default(page: str) -> None:
    told = section(page, "OPTIONS")
    parser = options.command_line({})
    for action in parser._actions:
        flag = action.option_strings[-1]
        lines = re.findall(rf"^ +(?:-h, )?{flag}(?: [A-Z]+)?\n +(.*)$", told, re.MULTILINE)
        assert lines == [action.help], flag
        variable = options._variable(flag)
        if variable in str(action.help) and action.default is not False:
            assert f"[{variable}] (default: {action.default or 'off'})" in lines[0]
            assert parser.parse_args([flag, "x"]) != options.command_line({variable: "x"}).parse_args([flag, "y"])


class Noting(Mapping[str, str]):
    """An environment without variables that knows what was looked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_every_variable_that_the_parser_reads_is_there(page: str) -> None:
    environ = Noting()
    options.command_line(environ)

    assert len(environ.asked) > 10
    assert {name for name in environ.asked if f"[{name}" not in page} == set()


def test_every_exit_status_is_there(page: str) -> None:
    statuses = {value for name, value in vars(options).items() if name.startswith("EXIT_")}
    listed = re.findall(r"^ +(\d+) {2,}(\S.*)$", section(page, "EXIT STATUS"), re.MULTILINE)

    assert {int(status) for status, _ in listed} == statuses == set(maglevd.STATUSES)


def test_the_configuration_in_it_is_valid_and_the_smallest_of_the_guide(page: str) -> None:
    copied = dedent(page.partition("does something:\n\n")[2].partition("\n\n")[0]) + "\n"

    assert parse(copied).frontends
    assert copied == guide.EXAMPLES["The smallest file"]


def test_its_numbers_are_those_of_the_program(page: str) -> None:
    lb = parse(maglevd.SMALLEST).lb
    retry_s = inspect.signature(keep_connected).parameters["retry_s"].default

    for sentence in (
        f"startup-min-delay ({lb.startup_min_delay_s:g} seconds)",
        f"startup-max-delay ({lb.startup_max_delay_s:g} seconds)",
        f"looks for one every {retry_s:g} seconds",
        f"written, {daemon.STOP_GRACE_S:g} seconds at most",
        f"at most {MAX_PROBES_AT_ONCE} of these",
    ):
        assert sentence in page


def test_the_unit_is_as_it_says(page: str) -> None:
    (watchdog,) = said(UNIT, "WatchdogSec")
    (restart,) = said(UNIT, "RestartSec")
    (files,) = said(UNIT, "LimitNOFILE")
    runtime = Path("/run") / said(UNIT, "RuntimeDirectory")[0]

    assert f"for {watchdog.removesuffix('s')} seconds (WatchdogSec)" in page
    assert f"any failure, {restart.removesuffix('s')} seconds later" in page
    assert said(UNIT, "Restart") == ["on-failure"]
    assert f"LimitNOFILE={files}" in page
    assert said(UNIT, "RestartPreventExitStatus") == ["1 2"]
    assert "not after status 1 or 2" in page
    assert said(UNIT, "ConditionPathExists") == [options.command_line({}).get_default("config")]
    assert said(UNIT, "EnvironmentFile")[0] in section(page, "FILES")
    assert str(runtime / "maglevd.sock") in section(page, "FILES")
    assert f"unix:{runtime}/maglevd.sock" in options.GRPC_ADDR
    assert said(UNIT, "User") == said(UNIT, "Group") == ["maglevd"]
    assert (said(UNIT, "AmbientCapabilities"), said(DROP_IN.read_text(), "AmbientCapabilities")) == (
        ["CAP_NET_RAW"],
        ["CAP_SYS_ADMIN"],
    )
    assert DROP_IN.name in page
    assert said(UNIT, "ExecReload")[0].endswith("maglevd --check")
    assert "vpp.service" in said(UNIT, "After")[0]
    assert said(UNIT, "Requires") == []


def test_the_commands_of_its_examples_are_understood() -> None:
    ours = [shlex.split(command)[1:] for command, _ in maglevd._EXAMPLES if command.startswith("maglevd ")]

    assert len(ours) > 2
    for words in ours:
        options.read_options(words, {})


def test_the_documents_that_it_names_exist(page: str) -> None:
    named = set(re.findall(r"[a-z-]+\.md", page))

    assert len(named) > 2
    assert {name for name in named if not (ROOT / "docs" / name).exists()} == set()
