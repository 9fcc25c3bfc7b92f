"""How records look on stderr: text for people, JSON for machines, a priority in front for the journal."""

import functools
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from maglev.core.level import Level
from maglev.core.record import Record, Value

FORMS = ("auto", "text", "json")

TRACEBACK = "traceback"
"""The one field that text shows as lines below its record's, each indented."""

_PRIORITIES = {Level.DEBUG: 7, Level.INFO: 6, Level.WARNING: 4, Level.ERROR: 3}  # sd-daemon(3)
_COLOURS = {Level.WARNING: "\x1b[33m", Level.ERROR: "\x1b[31m"}
_OWN_KEYS = ("time", "level", "event")
_encode = json.JSONEncoder(separators=(",", ":")).encode

Form = Callable[[Record], bytes]


def form_for(form: str, descriptor: int, environ: Mapping[str, str] = os.environ) -> Form:
    """The form that `form` (one of FORMS) means for what `descriptor` is: a terminal, the journal, anything else."""
    is_terminal = os.isatty(descriptor)
    is_text = form == "text" or (form == "auto" and is_terminal)
    is_coloured = is_text and is_terminal and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return _Form(is_text, is_coloured, _is_journal(descriptor, environ)).bytes


def text(record: Record, colours: Mapping[Level, str] | None = None) -> str:
    """`time LEVEL name field=value ...`; a traceback is further lines, any other record is one."""
    colour = colours.get(record.level) if colours else None
    level = f"{colour}{record.level.name}\x1b[0m" if colour else record.level.name
    words = [_moment(record.at_ns), level, _quoted(record.name)]
    words += [f"{_quoted(key)}={_word(value)}" for key, value in record.fields.items() if key != TRACEBACK]
    line = " ".join(words)
    if TRACEBACK in record.fields:
        below = str(record.fields[TRACEBACK]).rstrip("\n").split("\n")
        line += "".join(f"\n  {part if part.isprintable() else json.dumps(part)}" for part in below)
    return line


def as_json(record: Record) -> str:
    """One object: `time`, `level`, `event`, then the fields, each under a key of its own."""
    head: dict[str, Value] = {
        "time": _moment(record.at_ns),
        "level": record.level.name.lower(),
        "event": record.name,
    }
    return _encode(head | {_key(key): value for key, value in record.fields.items()})


@dataclass(frozen=True, slots=True)
class _Form:
    is_text: bool
    is_coloured: bool
    is_journal: bool

    def bytes(self, record: Record) -> bytes:
        """The record's lines, each with its end."""
        whole = text(record, _COLOURS if self.is_coloured else None) if self.is_text else as_json(record)
        if self.is_journal:
            priority = f"<{_PRIORITIES[record.level]}>"
            whole = priority + whole.replace("\n", f"\n{priority}")
        return f"{whole}\n".encode()


def _is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """By systemd.exec(5): JOURNAL_STREAM names the socket, and who inherited the variable alone does not have that."""
    found = os.fstat(descriptor)
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _moment(at_ns: int) -> str:
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03}Z"


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _key(key: str) -> str:
    return f"{key}_" if key.rstrip("_") in _OWN_KEYS else key  # `time_` is `time__`, so that none can meet another


def _word(value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return _quoted(str(value))


def _quoted(word: str) -> str:
    """The word, in quotes where it could be taken for something else: one word, no control characters, no newline."""
    if word.isprintable():
        return word if word and not any(c in word for c in ' "=') else json.dumps(word, ensure_ascii=False)
    return json.dumps(word)
