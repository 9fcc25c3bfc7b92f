"""Writes records in a thread of its own: a reader of stderr who stands still must not stop the checker.

What such a reader does not take waits, up to a bound; after that new records are lost, until all that waited is
written. Then `log-dropped` says how many, in their place. The same goes for writes that fail: a pipe without a reader,
a full disk. If one fails in the midst of a line, that line ends there and counts as lost.
"""

import os
import select
import threading
import time
from itertools import accumulate
from queue import Empty, SimpleQueue

from maglev.core.level import Level
from maglev.core.record import Record
from maglev.logs.forms import Form

MAX_BYTES = 16 * 1024 * 1024  # a first verdict on each of 80,000 backends
BATCH_BYTES = 256 * 1024
CLOSE_S = 1.0  # for the last lines, when the program ends


class Writer:
    """Lines on their way to `descriptor`, in `form`.

    Without locks, as garbage collection can make any thread log at any point, this one's included: each number below is
    written by one side alone.
    """

    def __init__(self, descriptor: int, form: Form, max_bytes: int = MAX_BYTES) -> None:
        self._descriptor = descriptor
        self._form = form
        self._max_bytes = max_bytes
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._put_bytes = self._taken_bytes = 0
        self._dropped = self._told = 0  # records, ever; while they differ, more are dropped
        self._is_torn = False  # the last byte written ended no line; then there is a loss to be told
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)  # it may never come back
        self._thread.start()

    def put(self, record: Record) -> None:
        """Have `record` written soon, or count it as lost; never waits. One caller at a time."""
        line = self._form(record)
        if self._dropped != self._told or self._put_bytes - self._taken_bytes + len(line) > self._max_bytes:
            self._dropped += 1
            if self._lines.empty():
                self._lines.put(b"")  # else nobody would wake the thread to tell
            return
        self._put_bytes += len(line)
        self._lines.put(line)

    def close(self) -> None:
        """Wait until everything is written, for CLOSE_S at most."""
        self._lines.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        lost = 0
        while not self._is_ended:
            lost = self._write(self._batch(), lost)
            dropped = self._dropped
            if dropped != self._told and self._lines.empty():
                lost += dropped - self._told
                self._told = dropped
                lost = self._write([], lost)

    def _batch(self) -> list[bytes]:
        """What there is to write, up to some BATCH_BYTES; waits for the first of it."""
        batch, size = [], 0
        line = self._lines.get()
        try:
            while line is not None:
                batch.append(line)
                size += len(line)
                if size >= BATCH_BYTES:
                    return batch
                line = self._lines.get_nowait()
            self._is_ended = True
        except Empty:
            pass
        return batch

    def _write(self, batch: list[bytes], lost: int) -> int:
        """Write, with a word in front about those `lost` before; returns how many now are."""
        told = self._form(loss(lost)) if lost else b""
        if self._is_torn:
            told = b"\n" + told
        written = self._write_all(told + b"".join(batch))
        ends = list(accumulate(map(len, batch), initial=len(told)))
        self._taken_bytes += ends[-1] - ends[0]
        untold = lost if written < len(told) else 0
        return untold + sum(1 for line, end in zip(batch, ends[1:], strict=True) if line and end > written)

    def _write_all(self, text: bytes) -> int:
        """Write as much as can be written; returns how much that was."""
        written = 0
        while written < len(text):
            try:
                written += os.write(self._descriptor, text[written:])
            except BlockingIOError:  # somebody who shares stderr with us made it so
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError:  # there is nobody else to tell
                break
        if written:
            self._is_torn = not text.endswith(b"\n", 0, written)
        return written


def loss(lines: int) -> Record:
    """What stands where `lines` are missing."""
    return Record(time.time_ns(), Level.WARNING, "log-dropped", {"lines": lines, "hint": _HINT})


_HINT = "whoever reads maglevd's stderr was too slow, or could not write"
