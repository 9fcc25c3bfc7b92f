"""The units: what systemd itself says of them, their exposure included, and what they promise to an operator."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from maglev.control.watching import MAX_PROBES_AT_ONCE
from maglev.options import EXIT_FAILED, EXIT_FAULT, EXIT_SEMANTIC, EXIT_SYNTAX, GRPC_ADDR

DIRECTORY = Path(__file__).parents[2] / "contrib/systemd"
UNIT, NETNS = DIRECTORY / "maglevd.service", DIRECTORY / "netns.conf"
MOST_EXPOSED = {"maglevd.service": 1.8, "netns.conf": 2.2}
"""As systemd 252 reckons it, from 0 (safe) to 10; what is left is the network, which maglevd is for."""

NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if match := re.fullmatch(r"([A-Za-z]+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def for_this_machine(directory: Path, *dropins: Path) -> Path:
    """The unit, with a program that is there, and the word that older systemds know for its type."""
    unit = directory / UNIT.name
    text = UNIT.read_text().replace("notify-reload", "notify", 2).replace("/usr/sbin/maglevd", "/bin/true")
    text = re.sub(r"^(User|Group|Documentation)=.*\n", "", text, flags=re.MULTILINE)
    unit.write_text("\n".join([text, *(each.read_text() for each in dropins)]))  # as if it had been in a drop-in
    return unit


def analyze(*words: str) -> tuple[int, str]:
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


@NEEDS_SYSTEMD
@pytest.mark.parametrize("dropins", [(), (NETNS,)], ids=["alone", "with netns.conf"])
def test_systemd_finds_nothing_wrong(tmp_path: Path, dropins: tuple[Path, ...]) -> None:
    assert analyze("verify", str(for_this_machine(tmp_path, *dropins))) == (0, "")


@NEEDS_SYSTEMD
@pytest.mark.parametrize("last", [UNIT, NETNS], ids=["alone", "with netns.conf"])
def test_it_is_no_more_exposed_than_it_was(tmp_path: Path, last: Path) -> None:
    dropins = (NETNS,) if last is NETNS else ()
    most = MOST_EXPOSED[last.name]

    status, report = analyze(
        "security", "--offline=yes", f"--threshold={most * 10:.0f}", str(for_this_machine(tmp_path, *dropins))
    )

    assert status == 0, report
    told = re.search(r"Overall exposure level .*: ([0-9.]+)", report)
    assert told is not None
    assert float(told[1]) <= most


def test_it_comes_after_vpp_and_does_not_fall_with_it() -> None:
    found = settings(UNIT)

    assert "vpp.service" in found["After"][0].split()
    assert not {"Requires", "Requisite", "BindsTo", "PartOf", "Wants"} & found.keys()


def test_it_is_told_ready_and_reload_and_is_not_started_again_for_what_a_restart_does_not_mend() -> None:
    found = settings(UNIT)

    assert found["Type"] == ["notify-reload"]
    assert found["Restart"] == ["on-failure"]
    assert found["StartLimitIntervalSec"] == ["0"]
    left_alone = {int(status) for status in found["RestartPreventExitStatus"][0].split()}
    assert left_alone == {EXIT_SYNTAX, EXIT_SEMANTIC}
    assert not left_alone & {EXIT_FAILED, EXIT_FAULT}
    assert found["WatchdogSec"] == ["30s"]


def test_there_are_descriptors_for_as_many_probes_as_there_ever_are_at_once() -> None:
    assert int(settings(UNIT)["LimitNOFILE"][0]) >= 2 * MAX_PROBES_AT_ONCE


def test_the_default_socket_is_in_the_directory_that_systemd_makes() -> None:
    (directory,) = settings(UNIT)["RuntimeDirectory"]

    assert f"unix:/run/{directory}/maglevd.sock" in GRPC_ADDR.split(",")


def test_only_probes_from_a_namespace_cost_the_great_capability() -> None:
    assert settings(UNIT)["CapabilityBoundingSet"] == settings(UNIT)["AmbientCapabilities"] == ["CAP_NET_RAW"]
    assert settings(NETNS)["CapabilityBoundingSet"] == settings(NETNS)["AmbientCapabilities"] == ["CAP_SYS_ADMIN"]
    assert settings(NETNS)["RestrictNamespaces"] == ["net"]
