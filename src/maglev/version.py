"""Which build this is: version, commit and its date; the last two are written into the package when it is built."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import maglev

NOTE = "BUILD"
"""The file beside this one that has commit and date, in one line. In a checkout there is none, and git is asked."""

_HERE = Path(__file__).parent
_ASKED_S = 5.0


@dataclass(frozen=True, slots=True)
class Build:
    """`commit` has twelve digits, with a `+` behind them if the sources had changes that are in no commit.

    Commit and date are empty where nobody knows: built from sources without git.
    """

    version: str
    commit: str
    date: str

    def __str__(self) -> str:
        return told(self.version, self.commit, self.date)


def told(version: str, commit: str, date: str) -> str:
    """Such as `0.1.0, commit 0123456789ab, 2026-11-24`."""
    return f"{version}, commit {commit or 'unknown'}" + (f", {date}" if date else "")


@cache
def build() -> Build:
    """This one, as it was when that was first asked."""
    note = source_of(_HERE)
    commit, _, date = note.partition(" ")
    return Build(maglev.__version__, commit, date)


def source_of(package: Path) -> str:
    """Commit and date of `package`, a directory: what was written into it, or else what git says of its checkout."""
    note, root = package / NOTE, package.parents[1]
    if note.exists():
        return note.read_text("utf-8").strip()
    is_checkout = package.parent.name == "src" and (root / ".git").exists()
    return _asked(root) if is_checkout else ""


def _asked(root: Path) -> str:
    from subprocess import SubprocessError  # late: it takes a while, and only developers need it

    try:
        commit, date = _git(root, "log", "-1", "--abbrev=12", "--format=%h %cs").split()
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, SubprocessError):
        return ""
    return f"{commit}{'+' if changes else ''} {date}"


def _git(root: Path, *words: str) -> str:
    import subprocess

    return subprocess.run(  # noqa: S603  our own words
        ["git", "-C", str(root), *words],  # noqa: S607  whichever git the developer has
        check=True,
        capture_output=True,
        text=True,
        timeout=_ASKED_S,
    ).stdout
