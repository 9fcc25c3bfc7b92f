import os
from itertools import count

from maglev.cli.screen import Canvas, Screen
from maglev.errors import MaglevError, Refused, Unavailable
from tests.cli.terminal import Terminal, terminal


def failing(error: MaglevError) -> list[str]:
    raise error


def shown(tty: Terminal, canvas: Canvas) -> list[str]:
    """The first three lines, once they are drawn."""
    seen = tty.raw.count(b"\x07")
    canvas.draw()
    canvas._screen.write("\x1b]2;\x07")  # a title, which shows nowhere
    tty.until(lambda: tty.raw.count(b"\x07") > seen, "the picture")
    return tty.lines[:3]


def test_the_head_line_says_since_when_there_is_trouble() -> None:
    clock = count()
    with terminal(60, 5) as tty, os.fdopen(os.dup(tty.theirs), "w") as output:
        canvas = Canvas(Screen("show x", output, lambda: f"{next(clock):02}:00:00"), ["a", "b"])
        canvas.enter()
        right = "00:00:00  any key ends"
        assert shown(tty, canvas) == [f"show x{right:>54}", "", "a"]
        for _ in range(2):  # and it stays the first of them
            canvas.take_in(lambda: failing(Unavailable("gone", hint="wait")))
            assert shown(tty, canvas) == [f"show x{'no answer since 01:00:00  any key ends':>54}", "gone; wait", "a"]
        canvas.take_in(lambda: ["c"])
        assert shown(tty, canvas) == [f"show x{'02:00:00  any key ends':>54}", "", "c"]
        canvas.take_in(lambda: failing(Refused("no VPP is connected")))
        assert shown(tty, canvas) == [f"show x{'refused since 03:00:00  any key ends':>54}", "no VPP is connected", "c"]


def test_what_a_server_says_in_trouble_moves_no_cursor() -> None:
    with terminal(60, 5) as tty, os.fdopen(os.dup(tty.theirs), "w") as output:
        canvas = Canvas(Screen("show x", output), ["a"])
        canvas.enter()
        canvas.take_in(lambda: failing(Refused("no \x1b]0;title\x07\x1b[2J\nmore")))
        assert shown(tty, canvas)[1:] == ["no \\x1b]0;title\\x07\\x1b[2J\\nmore", "a"]


def test_nothing_is_drawn_while_the_screen_is_not_ours() -> None:
    with terminal() as tty, os.fdopen(os.dup(tty.theirs), "w") as output:
        canvas = Canvas(Screen("show x", output), ["a"])
        assert shown(tty, canvas)[2] == ""
        canvas.enter()
        assert shown(tty, canvas)[2] == "a"
        canvas.leave()
        canvas.take_in(lambda: ["b"])
        assert shown(tty, canvas)[2] == "a"


def test_what_the_terminal_cannot_show_is_escaped() -> None:
    with terminal() as tty, os.fdopen(os.dup(tty.theirs), "w", encoding="ascii") as output:
        canvas = Canvas(Screen("show x", output), ["caf\u00e9"])
        canvas.enter()
        assert shown(tty, canvas)[2] == "caf\\xe9"
