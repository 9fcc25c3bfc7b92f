import struct
from array import array
from contextlib import closing

import pytest

from maglev._statseg import GAUGE, SCALAR, SIMPLE, Corrupt, Counter, Segment
from maglev.emulator.segment import SegmentWriter
from tests.statseg.segments import add_symlink, scalar, sums, whole


def test_what_is_not_there_counts_as_zero(writer: SegmentWriter, segment: Segment) -> None:
    writer.simple("no data", 2)
    counter = writer.simple("no thread", 2)
    counter.validate(1)
    counter.add(0, 1, 5)
    counter.add(1, 1, 6)
    pointers = (writer.words[writer._at_value(counter._entry)] - writer.words[1]) // 8
    writer.words[pointers] = 0

    assert sums(segment, "no data", [0, 1]) == [0, 0]
    assert sums(segment, "no thread", [0, 1, 2]) == [0, 6, 0]
    assert sums(segment, "no such name", [0], 1) == [0]
    assert sums(segment, "no such name", [0], 2) == [0, 0]
    assert sums(segment, "no data", []) == []
    assert segment.sum([]) == writer.epoch


def test_a_counter_that_appears_is_found_and_one_that_goes_is_not(writer: SegmentWriter, segment: Segment) -> None:
    assert sums(segment, "late", [0]) == [0]
    counter = writer.simple("late", 1)
    counter.validate(0)
    counter.add(0, 0, 9)
    assert sums(segment, "late", [0]) == [9]

    # VPP empties a removed entry only after it has given up the lock: the epoch does not tell.
    at = writer._at_value(counter._entry) * 8 - 8
    writer._bytes[at : at + 144] = struct.pack("<I140x", 5)
    assert sums(segment, "late", [0]) == [0]
    assert segment.names() == {}


def test_a_symlink_is_its_column(writer: SegmentWriter, segment: Segment) -> None:
    simple, combined = writer.simple("s", 2), writer.combined("/c", 2)
    simple.validate(3)
    combined.validate(3)
    for thread in (0, 1):
        simple.add(thread, 3, 5)
        combined.add(thread, 2, 1, 60)
    add_symlink(writer, "/interfaces/eth0/drops", simple._entry, 3)
    add_symlink(writer, "/interfaces/eth0/rx", combined._entry, 2)
    add_symlink(writer, "/beyond", simple._entry, 4)

    assert sums(segment, "/interfaces/eth0/drops", [0, 1]) == [10, 0]
    assert sums(segment, "interfaces/eth0/rx", [0], 2) == [2, 120]
    assert whole(segment, "/interfaces/eth0/rx", 4) == [2, 120, 0, 0]
    assert sums(segment, "/beyond", [0]) == [0]
    assert [segment.length(Counter(n)) for n in ("/interfaces/eth0/rx", "/beyond")] == [1, 0]


def test_a_symlink_to_a_removed_counter_counts_zero_and_to_anything_else_is_an_error(
    writer: SegmentWriter, segment: Segment
) -> None:
    counter = writer.simple("s", 1)
    counter.validate(0)
    add_symlink(writer, "/link", counter._entry, 0)
    add_symlink(writer, "/link to link", counter._entry + 1, 0)
    add_symlink(writer, "/nowhere", 99, 0)

    with pytest.raises(ValueError, match="symlink"):
        sums(segment, "/link to link", [0])
    with pytest.raises(Corrupt, match="symlink to entry 99, beyond the 4"):
        sums(segment, "/nowhere", [0])
    writer.words[writer._at_value(counter._entry) - 1] = 5  # VPP's mark of an entry that is free again
    assert sums(segment, "/link", [0]) == [0]


def test_a_symlink_that_comes_without_the_lock_is_found(writer: SegmentWriter, segment: Segment) -> None:
    """As VPP adds them: neither the epoch nor in_progress moves."""
    counter = writer.simple("s", 1)
    counter.validate(0)
    counter.add(0, 0, 7)
    link = Counter("/link")
    out = array("Q", [0])
    epoch = segment.sum([(link, None, out)])
    assert out[0] == 0

    add_symlink(writer, "/link", counter._entry, 0)
    writer.words[2] = epoch
    assert segment.sum([(link, None, out)]) == epoch
    assert out[0] == 7


def test_a_counter_serves_any_segment_and_remembers_only_its_place(writer: SegmentWriter, segment: Segment) -> None:
    writer.simple("filler", 1)
    for n, name in enumerate(("a", "b")):
        counter = writer.simple(name, 1)
        counter.validate(0)
        counter.add(0, 0, n + 1)
    a, out = Counter("a"), array("Q", [0])
    segment.sum([(a, None, out)])
    with closing(SegmentWriter(1 << 20)) as other, closing(Segment(other.fd)) as elsewhere:
        for n, name in enumerate(("a", "b", "c")):
            counter = other.simple(name, 1)
            counter.validate(0)
            counter.add(0, 0, 10 * (n + 1))
        elsewhere.sum([(a, None, out)])
        assert out[0] == 10
    assert (a.name, repr(a)) == ("a", "Counter('a')")


def test_whole_vectors_fill_the_room_there_is(writer: SegmentWriter, segment: Segment) -> None:
    simple, combined = writer.simple("s", 2), writer.combined("c", 2)
    simple.validate(2)
    combined.validate(1)
    for index in range(3):
        simple.add(0, index, index + 1)
    combined.add(1, 1, 3, 4)

    assert [whole(segment, "s", room) for room in (0, 2, 3, 5)] == [[], [1, 2], [1, 2, 3], [1, 2, 3, 0, 0]]
    assert [whole(segment, "c", room) for room in (2, 4, 6)] == [[0, 0], [0, 0, 3, 4], [0, 0, 3, 4, 0, 0]]
    with pytest.raises(ValueError, match="room for 4 numbers"):
        whole(segment, "c", 3)
    assert (segment.length(Counter("s")), segment.length(Counter("c")), segment.length(Counter("none"))) == (3, 2, 0)


def test_a_request_without_a_counter_is_refused(segment: Segment) -> None:
    for nothing in (None, "s", 3):
        with pytest.raises((TypeError, ValueError)):
            segment.sum([(nothing, None, array("Q", [0]))])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        segment.scalar("s")  # type: ignore[arg-type]


def test_of_two_spellings_the_very_one_is_read(writer: SegmentWriter, segment: Segment) -> None:
    for name, n in (("/both", 1), ("both", 2)):
        counter = writer.simple(name, 1)
        counter.validate(0)
        counter.add(0, 0, n)

    assert (sums(segment, "/both", [0]), sums(segment, "both", [0])) == ([1], [2])


def test_names_that_cannot_be_are_not_found(writer: SegmentWriter, segment: Segment) -> None:
    writer.simple("s", 1).validate(0)
    writer.set_scalar("x" * 127, 1)
    # As VPP leaves it behind the name of a symlink.
    writer._bytes[writer._directory.at + 16 + 2 : writer._directory.at + 16 + 9] = b"garbage"

    for name in ("", "/", "//s", "s\0garbage", "s" * 128, "x" * 128, "\udcff"):
        assert sums(segment, name, [0]) == [0]
        with pytest.raises(KeyError):
            scalar(segment, name)
    assert scalar(segment, "x" * 127) == 1
    assert segment.names() == {"s": SIMPLE, "x" * 127: SCALAR}


def test_an_entry_of_another_type_is_an_error_and_not_a_number(writer: SegmentWriter, segment: Segment) -> None:
    writer.set_scalar("/sys/boottime", 1)
    writer.set_gauge("/sys/num_worker_threads", 2)
    writer.simple("s", 1).validate(0)
    writer.combined("c", 1).validate(0)
    for kind, name in ((8, "ring"), (77, "from the future")):
        writer._new_entry(name, kind)

    assert segment.names()["from the future"] == 77
    assert scalar(segment, "/sys/num_worker_threads") == 2
    assert segment.names()["/sys/num_worker_threads"] == GAUGE
    for name in ("/sys/boottime", "ring", "from the future"):
        with pytest.raises(ValueError, match=name):
            sums(segment, name, [0])
    for name in ("s", "ring"):
        with pytest.raises(ValueError, match=name):
            scalar(segment, name)
    with pytest.raises(ValueError, match="room for 2 numbers"):
        sums(segment, "c", [0], 1)
    with pytest.raises(ValueError, match="room for 1 numbers"):
        sums(segment, "s", [0], 2)


@pytest.mark.parametrize(
    ("indexes", "out"),
    [
        (array("Q", [0]), memoryview(bytes(8)).cast("Q")),
        (array("Q", [0]), array("Q", [0, 0, 0])),
        (array("Q", [0, 0, 0]), array("Q", [0, 0, 0, 0])),
        (array("Q", [0]), array("q", [0])),
        (array("Q", [0]), array("d", [0.0])),
        (array("Q", [0]), memoryview(bytearray(8))),
        (array("I", [0, 0]), array("Q", [0])),
        (array("Q", [0, 0]), memoryview(array("Q", [0, 0, 0, 0]))[::2]),
        (memoryview(bytearray(32)).cast("Q", (2, 2)), array("Q", [0, 0, 0, 0])),
        (array("Q", [0]), memoryview(bytearray(9))[1:].cast("Q")),
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(segment: Segment, indexes: "array[int]", out: "array[int]") -> None:
    with pytest.raises(ValueError, match="'s'"):
        segment.sum([(Counter("s"), indexes, out)])


def test_memoryviews_serve_as_buffers(writer: SegmentWriter, segment: Segment) -> None:
    counter = writer.simple("s", 1)
    counter.validate(3)
    counter.add(0, 3, 8)
    room = array("Q", [1, 1, 1])

    segment.sum([(Counter("s"), memoryview(array("Q", [0, 3]))[1:], memoryview(room)[1:2])])

    assert room.tolist() == [1, 8, 1]


def test_buffers_are_let_go_whatever_comes(writer: SegmentWriter, segment: Segment) -> None:
    writer.set_scalar("/sys/boottime", 1)
    buffers = [array("Q", [0]) for _ in range(4)]
    segment.sum([(Counter("s"), buffers[0], buffers[1])])
    for fault in (
        (Counter("/sys/boottime"), buffers[2], buffers[3]),
        (Counter("s"), buffers[2], memoryview(b"8 bytes!")),
    ):
        with pytest.raises(ValueError):
            segment.sum([(Counter("s"), buffers[2], buffers[3]), fault])

    for buffer in buffers:
        buffer.append(1)  # a BufferError while anybody holds it
