"""What is wrong with a configuration, and where; knows nothing of YAML or of what the keys mean."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from maglev.core.naming import nearest
from maglev.errors import ConfigError

MAX_FAULTS = 1000  # nobody reads more, and a file can hold millions
MAX_SHOWN = 64  # characters of the user's text that a message repeats

_PLAIN_SEGMENT = re.compile(r"[\w-]+")

Segment = str | int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend: path such as `maglev.frontends.www.pools[0].name`, line and column (from 1), a sentence.

    The path is empty, and the column may be None, where the text as a whole is meant; the line too, where there is no
    text.
    """

    path: str
    line: int | None
    column: int | None
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else ""
        if not self.path and self.column is not None:
            where += f", column {self.column}"
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigFaults(ConfigError):
    """The configuration cannot be used; `faults` lists all that is wrong, in the order of the file.

    `is_syntax` says that it could not even be read: no file, no UTF-8, no YAML.
    """

    def __init__(self, faults: Sequence[Fault], *, is_syntax: bool) -> None:
        super().__init__(f"the configuration has {len(faults)} fault{'' if len(faults) == 1 else 's'}")
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.column is None, fault.column)))
        self.is_syntax = is_syntax

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: the keys and list indexes that lead to it, line and column (from 1)."""

    segments: tuple[Segment, ...]
    line: int
    column: int

    @property
    def path(self) -> str:
        """The segments as users read them; a key that is not a plain word is quoted."""
        return path_of(self.segments)


def path_of(segments: Sequence[Segment]) -> str:
    """`maglev.backends."www.example".address` for such segments."""
    parts = []
    for segment in segments:
        if isinstance(segment, int):
            parts.append(f"[{segment}]")
        else:
            is_plain = len(segment) <= MAX_SHOWN and _PLAIN_SEGMENT.fullmatch(segment)
            parts.append(f".{segment if is_plain else quoted(segment)}")
    return "".join(parts).removeprefix(".")


def quoted(text: str) -> str:
    """`text` in double quotes on one line, cut when long; what cannot be printed is escaped."""
    short = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
    return json.dumps(short, ensure_ascii=not short.isprintable())


def shown(text: str) -> str:
    """`text` as it is if that is short and fit for one line, else in quotes."""
    return text if 0 < len(text) <= MAX_SHOWN and text.isprintable() else quoted(text)


class Faults:
    """Collects faults; the only thing in this package that changes, and it only grows, up to MAX_FAULTS."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, place: Place, message: str) -> None:
        """Note one fault."""
        if len(self._faults) >= MAX_FAULTS:
            self._left_out += 1
            return
        self._faults.append(Fault(place.path, place.line, place.column, message))

    def suggestion(self, word: str, candidates: Collection[str]) -> str:
        """`; did you mean ...?` if a candidate is close to `word`, else nothing."""
        if len(self._faults) >= MAX_FAULTS or len(word) > MAX_SHOWN:
            return ""
        near = nearest(word, candidates)
        return f"; did you mean {shown(near)}?" if near is not None else ""

    def as_error(self) -> ConfigFaults:
        """All of them as one error."""
        if not self._left_out:
            return ConfigFaults(self._faults, is_syntax=False)
        last = max(self._faults, key=lambda fault: fault.line or 0)
        rest = Fault("", last.line, None, f"{self._left_out} more faults are not listed: mend these first")
        return ConfigFaults((*self._faults, rest), is_syntax=False)
