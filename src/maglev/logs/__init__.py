"""The log: each event and note becomes one Record, shown on stderr and handed to whoever listens; decides nothing."""

import atexit
import sys
import threading
from collections.abc import Callable

from maglev.core.events import Event, Ordered
from maglev.core.level import Level
from maglev.core.record import Record
from maglev.logs import others
from maglev.logs.events import describe, fields_of
from maglev.logs.forms import FORMS, form_for
from maglev.logs.log import OFF, Log
from maglev.logs.writer import Writer

__all__ = ["FORMS", "LEVELS", "describe", "feed", "feed_from", "note", "set_up", "write"]

LEVELS = {level.name.lower(): level.value for level in Level}

_log = Log()
_adjusting = threading.Lock()


def set_up(level: str, form: str = "auto") -> None:
    """Log to stderr from `level` (a key of LEVELS) upwards, and audit records, in `form` (of FORMS); once in a process.

    What other modules and libraries log goes the same way, and so does what nobody catches.
    """
    if sys.stderr is not None:  # closed; its number may be a socket's by now
        writer = Writer(sys.stderr.fileno(), form_for(form, sys.stderr.fileno()))
        atexit.register(writer.close)
        _log.show(writer.put, LEVELS[level])
    others.take_over(_log)
    others.listen_from(_log.threshold)


def feed(sink: Callable[[Record], None]) -> None:
    """Hand records to `sink` from now on, from the level that `feed_from` names.

    It is called in whatever thread logs, for one record at a time, in the order of the lines on stderr. It must neither
    raise nor log nor wait, and must bear being called within itself: what garbage collection ends may log at any point.
    """
    _log.sink = sink


def feed_from(level: Level | None) -> None:
    """Feed records from `level` upwards, whatever stderr shows; None: nobody listens. Callable from any thread."""
    with _adjusting:
        _log.feed_from(OFF if level is None else level.value)
        others.listen_from(_log.threshold)


def write(event: Event) -> None:
    """Log one event at its own level. An audit record is shown whatever the level: it is kept for others to judge."""
    level, is_owed = event.level, isinstance(event, Ordered)
    if is_owed or level.value >= _log.threshold:
        _log.take(level, event.name, fields_of(event), is_owed=is_owed)


def note(level: int, name: str, **fields: object) -> None:
    """Log something that is no event of the core: starts, stops, what the daemon itself does."""
    if level >= _log.threshold:
        _log.take(Level(level), name, fields)
