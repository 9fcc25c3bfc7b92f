"""What response-regexp finds in a body, and that no pattern makes the probe give up."""

import pytest
import re2

from maglev.config import responses
from maglev.config.document import Scalar
from maglev.config.responses import regexp
from maglev.core.model import ProbeResult
from maglev.probes import http
from maglev.probes.http import MAX_BODY
from tests.probes.peers import FAILED, LOCALHOST, check, get, outcome, peer, probe, says

PASSED = (True, "L7OK")


async def search(pattern: str, body: bytes) -> ProbeResult:
    """Probe for a pattern that the configuration would take."""
    taken = regexp(Scalar(pattern, is_plain=False, line=1, column=1))
    async with peer(says(b"HTTP/1.0 200 OK\r\n\r\n" + body)) as port:
        return await probe(check(get(port, body_regexp=taken)), LOCALHOST)


@pytest.mark.parametrize(
    ("pattern", "unit", "last"),
    [
        ("(a*)*b", b"a", b"b"),
        (".*a.*b.*c", b"ab", b"c"),
        ("a*a*a*b", b"a", b"b"),
        ("(x+x+)+y", b"x", b"y"),
        ("(?i)(a|aa)+$", b"a", b"A"),
        ("((a{0,30}){0,15})b", b"a", b"b"),  # outgrows the memory of a search, which goes on without its cache
        ("(a?){250}b", b"a", b"b"),
    ],
)
async def test_a_pattern_that_would_take_other_engines_for_ever_gets_its_answer(
    pattern: str, unit: bytes, last: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    body = (unit * MAX_BODY)[: MAX_BODY - 1]

    assert outcome(await search(pattern, body + last)) == PASSED
    assert outcome(await search(pattern, body + b"!")) == FAILED
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pattern", "body"),
    [
        ("^caf. .*ready", "café ready".encode()),
        ("^caf. .*ready", "café ready".encode("latin-1")),
        ("^caf\ufffd ready", "café ready".encode("latin-1")),
        ("(?i)BEREIT FÜR", "bereit für".encode()),
        ("^[^a]$", b"\xff"),
        ("a\\x00b", b"a\0b"),
        ("^ok\n$", b"ok\n"),
    ],
)
async def test_a_body_is_text_and_what_is_no_utf8_in_it_is_one_unknown_character(pattern: str, body: bytes) -> None:
    assert outcome(await search(pattern.replace("\n", r"\n"), body)) == PASSED


async def test_a_character_cut_in_two_at_the_bound_does_not_hide_what_stands_before_it() -> None:
    body = b"x" * (MAX_BODY - 6) + b"ready" + "é".encode()

    assert outcome(await search("ready.$", body)) == PASSED


def test_the_probe_searches_under_the_options_that_the_pattern_was_judged_by() -> None:
    ours, theirs = ([getattr(o, name) for name in re2.Options.NAMES] for o in (http._REGEXP, responses._OPTIONS))

    assert ours == theirs
    assert ours != [getattr(re2.Options(), name) for name in re2.Options.NAMES]


async def test_an_end_is_the_very_end_as_in_go() -> None:
    assert outcome(await search("^ok$", b"ok\n")) == FAILED
    assert outcome(await search("(?m)^ok$", b"ok\n")) == PASSED
