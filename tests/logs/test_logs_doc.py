"""docs/logs.md cannot go stale: it has every event and note of the code, with its levels and fields, and no other."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import maglev
from maglev.core.events import Event
from maglev.core.level import Level
from maglev.logs import others, writer
from maglev.logs.events import fields_of
from maglev.logs.log import MAX_TEXT
from tests.logs.samples import SAMPLES

TEXT = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()


@dataclass(frozen=True)
class Said:
    """Of one event: its levels and fields, as the document or the code has them."""

    levels: frozenset[str]
    fields: frozenset[str]


def documented() -> dict[str, Said]:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]*\|$", TEXT, re.MULTILINE)
    assert len(rows) == len({name for name, _, _ in rows}) == len(re.findall(r"^\| `", TEXT, re.MULTILINE))
    return {
        name: Said(frozenset(levels.split(", ")), frozenset(re.findall("`([^`]+)`", fields)))
        for name, levels, fields in rows
    }


def noted() -> Iterator[tuple[str, Said]]:
    """The `logs.note(logging.LEVEL, "name", field=..., ...)` in the code."""
    for path in Path(maglev.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("logs.note", "note"):
                level, name = map(ast.unparse, node.args)
                fields = frozenset(each.arg or "**" for each in node.keywords)
                yield ast.literal_eval(name), Said(frozenset(re.findall(r"logging\.(\w+)", level.lower())), fields)


def of_events() -> Iterator[tuple[str, Said]]:
    for event in SAMPLES:
        yield event.name, Said(frozenset({event.level.name.lower()}), frozenset(fields_of(event)))


def test_each_class_of_events_has_a_sample() -> None:
    assert {type(event) for event in SAMPLES} == set(get_args(Event))


def test_every_event_and_note_is_documented_with_its_levels_and_fields_and_nothing_else_is() -> None:
    lost = writer.loss(1)
    found = {
        lost.name: Said(frozenset({lost.level.name.lower()}), frozenset(lost.fields)),
        others.NAME: Said(frozenset({"warning", "error"}), frozenset({"logger", "text", "error", "traceback"})),
    }
    for name, said in [*noted(), *of_events()]:
        known = found.get(name, Said(frozenset(), said.fields))
        assert known.fields == said.fields, name
        found[name] = Said(known.levels | said.levels, said.fields)

    assert documented() == found


def test_no_field_is_named_as_what_every_line_has() -> None:
    assert not {"time", "level", "event"} & {field for said in documented().values() for field in said.fields}


def test_the_levels_and_bounds_are_those_of_the_code() -> None:
    assert re.findall(r"^- \*\*(\w+)\*\*:", TEXT, re.MULTILINE) == [level.name.lower() for level in Level]
    assert f"up to {writer.MAX_BYTES >> 20} MiB wait" in TEXT
    assert f"more than {MAX_TEXT:,} characters" in TEXT
