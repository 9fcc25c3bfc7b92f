"""The real maglevc in a pseudo-terminal, with a real server."""

import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from maglev.cli.shell import MOST_PASTED, prompt_of
from tests.cli.shells import (
    COMMAND,
    CTRL_D,
    CTRL_R,
    ENTER,
    ERASE,
    HOME,
    RIGHT,
    TAB,
    UP,
    Shell,
    in_terminal,
    maglevc,
    pasted,
)
from tests.cli.terminal import CTRL_C
from tests.rpc import statuses
from tests.rpc.served import served

PROMPT = "maglevc m.sock> "


@pytest.fixture(scope="module")
def full() -> Iterator[str]:
    with TemporaryDirectory() as short, served(statuses.FULL, f"unix:{short}/m.sock") as address:
        yield address


@pytest.fixture
def shell(full: str, tmp_path: Path) -> Iterator[Shell]:
    with maglevc(full, tmp_path) as found:
        yield found


def test_a_line_is_typed_mended_and_run(shell: Shell) -> None:
    shell.type(f"shox{ERASE} frobs{ENTER}")
    shell.until_ends(
        f"{PROMPT}sho frobs",
        "maglevc: unknown word 'frobs' after 'sho'; expected one of: backends, frontends,",
        "healthchecks, version, vpp",
        PROMPT,
    )


@pytest.mark.parametrize(("keys", "line"), [(f"quit{ENTER}", "quit"), (f"ex{ENTER}", "ex"), (CTRL_D, "")])
def test_quit_and_ctrl_d_leave_with_0_and_print_nothing_more(keys: str, line: str, shell: Shell) -> None:
    shell.type(keys)
    assert shell.wait() == 0
    assert shell.lines == [f"{PROMPT}{line}".rstrip(), ""]


def test_ctrl_d_on_a_line_takes_a_character_and_stays(shell: Shell) -> None:
    shell.type(f"xshow{HOME}{CTRL_D}")
    shell.until_ends(f"{PROMPT}show", column=len(PROMPT))


def test_an_empty_line_does_nothing(shell: Shell) -> None:
    shell.type(f"{ENTER}  {ENTER}")
    shell.until_ends(PROMPT, PROMPT, PROMPT)


def test_tab_puts_in_the_only_word_and_a_blank(shell: Shell) -> None:
    shell.type(f"sh{TAB}fr{TAB}sh{TAB}")
    shell.until_ends(f"{PROMPT}show frontends shop ")


def test_tab_puts_in_what_is_common_and_lists_where_there_is_no_more(shell: Shell) -> None:
    shell.type(f"show backends w{TAB}")
    shell.until_ends(f"{PROMPT}show backends web")
    shell.type(TAB)
    shell.until_ends(f"{PROMPT}show backends web", "web1  web2", f"{PROMPT}show backends web")
    shell.type(f"2{TAB}")
    shell.until_ends(f"{PROMPT}show backends web2 ")


def test_tab_in_the_middle_of_a_line_doubles_no_blank(shell: Shell) -> None:
    shell.type(f"sh version{HOME}{RIGHT * 2}{TAB}")
    shell.until_ends(f"{PROMPT}show version", column=len(f"{PROMPT}show "))


def test_tab_rings_where_nothing_fits_and_leaves_the_line_alone(shell: Shell) -> None:
    shell.type(f"shwo {TAB}")
    shell.terminal.until(lambda: b"\a" in shell.terminal.raw, "the bell rang")
    shell.until_ends(f"{PROMPT}shwo ")


def test_tab_does_not_add_what_may_be_left_out(shell: Shell) -> None:
    line = f"{PROMPT}set frontend web pool primary backend web1 weight 0 "
    shell.type(f"set f{TAB}web p{TAB}p{TAB}b{TAB}web1 w{TAB}0 {TAB}")
    shell.until_ends(line, "flush", line)


def test_backends_of_a_pool_are_completed_by_those_in_it(shell: Shell) -> None:
    shell.type(f"set frontend web pool fallback backend {TAB}")
    shell.until_ends(f"{PROMPT}set frontend web pool fallback backend spare ")


def test_a_question_mark_tells_the_choices_and_gives_the_line_back(shell: Shell) -> None:
    shell.type("show vpp ?lb")
    shell.until_ends(
        f"{PROMPT}show vpp ?",
        "  info  the VPP that maglevd is connected to",
        "  lb    VPP's load balancer",
        f"{PROMPT}show vpp lb",
    )


def test_a_question_mark_in_the_middle_asks_about_what_is_left_of_it(shell: Shell) -> None:
    shell.type(f"config check{HOME}{RIGHT * 8}?")
    shell.until_ends(
        f"{PROMPT}config c?heck",
        "  check    what is wrong with the configuration file",
        "  <Enter>  run it",
        f"{PROMPT}config check",
        column=len(f"{PROMPT}config c"),
    )


def test_a_question_mark_tells_names_and_that_the_line_may_end(shell: Shell) -> None:
    shell.type("sync vpp lb state s?")
    shell.until_ends(
        f"{PROMPT}sync vpp lb state s?",
        "  FRONTEND  name of a frontend",
        "    shop  six",
        "  <Enter>   run it",
        f"{PROMPT}sync vpp lb state s",
    )


def test_a_question_mark_behind_a_wrong_word_names_it(shell: Shell) -> None:
    shell.type("show vppp ?")
    shell.until_ends(
        f"{PROMPT}show vppp ?",
        "unknown word 'vppp' after 'show'; did you mean 'vpp'? expected one of: backends,",
        " frontends, healthchecks, version, vpp",
        f"{PROMPT}show vppp ",
    )


def test_a_question_mark_in_quotes_is_a_character(shell: Shell) -> None:
    shell.type("show backends | match 'web?' ?")
    shell.until_ends(
        f"{PROMPT}show backends | match 'web?' ?", "  <Enter>  run it", f"{PROMPT}show backends | match 'web?' "
    )


def test_ctrl_c_gives_a_line_up(shell: Shell) -> None:
    shell.type(f"set backend web1 disable{HOME}{CTRL_C}")
    shell.until_ends(f"{PROMPT}set backend web1 disable^C", PROMPT)
    shell.type(UP)  # it was not run, so it is not remembered
    shell.type(f"x{ENTER}")
    shell.until_says("unknown word 'x'")


def test_lines_come_back_in_the_next_shell(full: str, tmp_path: Path) -> None:
    with maglevc(full, tmp_path) as first:
        first.type(f"one{ENTER}two{ENTER}two{ENTER}{CTRL_D}")
        assert first.wait() == 0
    with maglevc(full, tmp_path) as second:
        second.type(UP)
        second.until_ends(f"{PROMPT}two")
        second.type(UP)
        second.until_ends(f"{PROMPT}one")
        second.type(f"{CTRL_C}{CTRL_R}tw")
        second.until_says("reverse-i-search")
        second.type(f"{ENTER}{ENTER}")
        second.until_says("unknown word 'two'")

    file = tmp_path / "maglev/history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == "one\ntwo\n"


def test_without_a_place_for_its_history_it_goes_on_and_says_so_once(full: str, tmp_path: Path) -> None:
    (tmp_path / "maglev").write_text("a file, where a directory is to be")
    with in_terminal((*COMMAND, "--server", full), {"XDG_STATE_HOME": str(tmp_path)}, columns=200) as shell:
        shell.until_ends(PROMPT)
        shell.type(f"one{ENTER}")
        shell.until_says("unknown word 'one'")
        shell.until_ends(PROMPT)
        shell.type(f"{ENTER}{CTRL_D}")
        assert shell.wait() == 0
        assert sum("no history is kept in" in line for line in shell.lines) == 1


def test_a_long_line_and_its_help_are_whole_in_a_narrow_terminal(full: str, tmp_path: Path) -> None:
    with maglevc(full, tmp_path, columns=40, rows=16) as shell:
        shell.type("set frontend web pool primary ?")
        shell.until_ends(
            f"{PROMPT}set frontend web pool pr",
            "imary ?",
            "  backend  of which backend",
            f"{PROMPT}set frontend web pool pr",
            "imary ",
        )
        shell.type(f"{CTRL_C}show ?")
        shell.until_ends(
            f"{PROMPT}show ?",
            "  backends      backends with their",
            "                health; one with its",
            "                history",
            "  frontends     frontends with their",
            "                state; one with its",
            "                pools",
            "  healthchecks  health checks; one with",
            "                all it does",
            "  version       versions of maglevc and",
            "                maglevd",
            "  vpp           VPP and its load",
            "                balancer",
            f"{PROMPT}show ",
        )


def test_a_resized_terminal_gets_the_line_anew(shell: Shell) -> None:
    shell.type("set frontend web pool primary backend web1")
    shell.until_ends(f"{PROMPT}set frontend web pool primary backend web1")
    shell.terminal.resize(40, 12)
    shell.until_ends(f"{PROMPT}set frontend web pool pr", "imary backend web1")
    shell.terminal.resize(100, 30)
    shell.until_ends(f"{PROMPT}set frontend web pool primary backend web1")


def test_all_lines_of_a_paste_are_run_and_the_last_one_can_be_edited(shell: Shell) -> None:
    shell.type("o")
    shell.type(pasted("ne\r\ntwo?\rthr"))
    shell.until_ends(f"{PROMPT}thr")
    shell.type(f"ee{ENTER}")
    shell.until_says("unknown word 'three'")
    shell.until_ends(PROMPT)
    said = [line.partition(";")[0] for line in shell.lines if line.startswith("maglevc")]
    assert said == [
        f"{PROMPT}one",
        "maglevc: unknown word 'one'",
        f"{PROMPT}two?",
        "maglevc: unknown word 'two?'",
        f"{PROMPT}three",
        "maglevc: unknown word 'three'",
        PROMPT.rstrip(),
    ]


def test_lines_that_come_at_once_without_being_a_paste_are_all_run(shell: Shell) -> None:
    shell.type(f"one{ENTER}two{ENTER}three{ENTER}")
    for word in ("one", "two", "three"):
        shell.until_says(f"unknown word {word!r}")


def test_ctrl_c_ends_a_command_but_not_the_shell(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        with maglevc(server, tmp_path) as shell:
            shell.type(f"config check{ENTER}")
            caller, _ = silent.accept()
            with caller:
                shell.type(CTRL_C)
                shell.until_ends(f"{prompt_of(server)}config check", "^C", prompt_of(server))
                shell.type(CTRL_D)
                assert shell.wait() == 0


def test_a_server_that_does_not_answer_costs_names_and_no_word_is_said(tmp_path: Path) -> None:
    with maglevc("127.0.0.1:1", tmp_path) as shell:
        prompt = prompt_of("127.0.0.1:1")
        shell.type(f"sh{TAB}backends {TAB}")
        shell.until_ends(f"{prompt}show backends ", "|", f"{prompt}show backends ")
        shell.type("w?")
        shell.until_ends(
            f"{prompt}show backends w?",
            "  BACKEND  name of a backend",
            "  <Enter>  run it",
            f"{prompt}show backends w",
        )


def test_it_survives_a_server_that_is_started_anew_and_says_so(tmp_path: Path) -> None:
    with TemporaryDirectory() as short:
        address = f"unix:{short}/m.sock"
        with maglevc(address, tmp_path, columns=200) as shell:
            with served(statuses.FULL, address):
                shell.type(f"show backends | match web1{ENTER}")
                shell.until_says("10.1.0.1")
                shell.until_ends(PROMPT)
            shell.type(f"show backends{ENTER}")
            shell.until_says(f"maglevc: no maglevd answers at {address}")
            shell.until_ends(PROMPT)
            with served(statuses.FULL, address):
                shell.type(f"show backends spare{ENTER}")
                shell.until_says(f"maglevc: {address} answers again")
                shell.until_ends(PROMPT)
                shell.type(f"show frontends sh{TAB}")
                shell.until_ends(f"{PROMPT}show frontends shop ")


def test_names_come_before_the_pipe(shell: Shell) -> None:
    shell.type(f"show frontends {TAB}")
    shell.until_ends(f"{PROMPT}show frontends ", "net   shop  six   web   |", f"{PROMPT}show frontends ")


def test_a_dumb_terminal_is_only_printed_to(full: str, tmp_path: Path) -> None:
    with maglevc(full, tmp_path, TERM="dumb") as shell:
        shell.type("config ?\n")
        shell.until_says("  check   what is wrong with the configuration file")
        shell.until_ends(PROMPT)
        shell.type("half")
        shell.until_ends(f"{PROMPT}half")
        shell.type(CTRL_C)
        shell.until_ends(f"{PROMPT}half^C", PROMPT)
        shell.type("quit\n")
        assert shell.wait() == 0
        assert b"\x1b" not in shell.terminal.raw


def test_a_paste_beyond_all_bounds_is_not_run(shell: Shell) -> None:
    shell.type(pasted("quit\n" * (MOST_PASTED + 1)))
    shell.until_says(f"more than {MOST_PASTED} lines: put them into a file")
    shell.until_ends(PROMPT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_that_ends_it_leaves_the_terminal_as_it_was(number: signal.Signals, shell: Shell) -> None:
    assert shell.terminal.popen is not None
    assert shell.terminal.settings != shell.terminal.before
    shell.terminal.popen.send_signal(number)

    assert shell.wait() == -number
    assert shell.terminal.settings == shell.terminal.before
    assert shell.terminal.raw.count(b"\x1b[?2004h") == shell.terminal.raw.count(b"\x1b[?2004l") == 1


def test_ctrl_c_drops_what_was_pasted_behind_the_command_that_it_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        with maglevc(server, tmp_path) as shell:
            shell.type(pasted("config check\nquit\nquit\n"))
            caller, _ = silent.accept()
            with caller:
                shell.type(CTRL_C)
                shell.until_ends(f"{prompt_of(server)}config check", "^C", prompt_of(server))
