"""One line of the log as a value, for whoever passes it on; must not know who wrote it nor how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from maglev.core.level import Level

Value = str | int | float | bool | None
"""Texts are valid Unicode, so that any encoding takes them; floats are finite, as JSON has no others."""


@dataclass(frozen=True, slots=True)
class Record:
    """What happened: `name` is the event's word, such as `backend-transition`, `at_ns` unix nanoseconds."""

    at_ns: int
    level: Level
    name: str
    fields: Mapping[str, Value]
