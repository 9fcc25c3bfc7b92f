"""The demo as a stranger sees it: a real process with real children."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes import mentioned_by, running, until


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

    assert "maglev.emulator ended with status -9" in demo.output
    assert "logs are kept in" in demo.output
    assert "Traceback" not in demo.output


def test_a_vpp_that_is_not_there_is_said_in_one_line(scratch: Path) -> None:
    arguments = ["--vpp-api-socket", str(scratch / "none"), "--vpp-stats-socket", str(scratch / "none2")]
    with running("maglev.demo", arguments, scratch / "out") as demo:
        assert demo.wait() == 1

    first, second = demo.output.splitlines()
    assert first.startswith("demo: ")
    assert str(scratch / "none") in first
    assert "logs are kept" in second
