"""Who gets which records."""

import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import PurePath

import pytest

from maglev import logs
from maglev.core.events import Ordered, VppMessage
from maglev.core.health import State
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.logs.events import fields_of
from maglev.logs.log import MAX_TEXT, OFF, TAIL, Log, value_of
from tests.logs.samples import SAMPLES


@pytest.fixture
def heard() -> Iterator[list[Record]]:
    records: list[Record] = []
    logs.feed(records.append)
    yield records
    logs.feed_from(None)


@pytest.mark.parametrize("level", [*Level, None])
def test_a_listener_hears_its_levels_and_those_above(heard: list[Record], level: Level | None) -> None:
    logs.feed_from(level)
    for event in SAMPLES:
        logs.write(event)

    wanted = [event for event in SAMPLES if level is not None and event.level.value >= level.value]
    assert [(record.level, record.name) for record in heard] == [(event.level, event.name) for event in wanted]
    assert [[*record.fields] for record in heard] == [[*fields_of(event)] for event in wanted]


def test_a_note_is_a_record_as_well(heard: list[Record]) -> None:
    logs.feed_from(Level.INFO)
    logs.note(Level.INFO.value, "started", frontends=2, config=PurePath("/etc/x"))
    logs.note(Level.DEBUG.value, "unheard")

    (record,) = heard
    assert (record.level, record.name, record.fields) == (Level.INFO, "started", {"frontends": 2, "config": "/etc/x"})


def test_stderr_and_listener_have_levels_of_their_own() -> None:
    log, shown, fed = Log(), list[str](), list[str]()
    log.sink = lambda record: fed.append(record.name)
    log.show(lambda record: shown.append(record.name), Level.WARNING.value)
    thresholds = []
    for feed_from in (Level.DEBUG, Level.ERROR):
        log.feed_from(feed_from.value)
        thresholds.append(log.threshold)
        for level in Level:
            log.take(level, f"{level.name} from {feed_from.name}", {})

    assert shown == [f"{level} from {start}" for start in ("DEBUG", "ERROR") for level in ("WARNING", "ERROR")]
    assert fed == [f"{level.name} from DEBUG" for level in Level] + ["ERROR from ERROR"]
    log.show(lambda record: shown.append(record.name), OFF)
    assert [*thresholds, log.threshold] == [Level.DEBUG.value, Level.WARNING.value, Level.ERROR.value]


def test_an_audit_record_is_shown_whatever_the_level_and_fed_by_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    log, shown, fed = Log(), list[str](), list[str]()
    log.sink = lambda record: fed.append(record.name)
    log.show(lambda record: shown.append(record.name), Level.ERROR.value)
    log.feed_from(Level.WARNING.value)
    monkeypatch.setattr(logs, "_log", log)
    for event in SAMPLES:
        logs.write(event)

    audits = [event for event in SAMPLES if isinstance(event, Ordered)]
    assert {event.level for event in audits} == {Level.INFO, Level.WARNING}
    assert shown == [event.name for event in audits]
    assert fed == [event.name for event in SAMPLES if event.level is Level.WARNING]


def test_an_event_that_nobody_wants_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> dict[str, object]:
        raise AssertionError("its fields were asked for")

    monkeypatch.setattr(logs, "fields_of", refuse)
    logs.feed_from(Level.INFO)
    try:
        logs.write(VppMessage("lb_conf", "send", "ok"))
    finally:
        logs.feed_from(None)


def test_records_of_all_threads_come_one_at_a_time_and_in_one_order() -> None:
    log, shown, fed = Log(), list[Record](), list[Record]()
    inside, entered, go = threading.Lock(), threading.Event(), threading.Event()

    def sink(record: Record) -> None:
        assert inside.acquire(blocking=False)
        entered.set()
        go.wait(30)
        fed.append(record)
        inside.release()

    log.sink = sink
    log.show(shown.append, Level.INFO.value)
    log.feed_from(Level.INFO.value)
    threads = [threading.Thread(target=log.take, args=(Level.INFO, f"{n}", {})) for n in range(3)]
    for thread in threads:
        thread.start()
    assert entered.wait(30)
    go.set()
    for thread in threads:
        thread.join()

    assert len(fed) == 3
    assert shown == fed
    assert [record.at_ns for record in fed] == sorted(record.at_ns for record in fed)


def test_a_record_in_the_midst_of_another_one_waits_for_nobody() -> None:
    log, heard = Log(), list[str]()

    def sink(record: Record) -> None:
        if record.name == "outer":
            log.take(Level.INFO, "inner", {})
        heard.append(record.name)

    log.sink = sink
    log.feed_from(Level.INFO.value)
    outer = threading.Thread(target=log.take, args=(Level.INFO, "outer", {}), daemon=True)
    outer.start()
    outer.join(30)

    assert heard == ["inner", "outer"]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (State.UP, "up"),
        (IPv4Address("10.0.0.1"), "10.0.0.1"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"caf\xe9".decode(errors="surrogateescape"), r"caf\udce9"),
        ("Grüße", "Grüße"),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
        ("a" * MAX_TEXT + "z" * TAIL, "a" * (MAX_TEXT - TAIL) + f" [{TAIL} characters left out] " + "z" * TAIL),
    ],
)
def test_what_is_no_json_becomes_its_words(value: object, seen: str) -> None:
    assert value_of(value) == seen


def test_numbers_booleans_and_none_are_themselves() -> None:
    class Named(int):
        pass

    values = [value_of(value) for value in (None, True, 7, Named(8), 0.5)]
    assert [(type(value), value) for value in values] == [
        (type(None), None),
        (bool, True),
        (int, 7),
        (int, 8),
        (float, 0.5),
    ]
