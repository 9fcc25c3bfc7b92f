import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

import maglev
from maglev.cli import main as cli
from maglev.cli.grammar import RULES
from maglev.cli.main import Exit
from tests.rpc import statuses
from tests.rpc.served import served

COMMAND = (sys.executable, "-m", "maglev.cli.main")


@pytest.fixture(scope="module")
def full() -> Iterator[str]:
    with served(statuses.FULL) as address:
        yield address


@pytest.fixture(scope="module")
def without_vpp() -> Iterator[str]:
    with served(statuses.NO_VPP) as address:
        yield address


def run(line: str, server: str) -> int:
    return cli.run(line.split(), {"MAGLEV_SERVER": server}, lambda: statuses.NOW_NS)


def process(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *words], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


SHOWN = {
    "show version": f"maglevc {maglev.__version__}",
    "show frontends": "web   192.0.2.10       tcp         80  up ",
    "show frontends web": "description:    the website",
    "show backends": "web2         10.1.0.2       down      10m30s     0/4  L4CON  connection refused",
    "show backends web2": "2026-09-21T14:02:50Z  10m30s  up       down  L4CON  connection refused",
    "show vpp info": "build-directory:  /build/vpp",
    "show vpp lb state": "192.0.2.10   tcp/80   10.1.0.1          100     1024    398",
    "show vpp lb counters": "192.0.2.10       tcp/80     789  123456          3          0       124248   98765432",
}


@pytest.mark.parametrize("line", SHOWN)
def test_each_command_prints_its_page(line: str, full: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line, full) == Exit.OK
    out, err = capsys.readouterr()
    assert SHOWN[line] in out
    assert err == ""


def test_tables_of_an_empty_maglevd_are_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    with served(statuses.EMPTY) as address:
        assert run("show backends", address) == Exit.OK
    assert capsys.readouterr().out .split() == [
        "name", "address", "state", "for", "health", "why", "detail", "healthcheck", "enabled",
    ]  # fmt: skip


def test_colour_is_off_unless_asked_for(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("--color=true show frontends", full)
    assert "\x1b[32mup\x1b[0m     " in capsys.readouterr().out
    run("--color=false show frontends", full)
    assert "\x1b" not in capsys.readouterr().out


def test_options_may_stand_before_between_and_after_words(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        f"--server {full} show frontends",
        f"show --server {full} frontends",
        f"show frontends --server={full}",
    ):
        assert run(line, "nobody.invalid:1") == Exit.OK
        assert "primary" in capsys.readouterr().out


def test_a_name_that_looks_like_an_option_can_be_given(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show backends -- -x", full) == Exit.REFUSED
    assert "there is no backend called '-x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show frontends wep", "maglevc: there is no frontend called 'wep'; the nearest is 'web'\n"),
        ("show backends web3", "maglevc: there is no backend called 'web3'; the nearest is 'web2'\n"),
    ],
)
def test_what_the_server_refuses_ends_with_1(
    line: str, said: str, full: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line, full) == 1
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("line", ["show vpp info", "show vpp lb state", "show vpp lb counters"])
def test_vpp_calls_without_vpp_end_with_1(line: str, without_vpp: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line, without_vpp) == Exit.REFUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("maglevc: no VPP is connected; is VPP running")
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["show frobs", "s v", "show", "show version x", "show backends a b"])
def test_wrong_words_end_with_2_and_need_no_server(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line, "nobody.invalid:1") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("maglevc: ")
    assert err.count("\n") == 1


def test_a_bad_server_address_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show frontends", "no-port") == Exit.USAGE
    assert "'no-port' is no address of a server" in capsys.readouterr().err


def test_no_words_print_usage_and_say_that_the_shell_is_to_come(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("", "nobody.invalid:1") == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: maglevc [OPTION]... WORD..." in err
    assert "show vpp lb counters" in err
    assert "interactive shell" in err
    assert all(len(line) <= 80 for line in err.splitlines())


@pytest.mark.parametrize("word", ["help", "he"])
def test_help_prints_the_grammar_as_the_option_does_and_needs_no_server(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(word, "nobody.invalid:1") == Exit.OK
    asked = capsys.readouterr()
    with pytest.raises(SystemExit):
        run("--help", "nobody.invalid:1")

    assert asked == capsys.readouterr()
    assert all(rule.synopsis in asked.out for rule in RULES)


@pytest.mark.parametrize("line", ["show frontends", "show frontends web"])
def test_below_frontends_it_is_said_when_vpp_is_away(
    line: str, full: str, without_vpp: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(line, full)
    with_vpp = "".join(line for line in capsys.readouterr().out.splitlines(keepends=True) if "retval" not in line)
    with_vpp = with_vpp.removesuffix("\nname  vpp-refuses\n")  # without a VPP nobody refuses
    assert run(line, without_vpp) == Exit.OK
    out, err = capsys.readouterr()

    assert err == ""
    assert out.startswith(f"{with_vpp}\nnot being written to VPP: no VPP is connected; is VPP running")
    assert out.count("\n") == with_vpp.count("\n") + 2


@pytest.mark.parametrize("line", ["--color=maybe show version", "--nonsense", "--color", "--serv x show version"])
def test_wrong_options_end_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(line, "nobody.invalid:1")
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_no_server_ends_with_3_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert run("show frontends", f"127.0.0.1:{port}") == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"maglevc: no maglevd answers at 127.0.0.1:{port}")
    assert err.count("\n") == 1


def test_as_a_process_it_does_the_same(full: str) -> None:
    done = process("sh", "fr", MAGLEV_SERVER=full)
    assert (done.returncode, done.stderr) == (0, "")
    assert SHOWN["show frontends"] in done.stdout

    refused = process("--server", full, "show", "frontends", "nix", MAGLEV_SERVER="nobody.invalid:1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("maglevc: there is no frontend called 'nix'")

    assert process("show", "what").returncode == 2
    assert process().returncode == 2
    assert process("--server", "127.0.0.1:1", "show", "frontends").returncode == 3
    assert process("--version").stdout == f"maglevc {maglev.__version__}\n"


def test_a_reader_that_has_seen_enough_is_no_error(full: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as pipe:
        done = subprocess.run(
            [*COMMAND, "--server", full, "show", "backends"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, b"")


def test_an_answer_that_cannot_be_written_is_said(full: str) -> None:
    with open("/dev/full", "wb") as sink:
        done = subprocess.run(
            [*COMMAND, "--server", full, "show", "backends"],
            stdout=sink,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == Exit.NO_OUTPUT
    assert done.stderr == b"maglevc: cannot write the answer: No space left on device\n"


def test_a_closed_standard_output_is_said(full: str) -> None:
    script = f"exec {' '.join(COMMAND)} --server {full} show backends >&-"
    done = subprocess.run(["/bin/sh", "-c", script], stderr=subprocess.PIPE, timeout=60, check=False)

    assert done.returncode == Exit.NO_OUTPUT
    assert done.stderr == b"maglevc: cannot write the answer: standard output is closed\n"


def test_a_name_that_the_terminal_cannot_show_is_escaped() -> None:
    strange = statuses.frontend("caf\u00e9", statuses.WEB)
    status = type(statuses.FULL)(type(statuses.HEALTH)({}, {"caf\u00e9": strange}))
    with served(status) as address:
        done = process("--server", address, "show", "frontends", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\xe9" in done.stdout


def test_an_interrupt_ends_it_without_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            [*COMMAND, "--server", address, "show", "backends"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as waiting:
            silent.settimeout(60)
            caller, _ = silent.accept()  # it has called, and now it waits
            with caller:
                waiting.send_signal(signal.SIGINT)
                out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, out, err) == (-signal.SIGINT, b"", b"")
