"""The demo as a stranger sees it: a real process with real children."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
import trio

from maglev.vpp.session import connect
from tests.processes import mentioned_by, running, until, until_it_takes_its_signals

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's temporary directory lies in the test's own, so that its children can be told by their command line."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_the_whole_story_comes_true(scratch: Path) -> None:
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        assert demo.popen.wait(60) == 0, demo.output

    told = demo.output
    for sentence in (
        "its weight in VPP is 0 and it owns no bucket",
        "its flows move to web1 and web3",
        "new flows reach it",
        "the fallback pool carries the traffic",
        "new flows go to the primary pool, old ones end at the fallback",
    ):
        assert sentence in told
    assert "NOT SEEN" not in told
    shown = README.partition("maglevd starts, with an empty VPP")[2].partition("...")[0]
    sentences = re.findall(r"^(?:  ok +[\d.]+ s  )?([a-z\d].*)$", shown, re.MULTILINE)
    assert len(sentences) > 7
    assert [sentence for sentence in sentences if sentence not in told] == []
    assert "curl -s http://127.0.0.1:" in told
    assert "maglevc --server 127.0.0.1:" in told
    assert mentioned_by(str(scratch)) == []
    assert list(scratch.glob("maglev-demo-*")) == []


@pytest.mark.parametrize("sign", ["look further", "backends are up", "web2 is killed"])
def test_an_interrupt_at_any_moment_ends_it_cleanly(scratch: Path, sign: str) -> None:
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        demo.until_says(sign)
        demo.signal(signal.SIGINT)
        assert demo.wait() == 130

    assert "Traceback" not in demo.output
    assert mentioned_by(str(scratch)) == []


@pytest.mark.parametrize(
    "imported",
    ["signal", "trio._core", "rich.console", "maglev.vpp.session", "maglev.demo.composition", "maglev.demo.program"],
)
def test_an_interrupt_while_it_starts_leaves_nothing(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, imported: str
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # Python tells of each module once it is imported
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        until_it_takes_its_signals(demo)
        demo.until_says(f" {imported}\n")
        demo.signal(signal.SIGINT)
        assert demo.wait() in (130, -signal.SIGINT)

    assert "Traceback" not in demo.output
    assert mentioned_by(str(scratch)) == []
    assert list(scratch.glob("maglev-demo-*")) == []


def test_a_directory_that_was_just_made_is_not_left_behind(scratch: Path) -> None:
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        until(lambda: list(scratch.glob("maglev-demo-*")), lambda: "a directory", demo)
        demo.signal(signal.SIGTERM)
        assert demo.wait() == 130

    assert mentioned_by(str(scratch)) == []
    assert list(scratch.glob("maglev-demo-*")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_more_signals_do_not_cut_its_stop_short(scratch: Path, number: signal.Signals) -> None:
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        demo.until_says("backends are up")
        assert demo.signal_until_it_ends(number) == 130

    assert "Traceback" not in demo.output
    assert mentioned_by(str(scratch)) == []
    assert list(scratch.glob("maglev-demo-*")) == []


def test_its_children_do_not_outlive_it_when_it_is_killed_hard(scratch: Path) -> None:
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        demo.until_says("backends are up")
        assert len(mentioned_by(str(scratch))) == 2
        demo.signal(signal.SIGKILL)
        demo.wait()
        until(lambda: not mentioned_by(str(scratch)), lambda: "the children to end")


def test_a_part_that_dies_fails_the_demo_and_says_which(scratch: Path) -> None:
    with running("maglev.demo", ["--plain"], scratch / "out") as demo:
        demo.until_says("backends are up")
        for pid in mentioned_by("maglev.emulator"):
            if pid in mentioned_by(str(scratch)):
                os.kill(pid, signal.SIGKILL)
        assert demo.wait() == 1

    assert "maglev.emulator was killed by SIGKILL" in demo.output
    assert "logs are kept in" in demo.output
    assert "Traceback" not in demo.output


def test_a_borrowed_vpp_gets_its_table_and_is_left_without(scratch: Path) -> None:
    api, stats = str(scratch / "api.sock"), str(scratch / "stats.sock")
    own = ["--api-socket", api, "--stats-socket", stats, "--traffic", "500"]
    borrowed = ["--vpp-api-socket", api, "--vpp-stats-socket", stats]
    with running("maglev.emulator", own, scratch / "vpp") as vpp:
        vpp.until_says("API at")
        with running("maglev.demo", ["--plain", *borrowed], scratch / "out") as demo:
            demo.until_says("web2 is killed")
            assert trio.run(vips_of, api, stats) == 3
            assert demo.wait() == 0, demo.output
        assert trio.run(vips_of, api, stats) == 0
        assert mentioned_by(str(scratch)) == [vpp.popen.pid]

    assert "ok" in demo.output
    assert "NOT SEEN" not in demo.output
    assert "its flows move to web1 and web3: not checked" in demo.output
    assert "the borrowed VPP has no VIPs again" in demo.output


def test_a_borrowed_vpp_is_left_without_a_table_whatever_the_hurry(scratch: Path) -> None:
    api, stats = str(scratch / "api.sock"), str(scratch / "stats.sock")
    own = ["--api-socket", api, "--stats-socket", stats]
    borrowed = ["--vpp-api-socket", api, "--vpp-stats-socket", stats]
    with running("maglev.emulator", own, scratch / "vpp") as vpp:
        vpp.until_says("API at")
        with running("maglev.demo", ["--plain", *borrowed], scratch / "out") as demo:
            demo.until_says("web2 is killed")
            assert demo.signal_until_it_ends(signal.SIGINT) == 130
        assert trio.run(vips_of, api, stats) == 0


async def vips_of(api: str, stats: str) -> int:
    async with connect(api, stats, lambda _: None, clock_ns=time.time_ns) as session:
        return len((await session.audit()).observed.vips)


def test_a_vpp_that_is_not_there_is_said_in_one_line(scratch: Path) -> None:
    arguments = ["--vpp-api-socket", str(scratch / "none"), "--vpp-stats-socket", str(scratch / "none2")]
    with running("maglev.demo", arguments, scratch / "out") as demo:
        assert demo.wait() == 1

    first, second = demo.output.splitlines()
    assert first.startswith("demo: ")
    assert str(scratch / "none") in first
    assert "logs are kept" in second
