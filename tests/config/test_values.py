import inspect
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.config.document import Scalar
from maglev.config.responses import regexp
from maglev.config.values import MAX_DURATION_S, Wrong, boolean, duration, integer, seconds, string


def plain(text: str) -> Scalar:
    return Scalar(text, is_plain=True, line=1, column=1)


@pytest.mark.parametrize(
    ("text", "value_s"),
    [("2s", 2), ("200ms", 0.2), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5), (".5s", 0.5), ("1h2m3s4ms", 3723.004)],
)
def test_durations_are_written_as_in_go(text: str, value_s: float) -> None:
    assert duration(0.01)(plain(text)) == value_s


@pytest.mark.parametrize(
    "text", ["", "s", "2", "2 s", "-2s", "+2s", "2S", "2s3", ".s", "1e3s", "٢s", "1" * 30 + "s", "0"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Wrong):
        duration(0.01)(plain(text))


@given(st.integers(10, int(MAX_DURATION_S * 1000)))
def test_a_duration_is_shown_as_it_can_be_written(milliseconds: int) -> None:
    value_s = milliseconds / 1000
    shown = seconds(value_s)

    assert duration(0.01)(plain(shown)) == pytest.approx(value_s, rel=1e-5)


@given(st.integers(-(10**20), 10**20))
def test_integers_are_taken_within_their_bounds_only(value: int) -> None:
    if 0 <= value <= 100:
        assert integer(0, 100)(plain(str(value))) == value
    else:
        with pytest.raises(Wrong):
            integer(0, 100)(plain(str(value)))


@given(st.text())
def test_a_quoted_string_is_never_taken_for_a_number_or_boolean(text: str) -> None:
    quoted = Scalar(text, is_plain=False, line=1, column=1)
    for read in (integer(0, 10**9), boolean):
        with pytest.raises(Wrong):
            read(quoted)


@pytest.mark.parametrize(
    "text", ["on", "No", "12", "0o7", "1_0", "1:20", "1.5", "2024-01-01", "~", "", "null", ".nan", "="]
)
def test_a_bare_word_that_yaml_reads_as_something_else_is_no_string(text: str) -> None:
    readable = {"0o7"}  # text to YAML 1.1, though a number to 1.2
    if text in readable:
        assert string(plain(text)) == text
    else:
        with pytest.raises(Wrong):
            string(plain(text))


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_booleans(word: str) -> None:
    assert boolean(plain(word))
    assert not boolean(plain("false"))


@pytest.mark.parametrize(
    "pattern",
    [
        "ok",
        "ok (yes|no)",
        "[a-z]+=[0-9]+",
        "(ab)+",
        r"\(a+\)+",
        "[(a+]+",
        "[]+)]+",
        "[(a+)+]",
        "(a)(b)+c?",
        "(?i)ok",
        "(?:ab){2}",
        "a+(b)*",
    ],
)
def test_patterns_of_a_bounded_cost_are_taken(pattern: str) -> None:
    assert regexp(plain(pattern)) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*b",
        "(a|ab)+",
        "((a+)b)*",
        "(?:a{2,})+",
        "(?P<x>a?)*",
        "([a-z]+)*",
        r"(\d+){2,}",
        "(x(a|b))+",
        "(a+)+?",
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(Wrong, match="a repeated group"):
        regexp(Scalar(pattern, is_plain=False, line=1, column=1))


@given(st.text("ab()[]{}|*+?\\^$.,1-", max_size=40))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    try:
        taken = regexp(Scalar(pattern, is_plain=False, line=1, column=1))
    except Wrong:
        return
    re.compile(taken)


def test_a_pattern_too_deep_for_the_compiler_is_refused() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        with pytest.raises(Wrong, match="recursion"):
            regexp(Scalar("(" * 125 + "a" + ")" * 125, is_plain=False, line=1, column=1))
    finally:
        sys.setrecursionlimit(limit)
