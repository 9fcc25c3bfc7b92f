"""Every maglevc command in the documents is one that maglevc understands."""

import re
import shlex
from pathlib import Path

import pytest

from maglev.cli import line, options, words
from tests.cli.transcript import without_scenes

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "README.md",
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "contrib").rglob("*.yml"),
    *(ROOT / "contrib").rglob("*.json"),
]
COMMAND = re.compile(r"(?:^|`|bin/)maglevc(?: +([^`\n#]*))?(?:`|#|$)", re.MULTILINE)
SHELL = re.compile(r"`((?:show|watch|set|sync|config) [^`]+)`")
GUIDE = ROOT / "docs/user-guide.md"
ELSEWHERE = ("set server ", "set weight ", "show servers ", "show stat")  # HAProxy's
SAMPLES = {"N": "1", "NAME": "web1", "REGEX": "x"}


def commands() -> list[tuple[str, str, bool]]:
    """What is behind `maglevc`, and in the guide also what is typed into its shell (True). Transcripts were played."""
    found = []
    for path in FILES:
        text = written(path)
        found += [(path.name, each.strip(), False) for each in COMMAND.findall(text)]
        if path == GUIDE:
            found += [(path.name, each, True) for each in SHELL.findall(text)]
    return [each for each in found if each[1] and "..." not in each[1] and not each[1].startswith(ELSEWHERE)]


def written(path: Path) -> str:
    r"""By hand, with long lines joined; `\|` is how a table has a pipe."""
    return without_scenes(path.read_text()).replace("\\\n", " ").replace(r"\|", "|")


def told(text: str) -> list[str]:
    """What maglevc gets of it from a POSIX shell."""
    pieces = shlex.shlex(text, posix=True, punctuation_chars=True)
    pieces.whitespace_split, pieces.commenters = True, "#"
    found = []
    for piece in pieces:
        if set(piece) <= set("|&;<>()"):
            break
        found.append(piece)
    return found


def test_the_documents_have_some() -> None:
    names = [name for name, _, _ in commands()]

    assert len(names) > 100
    assert names.count("user-guide.md") > 70


@pytest.mark.parametrize(("name", "text", "is_typed"), commands())
def test_it_is_understood(name: str, text: str, is_typed: bool) -> None:
    del name  # it stands in the test's own
    if is_typed:
        words.parse([SAMPLES.get(word, word) for word in line.split(text)])
        return
    given = told(text)
    if given in (["--version"], ["--help"]):
        return
    said = options.parse(given, {}).words
    if said:
        words.parse([SAMPLES.get(word, word) for word in said])


def test_what_a_shell_takes_for_itself_is_not_maglevcs() -> None:
    assert told("show backends '| json' | jq -r '.a | .b'") == ["show", "backends", "| json"]
    assert told("config check && maglevc config reload") == ["config", "check"]
    assert told("--server unix:/run/m.sock < commands # all of them") == ["--server", "unix:/run/m.sock"]
