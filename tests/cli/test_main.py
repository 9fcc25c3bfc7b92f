"""maglevc as one process or call: exit statuses, streams, colours, scripts, and what the server says no to."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maglev.cli import main as cli
from maglev.cli.output import Exit
from maglev.cli.times import Times
from maglev.cli.words import RULES
from maglev.errors import Unavailable
from maglev.rpc.ports import Faults
from tests.rpc import statuses
from tests.rpc.desk import Desk
from tests.rpc.served import answering, served, serving

COMMAND = (sys.executable, "-m", "maglev.cli.main")
NOBODY = "nobody.invalid:1"


@pytest.fixture(scope="module")
def full() -> Iterator[str]:
    with served(statuses.FULL) as address:
        yield address


@pytest.fixture(scope="module")
def without_vpp() -> Iterator[str]:
    with served(statuses.NO_VPP) as address:
        yield address


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def ordered(desk: Desk) -> Iterator[str]:
    with serving(answering(lambda: statuses.FULL, desk)) as address:
        yield address


def run(line: str, server: str) -> int:
    times = Times(lambda: statuses.NOW_NS, lambda _: None)
    return cli.run(line.split(), {"MAGLEV_SERVER": server}, times)


def process(*words: str, stdin: str | None = None, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *words],
        env={**os.environ, **environ},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_colour_is_off_unless_asked_for(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("show backends", full)
    plain = capsys.readouterr().out
    run("--color=false show backends", full)
    assert capsys.readouterr().out == plain
    run("--color=true show backends", full)
    coloured = capsys.readouterr().out

    assert "\x1b[1;31mdown" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_name_that_looks_like_an_option_can_be_given(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show backends -- -x", full) == Exit.REFUSED
    assert "there is no backend called '-x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show frontends wep", "maglevc: there is no frontend called 'wep'; the nearest is 'web'\n"),
        ("show backends webx", "maglevc: there is no backend called 'webx'; the nearest is 'web"),
    ],
)
def test_what_the_server_refuses_ends_with_1(
    line: str, said: str, full: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line, full) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)


@pytest.mark.parametrize(
    "line",
    ["show vpp info", "show vpp lb state", "show vpp lb counters", "show vpp lb counters rate", "show vpp lb plan"],
)
def test_vpp_calls_without_vpp_end_with_1(line: str, without_vpp: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line, without_vpp) == Exit.REFUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("maglevc: no VPP is connected; is VPP running")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "line", ["show frobs", "s v", "show", "show version x", "show backends a b", "show version | match ["]
)
def test_wrong_words_end_with_2_and_need_no_server(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line, NOBODY) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("maglevc: ")
    assert err.count("\n") == 1


def test_a_bad_server_address_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show frontends", "no-port") == Exit.USAGE
    assert "'no-port' is no address of a server" in capsys.readouterr().err


def test_help_prints_the_commands_and_needs_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("he", NOBODY) == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert all(rule.synopsis in out and rule.help in out for rule in RULES)


@pytest.mark.parametrize("line", ["show frontends", "show frontends web"])
def test_below_frontends_it_is_said_when_vpp_is_away(
    line: str, full: str, without_vpp: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "\n\nnot being written to VPP: no VPP is connected; is VPP running"
    run(line, full)
    assert said not in capsys.readouterr().out
    assert run(line, without_vpp) == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert said in out


def test_no_server_ends_with_3_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert run("show frontends", f"127.0.0.1:{port}") == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"maglevc: no maglevd answers at 127.0.0.1:{port}")
    assert err.count("\n") == 1


def test_a_timeout_is_said_with_its_length_and_ends_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert run("--timeout 0.2 show frontends", address) == 3
        assert "within 0.2 s" in capsys.readouterr().err
        assert run("--timeout 0.2 sync vpp lb state", address) == 3  # which else has more patience
        assert "within 0.2 s" in capsys.readouterr().err


def test_a_rate_without_a_new_sample_is_given_up(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show vpp lb counters rate", full) == Exit.NO_SERVER
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("maglevc: no new sample of VPP's counters within ")


def test_what_would_cut_flows_is_not_done_without_yes(
    ordered: str, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("set backend web1 disable", ordered) == Exit.USAGE
    assert run("set frontend web pool primary backend web1 weight 0 flush", ordered) == Exit.USAGE
    assert desk.told == []
    assert capsys.readouterr().err.count("say --yes if that is meant") == 2

    assert run("--yes set backend web1 disable", ordered) == Exit.OK
    assert run("set frontend web pool primary backend web1 weight 0", ordered) == Exit.OK
    assert len(desk.told) == 2


def test_nobody_is_asked_about_a_backend_that_is_disabled_already(ordered: str, desk: Desk) -> None:
    assert run("set backend spare-alias disable", ordered) == Exit.OK
    assert len(desk.told) == 1


def test_faults_go_to_stdout_and_the_sum_of_them_to_stderr(
    ordered: str, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.faults = Faults(is_syntax=False, text="line 3: a: wrong\nline 9: b: wrong")
    assert run("config check", ordered) == Exit.REFUSED
    out, err = capsys.readouterr()
    assert out == "line 3: a: wrong\nline 9: b: wrong\n"
    assert err.startswith("maglevc: 2 faults in the configuration file")


def test_a_refused_order_is_said(ordered: str, desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.failure = Unavailable("maglevd is stopping")
    assert run("config reload", ordered) == Exit.REFUSED
    assert capsys.readouterr().err == "maglevc: maglevd is stopping\n"


def test_as_a_process_it_does_the_same(full: str) -> None:
    done = process("sh", "fr", "|", "match", "^web", MAGLEV_SERVER=full)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["name", "web"]


def test_a_script_stops_at_the_first_error(full: str) -> None:
    done = process(stdin="# first\nshow version\n\nshow backends nobody\nshow version\n", MAGLEV_SERVER=full)
    assert done.returncode == 1
    assert done.stdout.count("maglevd:") == 1
    assert done.stderr.splitlines()[-1] == "maglevc: stopped at line 4"


def test_a_line_too_long_to_be_one_is_an_error_and_not_two_commands(full: str) -> None:
    done = process(stdin=f"show version {' ' * 70_000} show version\n", MAGLEV_SERVER=full)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "maglevc: line 1 is longer than 65536 characters; stopped there\n"


def test_bytes_that_are_no_text_are_an_unknown_word(full: str) -> None:
    done = subprocess.run(
        COMMAND,
        env={**os.environ, "MAGLEV_SERVER": full},
        input=b"show \xff\xfe\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"unknown word" in done.stderr
    assert b"Traceback" not in done.stderr


def test_without_stdin_and_words_it_says_what_is_missing() -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m maglev.cli.main <&-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("maglevc: no command, and standard input is closed")


@pytest.mark.parametrize("line", ["show frontends", "help", "show backends | json"])
def test_a_closed_pipe_is_no_traceback(line: str, full: str) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*COMMAND, *line.split()],
            env={**os.environ, "MAGLEV_SERVER": full},
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, "")


def test_a_full_disk_is_said(full: str) -> None:
    with Path("/dev/full").open("w") as disk:
        done = subprocess.run(
            [*COMMAND, "show", "frontends"],
            env={**os.environ, "MAGLEV_SERVER": full},
            stdout=disk,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == Exit.NO_OUTPUT
    assert done.stderr == "maglevc: cannot write the answer: No space left on device\n"


def test_a_closed_stdout_is_said(full: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m maglev.cli.main show frontends >&-"],
        env={**os.environ, "MAGLEV_SERVER": full},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == Exit.NO_OUTPUT
    assert done.stderr == "maglevc: cannot write the answer: standard output is closed\n"


def test_what_the_terminal_cannot_show_is_escaped(full: str) -> None:
    done = process("show", "frontends", "web", MAGLEV_SERVER=full, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "|- web1" in done.stdout
    assert done.stdout.isascii()


def test_ctrl_c_just_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waiting = subprocess.Popen(
            [*COMMAND, "--server", f"127.0.0.1:{silent.getsockname()[1]}", "show", "frontends"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connected, _ = silent.accept()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=60)
        connected.close()
    assert (waiting.returncode, out, err) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    "line", ["set frontend web pool primary backend web1 weight 0 {}", "sync vpp lb state {}", "show {}", "{}"]
)
def test_an_empty_word_is_never_whatever_is_the_only_word_left(line: str, ordered: str, desk: Desk) -> None:
    words = ["" if word == "{}" else word for word in line.split()]
    done = process("--yes", *words, MAGLEV_SERVER=ordered)
    assert done.returncode == 2
    assert "empty word" in done.stderr
    assert desk.told == []


@pytest.mark.parametrize("pattern", ["a{99999999999999}", "(" * 3000, "[", "*"])
def test_a_pattern_that_cannot_be_is_said_in_one_line(pattern: str, full: str) -> None:
    done = process("show", "backends", "|", "match", pattern, MAGLEV_SERVER=full)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_pattern_of_doubtful_future_is_taken_without_a_word(full: str) -> None:
    done = process("show", "backends", "|", "match", "[[w]eb1", MAGLEV_SERVER=full)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fault_of_our_own_is_told_as_such(
    full: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("for nothing")

    monkeypatch.setattr("maglev.cli.answers.answer", broken)
    assert run("show frontends", full) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("maglevc: a fault of maglevc itself: ZeroDivisionError('for nothing') in broken, line ")


@pytest.mark.parametrize("option", ["--server", "--tls-server-name"])
def test_bytes_that_are_no_text_are_said_of_options_too(option: str, full: str) -> None:
    done = process(option, os.fsdecode(b"\xff:1"), "show", "frontends", MAGLEV_SERVER=full)
    assert done.returncode == 2
    assert "is no text" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stdin_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m maglev.cli.main 0>{tmp_path}/file"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "maglevc: cannot read standard input: Bad file descriptor\n"


def test_a_pipe_without_a_blank_before_it_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show frontends|json", NOBODY) == Exit.USAGE
    assert "is there no blank before the |?" in capsys.readouterr().err


def test_to_enable_what_is_paused_is_no_success(ordered: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("set backend web1 enable", ordered) == Exit.REFUSED  # the desk pauses whatever it is told
    assert capsys.readouterr() == ("", "maglevc: backend web1 is paused, not disabled; resume it\n")


def test_a_frontend_that_vpp_lacks_is_said_to_be_so(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = "not in VPP's table as far as maglevd knows; `show vpp lb plan` tells what it waits for"
    bare = replace(statuses.FULL, lb=None)
    with served(bare) as address:
        assert run("show frontends web", address) == Exit.OK
    assert capsys.readouterr().out.endswith(f"\n\n{said}\n")
    assert run("show frontends web", full) == Exit.OK
    assert said not in capsys.readouterr().out


def test_flows_that_were_not_counted_since_a_write_are_not_called_none(
    ordered: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("set backend web2 disable", ordered) == Exit.USAGE  # in one of its VIPs VPP has not told them
    assert "the flows of web2 in 2 VIPs; `sync vpp lb state` counts them; say --yes" in capsys.readouterr().err
