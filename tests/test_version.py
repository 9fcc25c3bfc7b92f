"""A build knows what it was built from, and version and changelog follow one habit."""

import re
import subprocess
import tomllib
from pathlib import Path

import maglev
from maglev.version import NOTE, Build, build, source_of

ROOT = Path(__file__).parents[1]
COMMIT = re.compile(r"[0-9a-f]{12}")
HEADING = re.compile(r"^## (?P<version>\d+\.\d+\.\d+) \((?P<when>unreleased|\d{4}-\d\d-\d\d)\)$")


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.net")
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


def checkout(root: Path) -> Path:
    """A package in a repository with one commit."""
    package = root / "src/maglev"
    package.mkdir(parents=True)
    (package / "a.py").write_text("1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one", "--date", "2026-01-02T03:04:05Z")
    return package


def test_a_checkout_tells_its_commit_and_whether_there_are_changes(tmp_path: Path) -> None:
    package = checkout(tmp_path)

    commit, date = source_of(package).split()
    assert COMMIT.fullmatch(commit)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)

    (package / "a.py").write_text("2\n")
    assert source_of(package) == f"{commit}+ {date}"


def test_what_was_written_at_the_build_counts_before_git(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    (package / NOTE).write_text("0123456789ab 2026-01-02\n")

    assert source_of(package) == "0123456789ab 2026-01-02"


def test_without_git_nobody_knows(tmp_path: Path) -> None:
    assert source_of(tmp_path / "src/maglev") == ""
    (tmp_path / ".git").mkdir()
    assert source_of(tmp_path / "src/maglev") == ""  # git says no


def test_the_repository_of_others_that_it_lies_in_is_not_its_own(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    package.rename(tmp_path / "vendor")
    (tmp_path / "src").rmdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "vendor").rename(tmp_path / "lib/maglev")

    assert source_of(tmp_path / "lib/maglev") == ""


def test_it_is_told_in_one_line() -> None:
    assert str(Build("0.1.0", "0123456789ab", "2026-01-02")) == "0.1.0, commit 0123456789ab, 2026-01-02"
    assert str(Build("0.1.0", "", "")) == "0.1.0, commit unknown"
    assert build().version == maglev.__version__


def test_the_version_is_that_of_the_newest_entry_of_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    found = [match for line in headings if (match := HEADING.match(line))]

    assert len(found) == len(headings) > 0
    newest, *older = found
    assert project["version"] == newest["version"] + (".dev0" if newest["when"] == "unreleased" else "")
    assert all(match["when"] != "unreleased" for match in older)
