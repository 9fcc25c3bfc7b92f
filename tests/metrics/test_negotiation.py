import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.metrics.negotiation import is_gzip_wanted, media_type

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/*", TEXT),
        ("text/html", TEXT),
        ("application/*", f"{OPENMETRICS}underscores"),
        ("application/openmetrics-text", f"{OPENMETRICS}underscores"),
        ("Application/OpenMetrics-Text; Version=1.0.0", f"{OPENMETRICS}underscores"),
        (PROMETHEUS_3, f"{OPENMETRICS}allow-utf-8"),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.8", TEXT),
        ("text/plain;q=0.8,application/openmetrics-text;q=0.9", f"{OPENMETRICS}underscores"),
        ("application/openmetrics-text,text/plain", f"{OPENMETRICS}underscores"),
        ("text/plain,application/openmetrics-text", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=0,*/*;q=0.1", TEXT),
        ("text/plain;q=0,*/*", f"{OPENMETRICS}underscores"),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        (
            "application/openmetrics-text;version=2.0.0,text/plain;version=1.0.0;q=0.1",
            TEXT.replace("0.0.4", "1.0.0") + "; escaping=underscores",
        ),
        ("application/openmetrics-text;escaping=dots", f"{OPENMETRICS}underscores"),
        ('text/plain;version="0.0.4";escaping=values', TEXT),
    ],
)
def test_the_most_welcome_format_that_we_write_is_chosen(accept: str, expected: str) -> None:
    assert media_type(accept) == ("openmetrics" in expected, expected)


@pytest.mark.parametrize(
    ("accepted", "is_wanted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP ; q=0.5", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, identity", False),
        ("gzip;q=0.5, identity;q=0.9", False),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("*", False),
        ("gzipped", False),
        ("br", False),
    ],
)
def test_gzip_is_wanted_where_it_is_named_and_no_less_welcome_than_nothing(accepted: str, is_wanted: bool) -> None:
    assert is_gzip_wanted(accepted) is is_wanted


@given(st.text() | st.text(alphabet='gzip;,=q0.19 "*/text'))
def test_nonsense_gets_an_answer_all_the_same(header: str) -> None:
    assert media_type(header)[1].startswith(("text/plain; ", "application/openmetrics-text; "))
    assert is_gzip_wanted(header) in (True, False)
