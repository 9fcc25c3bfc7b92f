"""A reader of stderr who stands still, is slow or gone: real pipes."""

import fcntl
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from maglev.core.level import Level
from maglev.core.record import Record
from maglev.logs import writer
from maglev.logs.writer import Writer
from tests.processes import until

PIPE_BYTES = 4096
LINE_BYTES = 100


class Pipe:
    """As small as the kernel makes them."""

    def __init__(self) -> None:
        self.reader, self.end = os.pipe()
        fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def lines(self, count: int) -> list[str]:
        """Reads until there are so many, and whole ones only."""
        found = b""
        while found.count(b"\n") < count or not found.endswith(b"\n"):
            found += os.read(self.reader, 65536)
        return found.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    for each in (made.reader, made.end):
        with suppress(OSError):
            os.close(each)


def form(record: Record) -> bytes:
    """Lines of LINE_BYTES."""
    words = f"{record.name} {record.fields.get('lines', '')}".rstrip()
    return words.ljust(LINE_BYTES - 1).encode() + b"\n"


def record(name: str) -> Record:
    return Record(1, Level.INFO, name, {})


def test_what_a_reader_leaves_waits_and_the_rest_is_counted_where_it_is_missing(pipe: Pipe) -> None:
    os.write(pipe.end, b"full".ljust(PIPE_BYTES - 1) + b"\n")
    log = Writer(pipe.end, form, max_bytes=10 * LINE_BYTES)
    for number in range(1000):  # nobody reads: this would wait for ever
        log.put(record(f"{number}"))

    found = [line.rstrip() for line in pipe.lines(12)]
    assert found == ["full", *(f"{number}" for number in range(10)), "log-dropped 990"]
    log.put(record("again"))
    assert [line.rstrip() for line in pipe.lines(1)] == ["again"]
    log.close()


def test_after_a_loss_nothing_comes_before_the_word_of_it(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    size = PIPE_BYTES // 2
    monkeypatch.setattr(writer, "BATCH_BYTES", size)
    os.write(pipe.end, b"full".ljust(PIPE_BYTES - 1) + b"\n")
    log = Writer(pipe.end, lambda record: form(record).rstrip().ljust(size - 1) + b"\n", max_bytes=4 * size)
    for name in "0123x":
        log.put(record(name))
    assert pipe.lines(1)[0].rstrip() == "full"
    until(lambda: log._taken_bytes == 2 * size, lambda: "room for two")
    log.put(record("y"))  # nobody would see that x is missing before it

    assert [line.rstrip() for line in pipe.lines(2) + pipe.lines(3)] == [*"0123", "log-dropped 2"]
    log.close()


def test_every_record_is_written_or_counted_and_none_is_out_of_order(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CLOSE_S", 30)
    found: list[str] = []

    def read() -> None:
        while "the end" not in found[-1:]:
            found.extend(line.rstrip() for line in pipe.lines(1))

    reader = threading.Thread(target=read)
    reader.start()
    log = Writer(pipe.end, form, max_bytes=10 * LINE_BYTES)
    for number in range(20_000):
        log.put(record(f"{number}"))
    log.close()
    os.write(pipe.end, b"the end\n")
    reader.join()

    at = 0
    for line in found[: found.index("the end")]:
        if line.startswith("log-dropped "):
            at += int(line.split()[1])
        else:
            assert int(line) == at
            at += 1
    assert at == 20_000


def test_a_pipe_that_nobody_reads_any_more_ends_nothing_and_is_told_when_it_can(pipe: Pipe) -> None:
    os.close(pipe.reader)
    log = Writer(pipe.end, form)
    for number in range(3):
        log.put(record(f"{number}"))
    until(lambda: log._taken_bytes == 3 * LINE_BYTES, lambda: "three writes that failed")
    other = Pipe()
    os.dup2(other.end, pipe.end)
    log.put(record("again"))

    assert [line.rstrip() for line in other.lines(2)] == ["log-dropped 3", "again"]
    log.close()
    os.close(other.reader)
    os.close(other.end)


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Lets files grow up to so many bytes: a disk that is full then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(log: Writer, path: Path, size: int, names: str) -> None:
    """Have lines written until there are `size` bytes, and no room for the rest of them."""
    with disk_of(size):
        for name in names:
            log.put(record(name))
        until(lambda: log._taken_bytes == log._put_bytes, lambda: "a disk that is full")
    assert path.stat().st_size == size


def test_after_a_write_that_ended_in_a_line_the_next_begins_another_and_whole_lines_are_no_loss(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as file:
        log = Writer(file.fileno(), form)
        at = 2 * LINE_BYTES + 20
        fill(log, path, at, "0123")  # full in the third line
        fill(log, path, at + 6, "4")  # in the word of the loss
        fill(log, path, at + 6 + 1 + LINE_BYTES + 20, "5")  # after that word, in a line
        fill(log, path, at + 6 + 1 + LINE_BYTES + 20 + 1, "6")  # before the word of the next loss
        log.put(record("again"))
        log.close()

    found = [line.rstrip() for line in path.read_text().splitlines()]
    assert found == ["0", "1", "2", "log-d", "log-dropped 3", "5", "log-dropped 2", "again"]


def test_a_pipe_that_others_made_nonblocking_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.end, False)
    log = Writer(pipe.end, form)
    for number in range(1000):
        log.put(record(f"{number}"))

    assert [line.rstrip() for line in pipe.lines(1000)] == [f"{number}" for number in range(1000)]
    log.close()


def test_at_the_end_all_is_written(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CLOSE_S", 30)
    log = Writer(pipe.end, form)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.extend(pipe.lines(1000)))
    reader.start()
    for number in range(1000):
        log.put(record(f"{number}"))
    log.close()
    assert not log._thread.is_alive()
    reader.join()

    assert len(found) == 1000


def test_the_end_does_not_wait_for_a_reader_who_never_comes(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CLOSE_S", 0.01)
    log = Writer(pipe.end, form)
    for number in range(1000):
        log.put(record(f"{number}"))
    log.close()

    assert log._thread.is_alive()
    os.close(pipe.reader)  # ends the write, and with it the thread
    log._thread.join(30)
    assert not log._thread.is_alive()
