"""What others log by Python's logging, its warnings, and what nobody caught: into the same log as everything else.

Ours are the loggers below `maglev`. Of libraries only what is for a human is taken, from WARNING: what grpc says at
debug of handing a record to a watcher would be a record to hand to that watcher.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType

from maglev.core.level import Level
from maglev.logs.log import Log

NAME = "python-log"

_ours = logging.getLogger("maglev")
_root = logging.getLogger()


def take_over(log: Log) -> None:
    """Be the only one that Python's logging writes to, and the last resort for what nobody catches."""
    _root.handlers[:] = [_Bridge(log)]
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def listen_from(threshold: int) -> None:
    """Take in from `threshold` on, a number of logging's; where nothing was taken over, that is not ours to say."""
    if any(isinstance(each, _Bridge) for each in _root.handlers):
        _ours.setLevel(threshold)
        _root.setLevel(max(threshold, logging.WARNING))


class _Bridge(logging.Handler):
    """Has no lock: Log has one, and two could wait for each other."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def handle(self, record: logging.LogRecord) -> bool:
        """Make a record of our own of it."""
        fields: dict[str, object] = {"logger": record.name, "text": _sentence(record)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields["error"] = "".join(traceback.format_exception_only(error)).strip()
            fields["traceback"] = "".join(traceback.format_exception(error))
        self._log.take(_level(record.levelno), NAME, fields)
        return True


def _sentence(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - an argument's own __str__ may raise anything, and who logs must not get it
        args = record.args if isinstance(record.args, tuple) else (record.args,)
        return f"{_shown(record.msg)} % ({', '.join(map(_shown, args))})"


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - as above
        return f"<{type(value).__qualname__} that cannot be shown>"


def _level(number: int) -> Level:
    return max((level for level in Level if level.value <= number), key=lambda level: level.value, default=Level.DEBUG)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _ours.error("a fault of ours ends maglevd", exc_info=(kind, error, trace))


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    thread = found.thread.name if found.thread else "a thread"
    if found.exc_value is not None:
        _ours.error("a fault of ours ends thread %s", thread, exc_info=found.exc_value)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    where = getattr(found.object, "__qualname__", type(found.object).__qualname__)
    _ours.error("%s: %s", found.err_msg or "exception ignored in", where, exc_info=found.exc_value)
