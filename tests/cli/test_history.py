"""The file with the lines of earlier shells."""

import os
import stat
from pathlib import Path

import pytest

from maglev.cli.history import LONGEST, MOST_LINES, HistoryFile, place


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/a"}, "/state/maglev/history"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/maglev/history"),
        ({"XDG_STATE_HOME": "", "HOME": "/home/a"}, "/home/a/.local/state/maglev/history"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.local/state/maglev/history"),
    ],
)
def test_it_lies_where_state_belongs(environ: dict[str, str], expected: str) -> None:
    assert place(environ) == Path(expected)


def test_lines_come_back_and_only_the_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "new/maglev/history"
    first = HistoryFile(path)
    assert first.lines() == []
    first.add("show version")
    first.add("set backend 'caf\u00e9 \udcff' pause")
    HistoryFile(path).add("from another shell")

    assert HistoryFile(path).lines() == ["show version", "set backend 'caf\u00e9 \udcff' pause", "from another shell"]
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert first.trouble == ""


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("one\n")
    path.chmod(0o644)

    assert HistoryFile(path).lines() == ["one"]
    assert mode(path) == 0o600


def test_a_history_that_goes_to_dev_null_leaves_that_alone(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.symlink_to(os.devnull)
    before = mode(Path(os.devnull))

    file = HistoryFile(path)
    assert file.lines() == []
    file.add("x")

    assert (file.trouble, mode(Path(os.devnull))) == ("", before)


def test_a_pipe_is_no_history_and_nobody_waits_for_its_other_end(tmp_path: Path) -> None:
    path = tmp_path / "history"
    os.mkfifo(path)
    file = HistoryFile(path)

    assert file.lines() == []
    assert file.trouble == f"no history is kept in {path}: it is no regular file"


def test_it_is_cut_to_its_latest_lines_once_it_has_twice_as_many(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"{number}\n" for number in range(2 * MOST_LINES)))
    assert HistoryFile(path).lines() == [str(number) for number in range(MOST_LINES, 2 * MOST_LINES)]
    assert len(path.read_text().split()) == 2 * MOST_LINES

    HistoryFile(path).add("last")
    latest = HistoryFile(path).lines()

    assert (len(latest), latest[-1]) == (MOST_LINES, "last")
    assert path.read_text().split() == latest
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_monstrous_file_is_read_from_its_end_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b"x" * (2 << 20) + b"\nlast\n")

    assert HistoryFile(path).lines() == ["last"]
    assert path.read_text() == "last\n"


def test_a_monstrous_line_is_not_kept(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "history")
    file.add("x" * (LONGEST + 1))

    assert file.lines() == []


@pytest.mark.parametrize("path", [Path("relative/history"), Path("/proc/maglev/history"), Path("/dev/null/history")])
def test_what_cannot_be_is_said_and_nothing_more_is_tried(path: Path) -> None:
    file = HistoryFile(path)

    assert file.lines() == []
    assert file.trouble.startswith(f"no history is kept in {path}: ")
    file.add("x")


def test_trouble_that_comes_later_is_noted_too(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "folder/history")
    assert file.lines() == []
    (tmp_path / "folder/history").unlink()
    (tmp_path / "folder").rmdir()
    file.add("x")

    assert "No such file or directory" in file.trouble
