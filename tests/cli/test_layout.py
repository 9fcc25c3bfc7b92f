import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli.render import layout, text
from maglev.cli.render.layout import Column, Fields, Kind, Page, Table, Text

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
GREEN_UP, RED_DOWN, YELLOW_PAUSED = "\x1b[32mup\x1b[0m", "\x1b[1;31mdown\x1b[0m", "\x1b[33mpaused\x1b[0m"
WORDS = st.sampled_from(("up", "down", "paused", "web1", "2001:db8:1234:5678:9abc:def0:1234:5678", "10", "", "-"))
CELLS = WORDS | st.text(max_size=12) | st.text("漢字e\u0301 \x1b\n", max_size=9)
COLUMNS = st.builds(
    Column,
    st.sampled_from(("state", "vpp-refuses", "name", "a-rather-long-title")),
    st.sampled_from(Kind),
    st.booleans(),
    st.booleans(),
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=6))
    rows = draw(st.lists(st.tuples(*[CELLS] * len(columns)), max_size=4))
    return Table(tuple(sorted(columns, key=lambda each: each.kind is not Kind.KEY)), tuple(rows))


PAIRS = st.lists(st.tuples(st.sampled_from(("state", "a-name")) | st.text(max_size=9), CELLS), max_size=4)
SECTIONS = (
    tables()
    | st.builds(Fields, PAIRS.map(tuple))
    | st.builds(Text, st.lists(CELLS | st.text(max_size=90), max_size=3).map(tuple))
)
PAGES = st.lists(SECTIONS, max_size=3).map(tuple)


def columns(*titles: str) -> tuple[Column, ...]:
    """`!key`, `>figure`, `~free`, `?extra`, `*state`; the others are words."""
    kinds = {"!": Kind.KEY, ">": Kind.FIGURE, "~": Kind.FREE, "*": Kind.STATE}
    made = []
    for title in titles:
        is_extra = title.startswith("?")
        rest = title.removeprefix("?")
        made.append(Column(rest.lstrip("!>~*"), kinds.get(rest[0], Kind.WORD), is_extra))
    return tuple(made)


def drawn(table: Table, width: int | None = None) -> list[str]:
    return layout.lines((table,), width, layout.plain)


def cells_of(line: str) -> int:
    """How many cells of a terminal a line takes, counted in another way than ours."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
    return len(line) + wide - sum(unicodedata.category(c) in ("Mn", "Me") for c in line)


def squeezed(words: str) -> str:
    return "".join(words.split())


@given(PAGES, st.integers(4, 170))
def test_no_line_is_wider_than_the_width_and_none_moves_the_cursor(page: Page, width: int) -> None:
    for line in layout.lines(page, width, layout.plain):
        assert cells_of(line) <= width
        assert line.isprintable()


@given(PAGES, st.integers(-1, 170) | st.none(), st.booleans())
def test_colour_moves_nothing(page: Page, width: int | None, only_ascii: bool) -> None:
    painted = layout.lines(page, width, layout.coloured, ascii=only_ascii)

    assert [ESCAPE.sub("", line) for line in painted] == layout.lines(page, width, layout.plain, ascii=only_ascii)


@given(tables(), st.integers(4, 170) | st.none())
def test_no_cell_is_lost_but_of_extra_columns_and_those_only_without_room(table: Table, width: int | None) -> None:
    shown = "".join(squeezed(line) for line in drawn(table, width))
    must = [n for n, column in enumerate(table.columns) if width is None or not column.is_extra]
    rows = (tuple(column.title for column in table.columns), *table.rows)

    assert Counter("".join(squeezed(text.printable(row[n])) for row in rows for n in must)) <= Counter(shown)


@given(tables())
def test_without_a_limit_each_row_is_one_line_with_all_its_columns_in_place(table: Table) -> None:
    lines = drawn(table)

    assert len(lines) == 1 + len(table.rows)
    assert all(column.title in lines[0] for column in table.columns)


@given(st.text(max_size=60), st.integers(2, 30))
def test_wrapping_loses_only_blanks_and_breaks_words_only_that_are_too_long(words: str, limit: int) -> None:
    clean = text.printable(words)
    pieces = text.wrapped(clean, limit)

    assert squeezed("".join(pieces)) == squeezed(clean)
    assert all(text.width(piece) <= limit for piece in pieces)
    whole = Counter(word for word in clean.split(" ") if word and text.width(word) <= limit)
    assert whole <= Counter(word for piece in pieces for word in piece.split(" "))


@given(st.text(max_size=30))
def test_width_is_counted_in_cells(words: str) -> None:
    clean = text.printable(words)

    assert text.width(clean) == cells_of(clean)


def test_marks_around_a_character_take_no_cell_of_their_own() -> None:
    assert [text.width(each) for each in ("e\u0301", "1\u20dd", "漢", "\uff41", "é")] == [1, 1, 2, 2, 1]


def test_a_character_wider_than_the_limit_has_a_line_for_itself() -> None:
    assert text.wrapped("漢字", 1) == ["漢", "字"]


def test_a_table_exactly_as_wide_as_the_lines_is_one_block() -> None:
    table = Table(columns("!name", "address"), (("web1", "10.0.0.1"),))

    assert drawn(table, 14) == ["name  address", "web1  10.0.0.1"]
    assert len(drawn(table, 13)) > 2


def test_figures_are_flush_right_and_words_flush_left() -> None:
    assert drawn(Table(columns("!name", ">n", "end"), (("a", "1000000", "x"), ("longer", "1", "yy")))) == [
        "name          n  end",
        "a       1000000  x",
        "longer        1  yy",
    ]


def test_a_table_without_rows_is_its_titles() -> None:
    assert drawn(Table(columns("a", ">b"), ())) == ["a  b"]
    assert drawn(Table((), ())) == []


def test_wide_and_combining_characters_keep_columns_in_place() -> None:
    assert drawn(Table(columns("!name", "end"), (("漢字", "x"), ("cafe\u0301", "y"), ("a\u200bb", "z")))) == [
        "name      end",
        "漢字      x",
        "cafe\u0301      y",
        "a\\u200bb  z",
    ]


def test_what_would_drive_a_terminal_is_shown_harmless() -> None:
    evil = "a\x1b[2Jb\n\u202ec"
    page: Page = (Table(columns("!name"), ((evil,),)), Fields((("x", evil),)), Text((evil,)))

    shown = "a\\x1b[2Jb\\n\\u202ec"
    assert layout.lines(page, None, layout.plain) == ["name", shown, "", f"x:  {shown}", "", shown]


ROW = ("web1", "10.0.0.1", "12", "some free text of many words")
SPLIT = Table(columns("!name", "address", ">n", "~free"), (ROW,))


def test_free_text_wraps_within_its_column() -> None:
    assert drawn(SPLIT, 42) == [
        "name  address    n  free",
        "web1  10.0.0.1  12  some free text of many",
        "                    words",
    ]  # fmt: skip


def test_what_does_not_fit_goes_on_below_with_the_keys_at_its_head() -> None:
    assert drawn(SPLIT, 24) == [
        "name  address    n",
        "web1  10.0.0.1  12",
        "",
        "name  free",
        "web1  some free text of",
        "      many words",
    ]


def test_with_keys_too_long_for_that_each_row_goes_on_in_lines_below() -> None:
    table = Table(columns("!name", "!port", ">n", "~free"), (("a-long-name", "tcp/8443", "12", "free text"),))

    assert drawn(table, 22) == [
        "name         port",
        "   n  free",
        "a-long-name  tcp/8443",
        "  12  free text",
    ]
    assert drawn(table, 9) == [
        "name",
        "  port",
        "   n",
        "  free",
        "a-long-na",
        "me",
        "  tcp/844",
        "  3",
        "  12",
        "  free",
        "  text",
    ]


def test_a_table_is_divided_between_groups_if_that_is_possible() -> None:
    apart = Table(
        (Column("key", Kind.KEY), Column("aaaa"), Column("bbbb", is_first_of_group=True), Column("cccc")),
        (("k", "1", "2", "3"),),
    )

    assert drawn(apart, 15) == ["key  aaaa", "k    1", "", "key  bbbb  cccc", "k    2     3"]
    assert drawn(apart, 21) == ["key  aaaa  bbbb  cccc", "k    1     2     3"]
    third = ["key  aaaa", "  bbbb", "  cccc", "k    1", "  2", "  3"]  # of three blocks the keys would be the most
    assert drawn(apart, 9) == third


def test_extra_columns_are_shown_where_there_is_room() -> None:
    table = Table(columns("!name", "?extra", "?~why"), (("web1", "e", "because of all that has happened since then"),))

    assert [line.split()[1:] for line in drawn(table, 10)] == [[], []]
    assert [line.split()[1:] for line in drawn(table, 13)] == [["extra"], ["e"]]
    assert drawn(table, 45)[0].split() == ["name", "extra", "why"]
    assert len(drawn(table, 45)) == 3
    assert len(drawn(table)) == 2


def test_states_have_colours_and_names_have_none() -> None:
    table = Table(columns("!name", "*state", "end"), (("up", "up", "-"), ("down", "down", "-"), ("x", "paused", "-")))

    assert layout.lines((table,), None, layout.coloured) == [
        "name  state   end",
        f"up    {GREEN_UP}      -",
        f"down  {RED_DOWN}    -",
        f"x     {YELLOW_PAUSED}  -",
    ]
    fields = Fields((("name", "down"), ("state", "down")))
    assert layout.lines((fields,), 80, layout.coloured) == ["name:   down", f"state:  {RED_DOWN}"]


def test_what_is_not_as_it_should_be_has_the_colour_of_its_title_if_there_is_any() -> None:
    table = Table(columns("!name", ">in-file"), (("web1", "100"), ("web2", "-")))
    refused = Fields((("vpp-refuses", "a long sentence of VPP's"),))

    assert layout.lines((table, refused), 30, layout.coloured) == [
        "name  \x1b[33min-file\x1b[0m",
        "web1      \x1b[33m100\x1b[0m",
        "web2        -",
        "",
        "vpp-refuses:  \x1b[33ma long sentence\x1b[0m",
        "              \x1b[33mof VPP's\x1b[0m",
    ]


def test_sections_are_separated_and_an_empty_one_is_none() -> None:
    page: Page = (Fields(()), Text(("a",)), Fields(()), Text(()), Text(("b",)))

    assert layout.lines(page, 80, layout.plain) == ["a", "", "b"]
    assert layout.lines((), 80, layout.plain) == []


def test_values_of_fields_are_aligned_and_wrap_there_or_below_their_names() -> None:
    page: Page = (Fields((("name", "web"), ("description", "the website of all of us, and more"), ("none", ""))),)

    assert layout.lines(page, 40, layout.plain) == [
        "name:         web",
        "description:  the website of all of us,",
        "              and more",
        "none:",
    ]
    assert layout.lines(page, 20, layout.plain) == [
        "name:",
        "  web",
        "description:",
        "  the website of all",
        "  of us, and more",
        "none:",
    ]


def test_rows_and_fields_are_filtered_and_sentences_stay() -> None:
    table = Table(columns("!name", "*state"), (("web1", "up"), ("web2", "down"), ("up", "down")))
    page: Page = (table, Fields((("name", "web1"), ("state", "up"))), Text(("web3 is away",)))

    def left(pattern: str) -> list[str]:
        return layout.lines(layout.matching(page, re.compile(pattern)), 80, layout.plain)

    sentence = ["", "web3 is away"]
    assert left("web1") == ["name  state", "web1  up", "", "name:  web1", *sentence]
    assert left("^web2  down$") == ["name  state", "web2  down", *sentence]
    assert left("^state:") == ["state:  up", *sentence]
    assert left("nothing") == ["web3 is away"]


@given(PAGES, st.sampled_from(("up", "^web", "[0-9]+", "$", "a.*b")))
def test_what_matches_is_in_each_line_that_is_left(page: Page, pattern: str) -> None:
    compiled = re.compile(pattern)
    tables = [section for section in layout.matching(page, compiled) if isinstance(section, Table)]
    found = [
        (section.columns, rows)
        for section in page
        if isinstance(section, Table)
        and (rows := [row for row in section.rows if compiled.search("  ".join(map(text.printable, row)).rstrip())])
    ]
    assert [(kept.columns, list(kept.rows)) for kept in tables] == found


@pytest.mark.parametrize("width", [-3, 0, 1, 3])
def test_a_width_of_hardly_anything_is_no_error(width: int) -> None:
    assert drawn(SPLIT, width)
