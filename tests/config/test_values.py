import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.config.document import Scalar
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
