"""The real maglevc in a pseudo-terminal, for what needs a user: a yes, a key that ends a watch, colours."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.shells import COMMAND, CTRL_D, ENTER, Shell, in_terminal, maglevc, pasted
from tests.cli.terminal import CTRL_C
from tests.rpc import statuses
from tests.rpc.desk import Desk
from tests.rpc.served import answering, serving

PROMPT = "maglevc m.sock> "
DISABLE = f"set backend web1 disable{ENTER}"
ASKED = "this cuts the flows of web1: about 398 in 1 VIP, counted "


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def server(desk: Desk) -> Iterator[str]:
    with TemporaryDirectory() as short, serving(answering(lambda: statuses.FULL, desk), f"unix:{short}/m.sock") as at:
        yield at


@pytest.fixture
def shell(server: str, tmp_path: Path) -> Iterator[Shell]:
    with maglevc(server, tmp_path) as found:
        yield found


def test_what_cuts_flows_is_done_after_a_yes(shell: Shell, desk: Desk) -> None:
    shell.type(DISABLE)
    shell.until_says(ASKED)
    shell.until_ends("type yes to go on: ")
    assert desk.told == []
    shell.type(f"yes{ENTER}")
    shell.until_ends("type yes to go on: yes", "backend web1 is paused", PROMPT)  # the desk pauses whatever it is told
    assert len(desk.told) == 1


@pytest.mark.parametrize("keys", [ENTER, f"y{ENTER}", f"no{ENTER}", CTRL_C, CTRL_D])
def test_anything_else_is_a_no(keys: str, shell: Shell, desk: Desk) -> None:
    shell.type(DISABLE)
    shell.until_says(ASKED)
    shell.until_ends("type yes to go on: ")
    shell.type(keys)
    shell.until_says("maglevc: nothing was changed")
    shell.until_ends(PROMPT)
    assert desk.told == []


def test_ctrl_c_that_comes_before_the_question_is_a_no(shell: Shell, desk: Desk) -> None:
    """Whoever types ahead is read together with the line: none of it may be lost."""
    shell.type(f"{DISABLE}{CTRL_C}")
    shell.until_says("maglevc: nothing was changed")
    shell.until_ends(PROMPT)
    assert desk.told == []


def test_ctrl_c_at_the_question_drops_what_was_pasted_behind_it(shell: Shell, desk: Desk) -> None:
    shell.type(pasted("set backend web1 disable\nset backend web2 pause\nset backend web2 pa"))
    shell.until_ends("type yes to go on: ")
    shell.type(CTRL_C)
    shell.until_says("maglevc: nothing was changed")
    shell.until_ends(PROMPT)
    assert desk.told == []


def test_a_no_goes_on_with_what_was_pasted_behind_it(shell: Shell, desk: Desk) -> None:
    shell.type(pasted("set backend web1 disable\nset backend web2 pause\n"))
    shell.until_ends("type yes to go on: ")
    shell.type(f"no{ENTER}")
    shell.until_says("is paused")
    assert len(desk.told) == 1


@pytest.mark.parametrize(("watch", "seen"), [("watch frontends", "any key ends"), ("watch events", '{"backend"')])
@pytest.mark.parametrize("key", ["x", CTRL_C])
def test_what_ends_a_watch_drops_what_was_pasted_behind_it(
    key: str, watch: str, seen: str, shell: Shell, desk: Desk
) -> None:
    shell.type(pasted(f"{watch}\nset backend web2 pause\nset backend web2 pa"))
    shell.until_says(seen)
    shell.type(key)
    shell.until_ends(PROMPT)
    assert desk.told == []


def test_one_shot_is_not_asked_even_at_a_terminal(server: str, desk: Desk) -> None:
    with in_terminal((*COMMAND, "--server", server, *DISABLE.split()), {}) as shell:
        assert shell.wait() == 2
        shell.until_says(ASKED)
    assert desk.told == []


@pytest.mark.parametrize("watch", ["watch frontends", "watch vpp lb counters", "watch vpp lb counters rate"])
@pytest.mark.parametrize("key", ["x", CTRL_C])
def test_a_watch_in_the_shell_draws_until_a_key(watch: str, key: str, shell: Shell) -> None:
    before = shell.terminal.settings
    shell.type(f"{watch}{ENTER}")
    shell.until_says("any key ends")
    shell.type(key)
    shell.until_ends(PROMPT)
    shell.type(f"show version{ENTER}")
    shell.until_says("maglevd:")
    shell.until_ends(PROMPT)
    assert shell.terminal.settings == before


@pytest.mark.parametrize("key", ["x", CTRL_C])
def test_events_end_by_a_key_and_leave_the_prompt(key: str, shell: Shell) -> None:
    shell.type(f"watch events frontend{ENTER}")
    shell.until_says('{"frontend": {"at_ns": ')
    shell.type(key)
    shell.until_ends(PROMPT)


def test_a_watch_without_a_shell_ends_by_a_key_with_0(server: str) -> None:
    with in_terminal((*COMMAND, "--server", server, "watch", "frontends"), {}) as shell:
        shell.until_says("any key ends")
        shell.type("q")
        assert shell.wait() == 0


def test_states_have_colours_in_the_shell(shell: Shell) -> None:
    shell.type(f"show backends{ENTER}")
    shell.until_says("web2")
    shell.until_ends(PROMPT)
    assert b"\x1b[1;31mdown" in shell.terminal.raw


def test_no_color_is_respected(server: str, tmp_path: Path) -> None:
    with maglevc(server, tmp_path, NO_COLOR="1") as shell:
        shell.type(f"show backends{ENTER}")
        shell.until_says("web2")
        shell.until_ends(PROMPT)
        assert b"\x1b[1;31mdown" not in shell.terminal.raw


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_pages_fit_the_terminal(columns: int, server: str, tmp_path: Path) -> None:
    with maglevc(server, tmp_path, columns=columns, rows=100) as shell:
        shell.type(f"show vpp lb counters{ENTER}")
        shell.until_says("fwd-bytes")
        shell.until_ends(PROMPT)
        titles = [line for line in shell.lines if line.startswith("vip ")]
        assert len(titles) == {40: 1, 80: 2, 160: 1}[columns]  # at 40 each row goes on below
