"""docs/user-guide.md is true: its transcript, played again, its table of JSON, and its lines of jq."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maglev.cli.words import RULES
from maglev.rpc._pb import maglev_pb2 as pb
from tests.cli.scenes import Play, play
from tests.cli.stage import Stage, webs
from tests.cli.transcript import GUIDE, masked, told, with_scenes, without_scenes

DOCUMENTS = re.compile(r"^\| `(show [^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
SCRIPT = re.compile(r"```sh\n(.*?)```", re.DOTALL)

Run = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with webs() as servers:
        stage = Stage(tmp_path_factory.mktemp("stage"), servers.port)
        with stage.vpp.running(), stage.running():
            Play(stage, servers).until_at_work()

            def run(line: str) -> "subprocess.CompletedProcess[str]":
                return subprocess.run(
                    ["bash", "-o", "pipefail", "-c", line],
                    cwd=stage.directory,
                    env=stage.environ,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )

            yield run


def documents() -> dict[str, tuple[str, list[str]]]:
    """Of each command in the guide's table its message, and the keys."""
    return {line: (message, keys.split(", ")) for line, message, keys in DOCUMENTS.findall(GUIDE.read_text())}


def scripts() -> list[str]:
    return [line for script in SCRIPT.findall(GUIDE.read_text()) for line in script.splitlines() if "maglevc" in line]


def test_the_transcript_is_what_is_seen_today(tmp_path: Path) -> None:
    guide = told(GUIDE.read_text())
    scenes = play(tmp_path)

    assert guide.keys() == scenes.keys()
    for name, lines in scenes.items():
        assert masked(guide[name]) == masked(lines), name


def test_the_transcript_shows_no_path_of_this_machine() -> None:
    for lines in told(GUIDE.read_text()).values():
        assert not [line for line in lines if "/tmp" in line or "/home" in line]


def test_only_what_lives_is_masked() -> None:
    table = ["name  weight  flows  for", "web1      10     12   5s", "", "web1  10"]

    assert masked(table) == ["name  weight  flows  for", "web1  10  FIGURE  FIGURE", "", "web1  10"]
    assert masked(["since: 2026-11-24T16:35:02Z (1m10s ago)"]) == ["since: TIME (SPAN ago)"]
    assert masked(["this cuts the flows of web1 (about 148 in 1 VIP)"])[0].endswith("(about COUNT in 1 VIP)")


def test_a_scene_is_put_in_its_place_and_nothing_else_is_touched() -> None:
    guide = "a\n<!-- played: x -->\n```\nold\n```\n<!-- end -->\nb\n"

    anew = with_scenes(guide, {"x": ["new", "er"]})
    assert told(anew) == {"x": ["new", "er"]}
    assert without_scenes(anew) == "a\nb\n"
    with pytest.raises(KeyError):
        with_scenes(guide, {})


def test_the_table_of_json_has_every_show_command() -> None:
    forms = set()
    for rule in RULES:
        if "json" in rule.pipes:
            plain, _, option = rule.synopsis.partition(" [")
            forms |= {plain, f"{plain} rate" if option == "rate]" else f"{plain} NAME" if option else plain}

    assert set(documents()) == forms


@pytest.mark.parametrize("line", documents())
def test_json_has_the_keys_that_the_guide_says(line: str, run: Run) -> None:
    message, keys = documents()[line]
    name = "http-check" if "healthchecks" in line else "www" if "frontends" in line else "web1"

    done = run(f"maglevc {line.replace('NAME', name)} '| json'")

    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout)) == keys
    if not message.startswith("none"):
        assert [field.name for field in getattr(pb, message).DESCRIPTOR.fields] == keys


def test_keys_of_rates_are_as_the_guide_says(run: Run) -> None:
    told = json.loads(run("maglevc show vpp lb counters rate '| json'").stdout)

    figures = [f"{name}_per_s" for name in ("first", "next", "untracked", "no_server", "fib_packets", "fib_bytes")]
    assert list(told["total"]) == figures
    assert list(told["vips"][0]) == ["prefix", "protocol", "port", *figures]
    assert list(told["backends"][0])[:3] == ["backends", "address", "forwarded_packets_per_s"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("line", scripts())
def test_lines_for_a_shell_do_what_they_are_there_for(line: str, run: Run) -> None:
    done = run(line)

    assert (done.returncode, done.stderr) == (0, "")
    if "select(.state" in line:
        assert done.stdout == ""  # all is well here
    else:
        assert done.stdout
