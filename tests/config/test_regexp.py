"""The pattern of response-regexp: RE2's syntax, and a bound on what a search for it can cost."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maglev.config.document import Scalar
from maglev.config.responses import MAX_PATTERN, regexp
from maglev.config.values import Wrong

SCRAPS = st.sampled_from(
    [
        *"ab()[]{}|*+?\\^$.,1-:<>=!é🎉",
        "(?i)",
        "(?P<n>",
        "(?=",
        "{0,1000}",
        "{1000}",
        r"\pL",
        r"\C",
        r"\1",
        "[^a]",
        "[[:word:]]",
    ]
)


def quoted(pattern: str) -> Scalar:
    return Scalar(pattern, is_plain=False, line=1, column=1)


@pytest.mark.parametrize(
    "pattern",
    [
        "ok (yes|no)",
        '"status": *"ok"',
        r"(?i)\bready\b|^\s*alive\z",
        r"\pL+",
        "🎉" * MAX_PATTERN,
        "(?i)" + "k" * (MAX_PATTERN - 4),
        "(" * 125 + "a" + ")" * 125,
    ],
)
def test_what_a_health_check_needs_is_taken(pattern: str) -> None:
    assert regexp(quoted(pattern)) == pattern


@pytest.mark.parametrize(
    "pattern",
    ["(a*)*b", "(a+)+", "(a|ab)*c", ".*a.*b.*c", "a*a*a*b", "(x+x+)+y", "(?i)(a|aa)+$", "(([a-z]+)*)+!"],
)
def test_what_would_take_other_engines_for_ever_is_taken(pattern: str) -> None:
    assert regexp(quoted(pattern)) == pattern


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("ready(?=!)", r"\(\?=; RE2 has no lookahead"),
        ("(?<=is )ready", r"\(\?<=; RE2 has no lookahead, lookbehind"),
        ("(?<!un)ready", r"\(\?<!; RE2 has no lookahead, lookbehind"),
        (r"(a)\1", r"\\1; RE2 has no .* backreference"),
        ("(?P<n>a)(?P=n)", "RE2 has no .* backreference"),
        ("a++", r"\+\+; RE2 has no .* possessive repeat"),
        ("[z-a]", "invalid character class range: z-a$"),
        ("a{1001}", r"invalid repetition size: \{1001\}$"),
        ("[" + "é" * 200, 'missing ]: .*[.]{3}"$'),
    ],
)
def test_what_re2_does_not_know_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    with pytest.raises(Wrong, match=reason):
        regexp(quoted(pattern))


@pytest.mark.parametrize(
    "pattern",
    ["(.*){1000}", "(a?){1000}b", "((a{0,50}){0,20}){0,1}", r"\pL{1000}", "(?i)" + r"\PL" * 83, "(.{0,60}){0,16}z"],
)
def test_a_pattern_whose_program_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(Wrong, match="too large when compiled: repeat less"):
        regexp(quoted(pattern))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=st.text(max_size=300) | st.lists(SCRAPS, max_size=100).map("".join))
@example(pattern="(?P<n>a)(?P<n>b)")
@example(pattern="a\\")
@example(pattern=r"\pL{1000}")
def test_any_text_is_a_pattern_or_a_fault_and_nothing_is_printed(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ""
    try:
        assert regexp(quoted(pattern)) == pattern
    except Wrong as wrong:
        said = str(wrong)

    assert not said or said.startswith(("expected a regular expression", "expected a string without control"))
    assert len(said.splitlines()) <= 1
    assert capfd.readouterr() == ("", "")
