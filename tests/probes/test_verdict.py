import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.probes.verdict import MAX_DETAIL, PASSING, Code, Phase, sentence, timed_out


@given(st.text(max_size=2 * MAX_DETAIL))
def test_a_sentence_is_one_short_line_of_printable_ascii(detail: str) -> None:
    shown = sentence(detail)

    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= MAX_DETAIL


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=MAX_DETAIL))
def test_a_plain_sentence_stays_as_it_is(detail: str) -> None:
    assert sentence(detail) == detail


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert sentence("a\x1b[31m\r\nb\x7f\u2028\ud800") == r"a\x1b[31m\x0d\x0ab\x7f\u2028\ud800"


def test_a_long_sentence_says_that_it_was_cut() -> None:
    assert sentence("x" * 500) == "x" * (MAX_DETAIL - 3) + "..."


def test_a_code_passes_when_it_says_ok() -> None:
    assert {code for code in Code if code.value.endswith("OK")} == PASSING


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        (Phase.CONNECT, Code.L4TOUT),
        (Phase.HANDSHAKE, Code.L6TOUT),
        (Phase.ANSWER, Code.L7TOUT),
        (Phase.ECHO, Code.L4TOUT),
    ],
)
def test_the_code_of_a_timeout_depends_on_the_phase_reached(phase: Phase, code: Code) -> None:
    verdict = timed_out(phase, 1.5)

    assert verdict.code is code
    assert verdict.detail.endswith("within 1.5 s")
