"""Each rule has a file in `faults/` that breaks it and nothing else; the file's first lines say what is told of it.

    # syntax                              where the file is no YAML of ours: maglevd --check ends with 1, else with 2
    # expect: line 12: maglev. ...        the whole message

Whoever adds a rule, a remedy or a key to `maglev.config` has to add its file: three tests below look for it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import yaml

import maglev.config
from maglev.config import document
from maglev.config.document import MAX_CHARACTERS
from maglev.config.faults import MAX_FAULTS
from maglev.config.parse import MAX_BYTES, ConfigFaults, load
from maglev.options import EXIT_OK, EXIT_SEMANTIC, EXIT_SYNTAX
from tests.config.keys import KEYS, SECTIONS

EXAMPLE = Path(__file__).parents[2] / "contrib" / "maglev.yaml"
FILES = sorted((Path(__file__).parent / "faults").glob("*.yaml"))
SOURCES = {str(path): ast.parse(path.read_text()) for path in Path(maglev.config.__path__[0]).glob("*.py")}
TELLING = {"Wrong", "fault", "fault_missing", "fault_unknown", "add", "_fault", "_broken", "_unreadable"}
UNTOLD = {
    "the configuration has ": "the summary, in place of which str() lists the faults",
    "pattern too large": "RE2's words, for which ours stand",
}


def expected(path: Path) -> tuple[str, bool]:
    """The message that a fault file asks for, and whether it is a fault of syntax."""
    head = [line for line in path.read_text().splitlines() if line.startswith(("# syntax", "# expect: "))]
    (message,) = (line.removeprefix("# expect: ") for line in head if line.startswith("# expect: "))
    return message, "# syntax" in head


def told(path: Path) -> ConfigFaults:
    with pytest.raises(ConfigFaults) as caught:
        load(path)
    return caught.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_is_told_its_one_fault_in_these_words(path: Path) -> None:
    error = told(path)

    assert (str(error), error.is_syntax) == expected(path)
    assert len(error.faults) == 1


def test_maglevd_says_the_same_and_ends_with_1_or_2() -> None:
    program = """
import sys
from maglev.daemon import main
for path in sys.argv[1:]:
    try:
        main(["--check", "--config", path])
    except SystemExit as end:
        print("status", end.code)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, FILES), EXAMPLE], capture_output=True, text=True, check=True
    )
    wanted = [expected(path) for path in FILES]

    statuses = [int(line.split()[1]) for line in ended.stdout.splitlines() if line.startswith("status ")]
    assert statuses == [*(EXIT_SYNTAX if is_syntax else EXIT_SEMANTIC for _, is_syntax in wanted), EXIT_OK]
    assert ended.stderr == "".join(
        f"maglevd: {path} is not usable:\n{message}\n" for path, (message, _) in zip(FILES, wanted, strict=True)
    )


# What no file in a repository can show: no file, bytes that are no text, sizes, and the slow parser.


def missing(path: Path) -> str:
    return f"cannot read {path}: No such file or directory"


def too_many_bytes(path: Path) -> str:
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 1)
    return f"{path} is larger than {MAX_BYTES} bytes: is it the right file?"


def too_many_characters(path: Path) -> str:
    path.write_text("#" * (MAX_CHARACTERS + 1))
    return f"line 1: the text has {MAX_CHARACTERS + 1} characters, the limit is {MAX_CHARACTERS}: is it the right file?"


def not_utf8(path: Path) -> str:
    path.write_bytes(b"maglev:\n  # caf\xe9\n")
    return "line 2: the byte 0xe9 is not UTF-8: save the file in that encoding"


def too_many_faults(path: Path) -> str:
    path.write_text(EXAMPLE.read_text() + "".join(f"  k{number}: 1\n" for number in range(MAX_FAULTS + 5)))
    last = len(path.read_text().splitlines()) - 5
    return f"line {last}: 5 more faults are not listed: mend these first"


def an_absurd_escape(path: Path) -> str:
    path.write_text('maglev: "\\UFFFFFFFF"\n')
    return "line 1: this is not YAML: Python int too large to convert to C int"


MADE: list[Callable[[Path], str]] = [
    *(missing, too_many_bytes, too_many_characters, not_utf8, too_many_faults, an_absurd_escape)
]


@pytest.mark.parametrize("make", MADE)
def test_what_is_made_here_is_told_its_fault(
    make: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if make is an_absurd_escape:
        monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)

    message = make(tmp_path / "made.yaml")

    assert str(told(tmp_path / "made.yaml")).splitlines()[-1] == message


def test_every_line_that_tells_a_fault_is_reached_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: set[tuple[str, int]] = set()

    def local(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def enter(frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        return local if frame.f_code.co_filename in SOURCES else None

    paths = [*FILES, *(tmp_path / make.__name__ for make in MADE)]
    for make in MADE:
        make(tmp_path / make.__name__)
    before = sys.gettrace()
    sys.settrace(enter)
    try:
        for path in paths:
            told(path)
        monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
        told(tmp_path / an_absurd_escape.__name__)
    finally:
        sys.settrace(before)

    missed = [
        f"{Path(name).name}:{call.lineno}: {ast.unparse(call)[:100]}"
        for name, tree in SOURCES.items()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and called(call) in TELLING
        if not any((name, line) in reached for line in range(call.lineno, (call.end_lineno or call.lineno) + 1))
    ]
    assert not missed, "write a file in tests/config/faults/ that comes to:\n" + "\n".join(missed)


def test_every_sentence_and_remedy_is_in_the_message_of_a_file(tmp_path: Path) -> None:
    messages = "\n".join([*(expected(path)[0] for path in FILES), *(make(tmp_path / "made.yaml") for make in MADE)])
    missed = [
        f"{Path(name).name}:{line}: {text}"
        for name, tree in SOURCES.items()
        for line, text in sentences(tree)
        if text not in messages and text not in UNTOLD
    ]

    assert not missed, "write a file in tests/config/faults/ whose message holds:\n" + "\n".join(missed)


def test_every_key_can_be_wrong_and_every_needed_one_missing() -> None:
    messages = [expected(path)[0] for path in FILES]
    for section, keys in KEYS.items():
        inside = re.escape(section.partition(",")[0]).replace("NAME", r"[^.]+").replace(r"\[\]", r"\[\d+\]")
        for key in keys:
            assert any(re.search(rf": {inside}\.{key}: ", message) for message in messages), f"{section}.{key}"
    for call in (node for tree in SOURCES.values() for node in ast.walk(tree) if isinstance(node, ast.Call)):
        match call:
            case ast.Call(
                func=ast.Attribute(attr="need"), args=[ast.Constant(str(key)), _, ast.Constant(str(example))]
            ):
                words = f".{key}: missing: add `{key}: {example}`"
                assert any(words in message for message in messages), words


def test_no_list_of_keys_is_forgotten_here() -> None:
    lists = {(name, key) for name, tree in SOURCES.items() for key in assigned(tree) if key.endswith("_KEYS")}
    known = {(module.__file__, key) for module, key in SECTIONS.values()}

    assert lists - known == {(name, "_TLS_KEYS") for name in SOURCES if name.endswith("healthchecks.py")}


def called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def assigned(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def sentences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What is written for people: every string with words in it, docstrings apart."""
    bare = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in bare:
            text = str(node.value)
            if re.search(r"\w \w", text):
                yield node.lineno, text
