import os
import threading
import time
import tracemalloc
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from maglev._statseg import Corrupt, Counter, Gone, Raced, Segment
from maglev.emulator.segment import SegmentWriter
from tests.statseg.segments import memfd, scalar, sums

IN_PROGRESS = 3  # in words of the header


def test_a_writer_that_died_in_its_lock_is_raced_within_the_bound(writer: SegmentWriter, segment: Segment) -> None:
    writer.set_scalar("/sys/boottime", 1)
    writer.words[IN_PROGRESS] = 1
    reads: list[Callable[[], object]] = [
        lambda: sums(segment, "s", [0]),
        lambda: scalar(segment, "/sys/boottime"),
        segment.names,
    ]

    for read in reads:
        before = time.monotonic()
        with pytest.raises(Raced):
            read()
        assert 0.02 <= time.monotonic() - before < 2
    writer.words[IN_PROGRESS] = 0
    assert scalar(segment, "/sys/boottime") == 1


def test_others_run_while_a_read_waits(writer: SegmentWriter) -> None:
    """The writer is let go by a thread of ours, which has to get the GIL for it."""
    writer.words[IN_PROGRESS] = 1
    with closing(Segment(writer.fd, max_wait_s=60)) as segment:
        release = threading.Timer(0, writer.words.__setitem__, (IN_PROGRESS, 0))
        release.start()
        assert sums(segment, "s", [0]) == [0]
        release.join()


def test_a_read_allocates_nothing_for_what_it_reads(writer: SegmentWriter, segment: Segment) -> None:
    writer.simple("s", 2).validate(10_000)
    writer.combined("/c", 2).validate(10_000)
    simple, combined = Counter("s"), Counter("/c")

    def peak(length: int) -> int:
        indexes = array("Q", range(length))
        one, two = array("Q", bytes(8 * length)), array("Q", bytes(16 * length))
        requests = [(simple, indexes, one), (combined, indexes, two), (simple, None, one)]
        tracemalloc.start()
        try:
            segment.sum(requests)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # the first read of all makes room for exceptions, names and the like
    assert peak(10_000) == peak(10) < 4096


def test_closed_is_gone(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    segment.close()
    segment.close()

    calls: list[Callable[[], object]] = [
        lambda: segment.epoch,
        lambda: sums(segment, "s", [0]),
        lambda: scalar(segment, "s"),
        segment.names,
    ]
    for call in calls:
        with pytest.raises(Gone):
            call()


def test_the_callers_descriptor_is_his_own(writer: SegmentWriter) -> None:
    writer.set_scalar("/sys/boottime", 3)
    before = set(os.listdir("/proc/self/fd"))
    fd = os.dup(writer.fd)
    segment = Segment(fd)
    os.close(fd)
    assert scalar(segment, "/sys/boottime") == 3

    segment.close()
    assert set(os.listdir("/proc/self/fd")) == before
    del segment
    for _ in range(3):
        Segment(writer.fd)
    assert set(os.listdir("/proc/self/fd")) == before, "a segment forgotten closes itself"


def test_a_shrunk_file_is_gone(writer: SegmentWriter) -> None:
    with memfd(bytes(writer._bytes)) as fd, closing(Segment(fd)) as segment:
        assert segment.names() == {}
        os.ftruncate(fd, 4096)

        for call in (segment.names, lambda: segment.epoch, lambda: sums(segment, "s", [0])):
            with pytest.raises(Gone):
                call()


def test_what_is_no_segment_is_not_opened(tmp_path: Path) -> None:
    for raw in (b"", b"\2", bytes(40), (1).to_bytes(8, "little") + bytes(4096), b"\xff" * 4096):
        with memfd(raw) as fd, pytest.raises(Corrupt):
            Segment(fd)
    with pytest.raises(OSError, match="Bad file"):
        Segment(-1)
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises((OSError, Corrupt)):
        Segment(folder)
    os.close(folder)


@pytest.mark.parametrize(("tries", "wait_s"), [(0, 0.0), (-1, 0.0), (1, -1.0), (1, float("nan")), (1, 1e9)])
def test_bounds_have_to_be_bounds(writer: SegmentWriter, tries: int, wait_s: float) -> None:
    with pytest.raises(ValueError):
        Segment(writer.fd, tries, wait_s)


def test_a_name_without_an_end_is_corrupt(writer: SegmentWriter, segment: Segment) -> None:
    writer.simple("s", 1)
    at = writer._directory.at + 16
    writer._bytes[at : at + 128] = b"s" * 128

    with pytest.raises(Corrupt, match="entry 0"):
        segment.names()
    assert sums(segment, "s" * 128, [0]) == [0]


def test_more_threads_than_any_vpp_has_are_corrupt(writer: SegmentWriter, segment: Segment) -> None:
    """Else the work of one read would be bounded by the size of the segment only."""
    writer.simple("s", 4097).validate(0)

    with pytest.raises(Corrupt, match="vector of threads with 4097"):
        sums(segment, "s", [0])


def read_until_gone(segment: Segment, started: threading.Barrier, ended: list[Gone]) -> None:
    indexes = array("Q", range(20_000)) * 10  # nearly all the time is spent in the map
    request = (Counter("s"), indexes, array("Q", bytes(8 * len(indexes))))
    started.wait()
    try:
        while True:
            segment.sum([request])
    except Gone as error:
        ended.append(error)


def test_closing_under_a_reader_is_gone_and_never_a_crash(writer: SegmentWriter) -> None:
    writer.simple("s", 4).validate(20_000)
    for _ in range(20):
        segment = Segment(writer.fd)
        started = threading.Barrier(3)
        ended: list[Gone] = []

        readers = [threading.Thread(target=read_until_gone, args=(segment, started, ended)) for _ in range(2)]
        for reader in readers:
            reader.start()
        started.wait()
        segment.close()
        for reader in readers:
            reader.join(10)
        assert len(ended) == 2
