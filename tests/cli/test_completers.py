"""Completion of maglevc's words in bash and zsh: by those shells themselves, with a real server."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from maglev.cli import completers
from maglev.cli.options import parser
from tests.cli.shells import COMMAND, CTRL_U, ENTER, HOME, RIGHT, TAB, in_terminal
from tests.rpc import statuses
from tests.rpc.served import served

BASH, ZSH = shutil.which("bash"), shutil.which("zsh")
needs_bash = pytest.mark.skipif(BASH is None, reason="there is no bash here")
needs_zsh = pytest.mark.skipif(ZSH is None, reason="there is no zsh here: apt install zsh")

NAMES = {"FRONTEND": ["web", "shop"], "BACKEND": ["web1", "web2", "we:b", "it's"]}


@pytest.fixture(scope="module")
def full() -> Iterator[str]:
    with served(statuses.FULL) as address:
        yield address


@pytest.fixture
def maglevc(tmp_path: Path) -> Path:
    """A directory with a maglevc in it, for PATH: the one that is being tested."""
    program = tmp_path / "bin/maglevc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    return program.parent


def complete(*words: str) -> list[str]:
    """The words that are offered, without a server."""
    found = completers.complete(words, parser({}), lambda _: lambda place, _: NAMES.get(place, ()))
    return [line.partition("\t")[0] for line in found]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("sh", ["show"]),
        ("show v", ["version", "vpp"]),
        ("show backends we", ["we:b", "web1", "web2"]),
        ('show backends "we', ["we:b", "web1", "web2"]),
        ("show backends it\\'", ["it's"]),
        ("show version \\| ", ["json", "match"]),
        ("show version '| json' ", []),
        ("show version ", []),  # a pipe could follow, need not, and would be put in at once
        ("show version \\|", ["|"]),
        ("nonsense ", []),
        ("--ser", ["--server"]),
        ("--server ", []),
        ("--server x sh", ["show"]),
        ("--server=x sh", ["show"]),
        ("sh --server=x ba", ["backends"]),
        ("--color ", ["true", "false"]),
        ("--color=", ["--color=true", "--color=false"]),
        ("--color true --co", ["--completion"]),
        ("--no-such x", []),
        ("--no-such=1 sh", ["show"]),
        ("--tls-ca ", [""]),
        ("--version ", []),
        ("show backends -- --", []),
        ("-- sh", ["show"]),
    ],
)
def test_what_is_offered(line: str, offered: list[str]) -> None:
    assert complete(*line.split(" ")) == offered


def in_bash(line: str, pieces: Sequence[str], environ: dict[str, str]) -> list[str]:
    """COMPREPLY, where bash takes `line` apart into `pieces` and the cursor is at its end."""
    assert BASH is not None
    asked = f"""
        eval "$(maglevc --completion bash)"
        COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_CWORD={len(pieces) - 1}
        COMP_WORDS=({shlex.join(pieces)})
        _maglevc maglevc
        for reply in "${{COMPREPLY[@]}}"; do echo "$reply"; done
    """
    done = subprocess.run(
        [BASH, "--norc", "-c", asked], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@needs_bash
@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("maglevc sh", ["show"]),
        ("maglevc show frontends s", ["shop", "six"]),
        ("maglevc   show  backends \\| ", ["json", "match"]),
        ("maglevc show backends web1 ", []),
        ("maglevc --color ", ["true", "false"]),
        ("maglevc show backends 'we", ["web1", "web2"]),
    ],
)
def test_bash_gets_its_replies(line: str, replies: list[str], full: str, maglevc: Path) -> None:
    words = line.split()
    pieces = [*words, ""] if line.endswith(" ") else words

    assert in_bash(line, pieces, environ(full, maglevc)) == replies


@needs_bash
def test_bash_parts_words_at_colons_and_equals_signs(full: str, maglevc: Path) -> None:
    host, _, port = full.partition(":")
    line = f"maglevc --server={full} --color=t"
    pieces = ["maglevc", "--server", "=", host, ":", port, "--color", "=", "t"]
    elsewhere = environ("127.0.0.1:1", maglevc)

    assert in_bash(line, pieces, elsewhere) == ["true"]
    line, pieces = f"{line}rue show frontends w", [*pieces[:-1], "true", "show", "frontends", "w"]
    assert in_bash(line, pieces, elsewhere) == ["web"]
    assert in_bash("maglevc --color=", ["maglevc", "--color", "="], elsewhere) == ["true", "false"]


def environ(server: str, program: Path) -> dict[str, str]:
    return {
        **os.environ,
        "MAGLEV_SERVER": server,
        "PATH": f"{program}:{os.environ['PATH']}",
        "HOME": str(program.parent),
        "PS1": "$ ",
        "PROMPT": "$ ",
    }


@needs_bash
def test_bash_completes_at_the_tab_key(full: str, maglevc: Path) -> None:
    with in_terminal([str(BASH), "--norc", "--noprofile", "-i"], environ(full, maglevc)) as bash:
        bash.until_ends("$ ")
        bash.type(f'cd {maglevc}; eval "$(maglevc --completion bash)"; clear{ENTER}')
        bash.until_ends("$ ")
        bash.type(f"maglevc sh{TAB}fr{TAB}sh{TAB}")
        bash.until_ends("$ maglevc show frontends shop ")
        bash.type(f"{CTRL_U}maglevc show backends w{TAB}{TAB}{TAB}")
        bash.until_ends("$ maglevc show backends web", "web1  web2", "$ maglevc show backends web")
        bash.type(f"{CTRL_U}maglevc --server={full} --tls-ca mag{TAB}")
        bash.until_ends(f"$ maglevc --server={full} --tls-ca maglevc ")
        bash.type(f"{CTRL_U}maglevc se backend{HOME}{RIGHT * 10}{TAB}")
        bash.terminal.until(
            lambda: bash.lines[-1] == "$ maglevc set backend", "the word is whole, its blank not doubled"
        )


@needs_zsh
def test_zsh_completes_at_the_first_tab_by_a_file_that_a_package_brings(
    full: str, maglevc: Path, tmp_path: Path
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/_maglevc").write_text(completers.script("zsh"))
    with in_terminal([str(ZSH), "-f", "-i"], environ(full, maglevc)) as zsh:
        zsh.until_ends("$ ")
        load = f"fpath=({tmp_path}/functions $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump"
        zsh.type(f"unsetopt beep; {load}; clear{ENTER}")
        zsh.until_ends("$ ")
        zsh.type(f"maglevc sh{TAB}fr{TAB}sh{TAB}")
        zsh.until_ends("$ maglevc show frontends shop ")


@needs_zsh
def test_zsh_completes_with_descriptions(full: str, maglevc: Path) -> None:
    with in_terminal([str(ZSH), "-f", "-i"], environ(full, maglevc)) as zsh:
        zsh.until_ends("$ ")
        zsh.type(f'unsetopt beep; eval "$(maglevc --completion zsh)"; clear{ENTER}')
        zsh.until_ends("$ ")
        zsh.type(f"maglevc sh{TAB}fr{TAB}sh{TAB}")
        zsh.until_ends("$ maglevc show frontends shop ")
        zsh.type(f"{CTRL_U}maglevc config {TAB}")
        zsh.until_says("check   -- what is wrong with the configuration file")


def test_words_without_names_need_neither_grpc_nor_prompt_toolkit() -> None:
    asked = (
        "import sys; from maglev.cli.main import main; main(['--complete', 'show', '']);"
        "print(*{'grpc', 'google', 'prompt_toolkit', 'importlib.metadata'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "\n")
    assert done.stdout.startswith("backends\tbackends with their health")
