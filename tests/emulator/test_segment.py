import mmap
import os
from collections.abc import Callable, Iterator

import pytest

from maglev.emulator.segment import SegmentWriter
from maglev.errors import Refused
from tests.papi import papi, papi_sums

IN_PROGRESS = 3


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    writer = SegmentWriter(1 << 20)
    yield writer
    writer.close()


def test_vpps_reader_finds_scalars_and_counters(writer: SegmentWriter) -> None:
    writer.set_scalar("/sys/boottime", 1_700_000_000.9)
    writer.set_gauge("/sys/num_worker_threads", 2)
    simple = writer.simple("first session packet", 3)
    simple.validate(2)
    simple.add(0, 2, 5)
    simple.add(2, 2, 7)
    combined = writer.combined("/net/route/to", 3)
    combined.validate(1)
    combined.add(1, 0, 3, 300)

    with papi(writer.fd) as reader:
        assert reader["/sys/boottime"] == 1_700_000_000
        assert reader["/sys/num_worker_threads"] == 2
        assert reader["first session packet"] == [[0, 0, 5], [0, 0, 0], [0, 0, 7]]
        assert reader["/net/route/to"] == [[(0, 0), (0, 0)], [(3, 300), (0, 0)], [(0, 0), (0, 0)]]


def test_counters_and_zeroing_add_up_over_threads(writer: SegmentWriter) -> None:
    simple, combined = writer.simple("s", 2), writer.combined("c", 2)
    simple.validate(3)
    combined.validate(3)
    for thread in range(2):
        simple.add(thread, 3, 10)
        combined.add(thread, 3, 1, 100)

    assert (simple.get(3), combined.get(3)) == (20, (2, 200))

    simple.zero(3)
    combined.zero(3)
    assert (simple.get(3), combined.get(3)) == (0, (0, 0))


def test_counters_wrap_as_vpps_do(writer: SegmentWriter) -> None:
    counter = writer.simple("s", 1)
    counter.validate(0)

    counter.add(0, 0, 2**64 - 1)
    counter.add(0, 0, 3)

    assert counter.get(0) == 2


def test_epoch_moves_when_memory_does_and_only_then(writer: SegmentWriter) -> None:
    def moves(change: Callable[[], object]) -> int:
        before = writer.epoch
        change()
        return writer.epoch - before

    assert moves(lambda: writer.set_scalar("/sys/heartbeat", 1)) == 1
    assert moves(lambda: writer.set_scalar("/sys/heartbeat", 2)) == 0
    assert moves(lambda: writer.simple("s", 2)) == 1
    counter = writer.simple("s", 2)
    assert moves(lambda: counter.validate(0)) == 1
    assert moves(lambda: counter.add(1, 0, 9)) == 0
    assert moves(lambda: counter.validate(100)) == 1
    assert moves(lambda: counter.validate(100)) == 0
    assert moves(lambda: counter.validate(101)) == 0, "growth leaves room for half as many again"
    assert counter.get(0) == 9


def test_growing_one_by_one_keeps_all_figures_and_seldom_moves(writer: SegmentWriter) -> None:
    counter = writer.combined("c", 3)
    for i in range(1000):
        counter.validate(i)
        counter.add(i % 3, i, i, 2 * i)

    with papi(writer.fd) as reader:
        assert papi_sums(reader, "c") == [n for i in range(1000) for n in (i, 2 * i)]
    assert writer.epoch < 25


def test_growth_uses_again_what_it_left_behind() -> None:
    writer = SegmentWriter(256 << 10)
    counters = [writer.simple(f"s{i}", 2) for i in range(4)]
    for index in range(1500):  # 96 kB in the end, 144 kB with spare room; every size on the way would take twice that
        for counter in counters:
            counter.validate(index)
            counter.add(0, index, index)

    assert [counter.get(1499) for counter in counters] == [1499] * 4
    writer.close()


def test_a_full_segment_refuses_and_stays_readable() -> None:
    writer = SegmentWriter(32 << 10)
    counter = writer.simple("s", 3)
    counter.validate(9)
    for thread in range(3):
        counter.add(thread, 9, 1)

    def grow() -> None:
        for index in range(10, 10_000):
            counter.validate(index)

    with pytest.raises(Refused, match="give the emulator a larger one"):
        grow()

    with papi(writer.fd) as reader:
        sums = papi_sums(reader, "s")
    assert sums[9] == 3
    assert sum(sums) == 3
    assert writer.words[IN_PROGRESS] == 0
    with pytest.raises(Refused):
        writer.combined("c", 3).validate(10_000)
    counter.add(2, 9, 1)
    assert counter.get(9) == 4
    writer.close()


def test_a_refused_first_vector_gives_its_memory_back() -> None:
    writer = SegmentWriter(64 << 10)
    counter = writer.simple("s", 8)
    free = list(writer._heap._holes)

    with pytest.raises(Refused):
        counter.validate(2000)

    assert writer._heap._holes == free
    counter.validate(500)
    writer.close()


def test_even_the_last_vector_is_one_that_vpps_reader_accepts() -> None:
    writer = SegmentWriter(8 << 10)
    counter = writer.simple("s", 1)
    [(start, end)] = writer._heap._holes
    last = (end - start - 2 * 64 - 64) // 8 - 1  # behind the vector of addresses, and a line before each

    counter.validate(last)

    assert writer._heap._holes == []
    with papi(writer.fd) as reader:
        assert papi_sums(reader, "s") == [0] * (last + 1)
    writer.close()


def test_a_change_is_made_under_the_lock_even_when_it_fails(writer: SegmentWriter) -> None:
    epoch = writer.epoch

    def fail() -> None:
        with writer.moving():
            assert writer.words[IN_PROGRESS] == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (writer.words[IN_PROGRESS], writer.epoch) == (0, epoch + 1)


def test_a_name_is_one_thing_only(writer: SegmentWriter) -> None:
    counter = writer.simple("s", 2)

    assert writer.simple("s", 2) is counter
    for misuse in (
        lambda: writer.simple("s", 3),
        lambda: writer.combined("s", 2),
        lambda: writer.set_scalar("s", 1),
        lambda: writer.simple("", 1),
        lambda: writer.simple("x" * 128, 1),
        lambda: writer.simple("none", 0),
    ):
        with pytest.raises(ValueError):
            misuse()
    assert counter.threads == 2


def test_what_was_never_validated_cannot_be_counted(writer: SegmentWriter) -> None:
    counter = writer.simple("s", 2)
    with pytest.raises(IndexError):
        counter.add(0, 0, 1)
    counter.validate(4)
    for index in (5, -1):
        with pytest.raises(IndexError):
            counter.add(0, index, 1)
    with pytest.raises(IndexError):
        counter.validate(-1)


def test_the_file_cannot_be_shrunk_under_its_readers(writer: SegmentWriter) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(writer.fd, 4096)


def test_readers_keep_their_map_after_close() -> None:
    writer = SegmentWriter()
    writer.set_scalar("/sys/boottime", 5)
    with mmap.mmap(writer.fd, 32 << 20, mmap.MAP_SHARED, mmap.PROT_READ) as kept:
        writer.close()
        writer.close()

        assert kept[:8] == (2).to_bytes(8, "little")
    with pytest.raises(ValueError):
        writer.set_scalar("/sys/boottime", 6)
