import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli import line
from maglev.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("   ", ()),
        ("show  frontends\tweb ", ("show", "frontends", "web")),
        ('show backends "a b"', ("show", "backends", "a b")),
        ("show backends 'a \"b'", ("show", "backends", 'a "b')),
        ('x"y z"w', ("xy zw",)),
        ('""', ("",)),
        ("show frontends | json", ("show", "frontends", "|", "json")),
        ("show frontends |json", ("show", "frontends", "|", "json")),
        ("show frontends | match up|down", ("show", "frontends", "|", "match", "up|down")),
        ("show frontends | match '|x'", ("show", "frontends", "|", "match", "|x")),
        ("||", ("|", "|")),
    ],
)
def test_a_line_is_taken_apart(text: str, words: tuple[str, ...]) -> None:
    assert line.split(text) == words


def test_a_quote_without_end_is_said() -> None:
    with pytest.raises(ConfigError, match="a quote has no end; close it"):
        line.split("show backends 'a b")


@pytest.mark.parametrize(
    ("text", "before", "begun", "is_quoted"),
    [
        ("", (), "", False),
        ("sh", (), "sh", False),
        ("show ", ("show",), "", False),
        ("show fr", ("show",), "fr", False),
        ("show backends 'a b", ("show", "backends"), "a b", True),
        ("show backends 'a b'", ("show", "backends"), "a b", False),
        ("show frontends |", ("show", "frontends", "|"), "", False),
        ("show frontends |js", ("show", "frontends", "|"), "js", False),
    ],
)
def test_it_knows_where_the_next_key_goes(text: str, before: tuple[str, ...], begun: str, is_quoted: bool) -> None:
    read = line.read(text)

    assert (read.before, read.begun, read.is_quoted) == (before, begun, is_quoted)


@given(
    st.lists(st.text(st.characters(exclude_characters="\"'"), max_size=10) | st.text("|'a b", max_size=5), max_size=5)
)
def test_quoted_words_come_back(words: list[str]) -> None:
    assert line.split(" ".join(line.quoted(word) for word in words)) == tuple(words)


@given(st.text(max_size=60))
def test_any_text_is_words_or_an_open_quote(text: str) -> None:
    read = line.read(text)

    assert line.read(text) == read
    assert all(isinstance(word, str) for word in read.words)
    if not read.is_quoted:
        assert line.split(text) == read.words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "frontends"], ("show", "frontends")),
        (["show", "frontends", "| json"], ("show", "frontends", "|", "json")),
        (["show", "frontends", "|json"], ("show", "frontends", "|", "json")),
        (["show", "frontends", "|", "match", "a b|c"], ("show", "frontends", "|", "match", "a b|c")),
        (["show", "backends", "two words"], ("show", "backends", "two words")),
        (["show", "backends", "|", "match", "| it's"], ("show", "backends", "|", "match", "| it's")),
    ],
)
def test_words_of_a_shell_stay_as_they_are_but_for_pipes(arguments: list[str], words: tuple[str, ...]) -> None:
    assert line.joined(arguments) == words
