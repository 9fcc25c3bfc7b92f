import re

import pyte
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli import drawing
from maglev.cli.drawing import Size

GREEN, RESET = "\x1b[32m", "\x1b[0m"

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
lines = st.lists(st.one_of(texts, texts.map(lambda text: f"{GREEN}{text}{RESET}"), st.just(f"a{GREEN}b{RESET}c")))
sizes = st.builds(Size, st.integers(1, 14), st.integers(1, 8))


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9]*m", "", line)


@given(shown=lines, size=sizes)
def test_a_picture_takes_the_place_of_all_that_was_there(shown: list[str], size: Size) -> None:
    screen = pyte.Screen(size.columns, size.rows)
    stream = pyte.Stream(screen)
    stream.feed(drawing.ENTER + "\r\n".join(["X" * size.columns] * size.rows))
    drawn = drawing.seen(shown, size)
    stream.feed(drawing.picture(drawn, size))

    expected = [plain(line).ljust(size.columns) for line in drawn]
    assert screen.display == expected + [" " * size.columns] * (size.rows - len(drawn))


@given(shown=lines, size=sizes)
def test_what_has_room_is_shown_and_what_has_not_is_counted(shown: list[str], size: Size) -> None:
    drawn = drawing.seen(shown, size)

    assert len(drawn) == min(len(shown), size.rows)
    assert all(len(plain(line)) <= size.columns for line in drawn)
    if len(shown) <= size.rows:
        assert [plain(line) for line in drawn] == [plain(line)[: size.columns] for line in shown]
    else:
        missing = len(shown) - size.rows + 1
        assert f"... {missing} more lines: make the window taller".startswith(plain(drawn[-1])[:40])


def test_colour_ends_where_a_line_is_cut() -> None:
    assert drawing.fitted(f"{GREEN}green{RESET}", 5) == f"{GREEN}green{RESET}"
    assert drawing.fitted(f"{GREEN}green{RESET} and more", 3) == f"{GREEN}gre{RESET}"
    assert drawing.fitted("plain and more", 5) == "plain"
    assert drawing.seen(["a"] * 3, Size(10, 0)) == []


def test_wide_characters_take_two_cells() -> None:
    wide = "\u5bbd\u5b57\u7b26"
    assert drawing.fitted(wide, 6) == wide
    assert drawing.fitted(wide, 5) == wide[:2]
    assert drawing.fitted(f"{GREEN}{wide}{RESET} and more", 3) == f"{GREEN}{wide[0]}{RESET}"
    assert drawing.fitted(f"e\u0301{wide}", 3) == f"e\u0301{wide[0]}"
    assert drawing.head(wide, "any key ends", 21) == f"{wide} any key ends".replace(" any", "   any")
    assert drawing.head(wide, "any key ends", 19) == f"{wide[0]}...  any key ends"
    assert drawing.picture([wide], Size(6, 1)) == f"\x1b[H{wide}"


def test_a_head_line_keeps_its_right_end() -> None:
    assert drawing.head("show frontends", "any key ends", 40) == "show frontends              any key ends"
    assert drawing.head("show frontends", "any key ends", 24) == "show fr...  any key ends"
    assert drawing.head("show frontends", "any key ends", 13) == "any key ends"
    assert drawing.head("show frontends", "any key ends", 5) == "any k"


def test_a_full_line_is_not_cleared_behind_its_end() -> None:
    """There the cursor stands on its last character; terminals differ in whether clearing takes that."""
    assert drawing.picture(["12345", "1234"], Size(5, 2)) == "\x1b[H12345\r\n1234\x1b[K"
