"""Makes records and hands them out, to stderr and to one listener, each from a level of its own; writes nothing."""

import enum
import math
import threading
import time
from collections.abc import Callable, Mapping

from maglev.core.level import Level
from maglev.core.record import Record, Value

OFF = 100
"""Above every level."""
MAX_TEXT = 16 * 1024
"""Characters of one text; journald cuts lines after 48 KiB."""
TAIL = 4 * 1024
"""Of these, from its end: a traceback says there what went wrong."""


class Log:
    """Where records are made, in any thread; `threshold` is the lowest level that anybody wants."""

    def __init__(self) -> None:
        self.threshold = OFF
        self.sink: Callable[[Record], None] = _nobody
        self._shown: Callable[[Record], None] = _nobody
        self._show_from = self._feed_from = OFF
        # Taken anew by its owner when garbage collection ends, in the midst of a record, something that logs.
        self._lock = threading.RLock()

    def show(self, shown: Callable[[Record], None], level: int) -> None:
        """Hand records from `level` on to `shown`."""
        with self._lock:
            self._shown, self._show_from = shown, level
            self.threshold = min(level, self._feed_from)

    def feed_from(self, level: int) -> None:
        """Hand records from `level` on to `sink`."""
        with self._lock:
            self._feed_from = level
            self.threshold = min(level, self._show_from)

    def take(self, level: Level, name: str, fields: Mapping[str, object], *, is_owed: bool = False) -> None:
        """Make a record and hand it to those who want its level; one that `is_owed` is shown whatever its level."""
        plain = {key: value_of(value) for key, value in fields.items()}
        with self._lock:
            record = Record(time.time_ns(), level, name, plain)
            if level.value >= self._feed_from:
                self.sink(record)
            if is_owed or level.value >= self._show_from:
                self._shown(record)


def value_of(value: object) -> Value:
    """What a field is in a record: numbers, booleans and None are themselves, anything else is its words."""
    if value is None or isinstance(value, bool):
        return value
    if type(value) is str and len(value) <= MAX_TEXT and value.isascii():  # nearly all there is
        return value
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    text = str(value)
    if len(text) > MAX_TEXT:
        head, tail = text[: MAX_TEXT - TAIL], text[-TAIL:]
        text = f"{head} [{len(text) - MAX_TEXT} characters left out] {tail}"
    if text.isascii():
        return text
    # Bytes that were no text, as of a file's name, are lone surrogates here, which no encoding takes.
    return text.encode(errors="backslashreplace").decode()


def _nobody(_: Record) -> None:
    pass
