"""`python -m maglev.emulator` and its signals: at any moment they end it quietly, however many there are."""

import signal
from pathlib import Path

import pytest

from tests.processes import running, until_it_takes_its_signals


def arguments(directory: Path) -> list[str]:
    return ["--api-socket", str(directory / "api.sock"), "--stats-socket", str(directory / "stats.sock")]


@pytest.mark.parametrize("imported", ["signal", "argparse", "trio._core", "vpp_papi", "maglev.emulator.program"])
def test_an_interrupt_while_it_starts_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported: str
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # Python tells of each module once it is imported
    with running("maglev.emulator", arguments(tmp_path), tmp_path / "log") as vpp:
        until_it_takes_its_signals(vpp)
        vpp.until_says(f" {imported}\n")
        vpp.signal(signal.SIGINT)
        assert vpp.wait() in (0, -signal.SIGINT)

    assert "Traceback" not in vpp.output
    assert list(tmp_path.glob("*.sock")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_more_signals_do_not_cut_its_stop_short(tmp_path: Path, number: signal.Signals) -> None:
    with running("maglev.emulator", [*arguments(tmp_path), "--routes", "1000"], tmp_path / "log") as vpp:
        vpp.until_says("API at")
        assert vpp.signal_until_it_ends(number) == 0

    assert "Traceback" not in vpp.output
    assert list(tmp_path.glob("*.sock")) == []
