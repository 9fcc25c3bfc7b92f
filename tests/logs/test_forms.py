"""Any record is a line from which its fields can be read again, as text and as JSON."""

import json
import os
import pty
import re
import socket
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.core.level import Level
from maglev.core.record import Record, Value
from maglev.logs.forms import TRACEBACK, as_json, form_for, text
from maglev.logs.log import value_of

AT_NS = 1_795_523_780_739_999_999
MOMENT = "2026-11-24T12:36:20.739Z"

# Any text at all: lone surrogates, control characters and every kind of end of line are in it.
WORDS = st.text(st.characters(exclude_categories=())) | st.sampled_from(["time", "time_", "level", "event", "event__"])
OBJECTS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
RECORDS = st.builds(
    Record,
    st.integers(0, 4_000_000_000_000_000_000),
    st.sampled_from(Level),
    WORDS.map(value_of).map(str),
    st.dictionaries(WORDS.map(value_of).map(str), OBJECTS.map(value_of)),
)
PLAIN = r'(?:"(?:[^"\\]|\\.)*"|[^\s"=]+)'


def strict(line: str) -> dict[str, Value]:
    """As the strictest readers take it: no NaN, no key twice."""

    def unique(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    found = json.loads(line, parse_constant=refuse, object_pairs_hook=unique)
    assert isinstance(found, dict)
    return found


def fields_in(found: Mapping[str, Value]) -> dict[str, Value]:
    """The fields of a JSON line under their own names."""
    own = {"time", "level", "event"}
    return {
        key.removesuffix("_") if key.rstrip("_") in own else key: value
        for key, value in found.items()
        if key not in own
    }


def unquoted(word: str) -> str:
    return str(json.loads(word)) if word.startswith('"') else word


def in_text(value: Value) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@given(RECORDS)
def test_a_json_line_gives_the_same_record_back(record: Record) -> None:
    line = as_json(record)
    found = strict(line)

    assert line.isascii()
    assert line.isprintable()
    assert (found["level"], found["event"]) == (record.level.name.lower(), record.name)
    again = fields_in(found)
    assert again == record.fields
    assert [type(value) for value in again.values()] == [type(value) for value in record.fields.values()]
    line.encode().decode()


@given(RECORDS)
def test_a_text_line_is_one_line_and_keeps_every_field(record: Record) -> None:
    line = text(
        Record(record.at_ns, record.level, record.name, {k: v for k, v in record.fields.items() if k != TRACEBACK})
    )
    assert line.isprintable()
    whole = re.fullmatch(rf"\S+Z [A-Z]+ ({PLAIN})((?: {PLAIN}={PLAIN})*)", line)
    assert whole, line
    assert unquoted(whole[1]) == record.name
    found = {unquoted(key): unquoted(word) for key, word in re.findall(rf" ({PLAIN})=({PLAIN})", whole[2])}
    assert found == {key: in_text(value) for key, value in record.fields.items() if key != TRACEBACK}


def test_the_same_record_as_text_and_as_json() -> None:
    fields: dict[str, Value] = {"backend": "web1", "late_s": 0.00012345678, "passed": None, "flush": True, "pid": 42}
    record = Record(AT_NS, Level.WARNING, "probe-done", fields | {"detail": "no\nanswer"})

    assert text(record) == (
        f"{MOMENT} WARNING probe-done backend=web1 late_s=0.000123457 passed=none flush=True pid=42 "
        r'detail="no\nanswer"'
    )
    assert as_json(record) == (
        f'{{"time":"{MOMENT}","level":"warning","event":"probe-done","backend":"web1","late_s":0.00012345678,'
        r'"passed":null,"flush":true,"pid":42,"detail":"no\nanswer"}'
    )


def test_a_traceback_is_lines_in_text_that_cannot_be_taken_for_others_and_one_line_in_json() -> None:
    trace = f"Traceback (most recent call last):\nValueError: x\n{MOMENT} INFO stopped\n\x1b[2J"
    record = Record(AT_NS, Level.ERROR, "python-log", {"error": "ValueError: x", TRACEBACK: trace})

    assert text(record).split("\n") == [
        f'{MOMENT} ERROR python-log error="ValueError: x"',
        "  Traceback (most recent call last):",
        "  ValueError: x",
        f"  {MOMENT} INFO stopped",
        r'  "\u001b[2J"',
    ]
    assert strict(as_json(record))[TRACEBACK] == trace


def test_keys_that_every_line_has_take_nothing_from_fields() -> None:
    record = Record(AT_NS, Level.INFO, "x", {"time": 1, "time_": 2, "event": 3, "level": 4})
    found = strict(as_json(record))

    assert found["time"] == MOMENT
    assert [found[key] for key in ("time_", "time__", "event_", "level_")] == [1, 2, 3, 4]


@pytest.fixture
def terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


WARNING = Record(AT_NS, Level.WARNING, "x", {})
AS_TEXT, AS_JSON = f"{MOMENT} WARNING x\n".encode(), f"{as_json(WARNING)}\n".encode()


def test_a_terminal_gets_text_and_all_else_json_unless_told_otherwise(terminal: int) -> None:
    with socket.socket() as other:
        for form, on_terminal, elsewhere in (
            ("auto", AS_TEXT, AS_JSON),
            ("text", AS_TEXT, AS_TEXT),
            ("json", AS_JSON, AS_JSON),
        ):
            assert form_for(form, terminal, {})(WARNING) == on_terminal
            assert form_for(form, other.fileno(), {"TERM": "xterm"})(WARNING) == elsewhere


def test_only_levels_for_humans_are_coloured_and_only_where_that_is_wanted(terminal: int) -> None:
    coloured = form_for("auto", terminal, {"TERM": "xterm"})
    assert coloured(WARNING) == AS_TEXT.replace(b"WARNING", b"\x1b[33mWARNING\x1b[0m")
    assert b"\x1b" not in coloured(Record(AT_NS, Level.INFO, "x", {}))
    for environ in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert form_for("auto", terminal, environ)(WARNING) == AS_TEXT


def test_the_journal_gets_a_priority_before_each_line() -> None:
    with socket.socket(socket.AF_UNIX) as journal, socket.socket(socket.AF_UNIX) as other:
        found = os.fstat(journal.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}

        assert form_for("auto", journal.fileno(), environ)(WARNING) == b"<4>" + AS_JSON
        assert form_for("auto", other.fileno(), environ)(WARNING) == AS_JSON  # inherited from who had the journal
        in_text = form_for("text", journal.fileno(), environ)
        fault = Record(AT_NS, Level.ERROR, "x", {TRACEBACK: "one\ntwo"})
        assert in_text(fault).decode() == f"<3>{MOMENT} ERROR x\n<3>  one\n<3>  two\n"
        assert [in_text(Record(AT_NS, level, "x", {}))[:3] for level in Level] == [b"<7>", b"<6>", b"<4>", b"<3>"]
