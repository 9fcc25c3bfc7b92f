import re

import pytest

from maglev.cli.render import layout
from tests.cli.golden import HERE, PAGES, WIDTHS, drawn, path

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("name", PAGES)
def test_each_page_looks_exactly_like_this(name: str) -> None:
    assert drawn(PAGES[name]) == path(name).read_text()


def test_no_golden_file_is_without_its_page() -> None:
    assert {each.stem for each in HERE.glob("*.txt")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_wider_than_the_width_and_colour_moves_nothing(name: str) -> None:
    for width in (*range(1, 200), None):
        plain = layout.lines(PAGES[name], width, layout.plain)

        assert width is None or width < 4 or max(map(len, plain)) <= width
        assert [ESCAPE.sub("", line) for line in layout.lines(PAGES[name], width, layout.coloured)] == plain


@pytest.mark.parametrize("name", PAGES)
def test_trees_can_do_with_ascii(name: str) -> None:
    for width in (*WIDTHS.values(), 20):
        lines = layout.lines(PAGES[name], width, layout.plain, ascii=True)

        assert all(line.isascii() for line in lines)
        glyphs = str.maketrans({"├": "|", "└": "`", "─": "-"})
        assert lines == [line.translate(glyphs) for line in layout.lines(PAGES[name], width, layout.plain)]
