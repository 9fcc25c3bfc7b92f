import os
import struct
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from vpp_papi.vpp_stats import VPPStats

from maglev._statseg import COMBINED, GAUGE, SCALAR, SIMPLE, Corrupt, Gone, Raced, Segment, SegmentError
from maglev.emulator.segment import CombinedCounter, SegmentWriter, SimpleCounter
from tests import shaker
from tests.papi import papi, papi_sums
from tests.reference import Reference

IN_PROGRESS = 3
THREADS = 3
SIMPLES = ["first session packet", "/err/slashed", "no server configured"]
COMBINEDS = ["/net/route/to", "unslashed"]
SCALARS = ["/sys/boottime", "heartbeat"]


def sums(segment: Segment, name: str, indexes: list[int], words: int = 1) -> list[int]:
    out = array("Q", [0xBAD] * (words * len(indexes)))
    segment.sum_at([(name, array("Q", indexes), out)])
    return out.tolist()


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    with closing(SegmentWriter(1 << 20)) as writer:
        yield writer


@pytest.fixture
def segment(writer: SegmentWriter) -> Iterator[Segment]:
    with closing(Segment(writer.fd, max_wait_s=0.02)) as segment:
        yield segment


@contextmanager
def memfd(raw: bytes | bytearray) -> Iterator[int]:
    fd = os.memfd_create("mutant")
    os.write(fd, raw)
    try:
        yield fd
    finally:
        os.close(fd)


def other_spelling(name: str) -> str:
    return name[1:] if name.startswith("/") else f"/{name}"


class ReaderFollowsWriter(RuleBasedStateMachine):
    """Whatever is counted, grown or shortened: the reader says what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.writer = SegmentWriter(1 << 20)
        self.segment = Segment(self.writer.fd)
        self.counters: dict[str, SimpleCounter | CombinedCounter] = {}
        self.model: dict[str, list[list[tuple[int, ...]]]] = {}
        self.scalars: dict[str, int] = {}

    @rule(name=st.sampled_from(SIMPLES + COMBINEDS))
    def create(self, name: str) -> None:
        make = self.writer.combined if name in COMBINEDS else self.writer.simple
        self.counters[name] = make(name, THREADS)
        self.model.setdefault(name, [[] for _ in range(THREADS)])

    @precondition(lambda self: self.counters)
    @rule(data=st.data(), index=st.integers(0, 200))
    def grow(self, data: st.DataObject, index: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.counters)))
        self.counters[name].validate(index)
        zero = (0,) * self.counters[name].words_each
        for thread in self.model[name]:
            thread += [zero] * (index + 1 - len(thread))

    @precondition(lambda self: any(self.places()))
    @rule(data=st.data(), n=st.integers(0, 2**64 - 1), octets=st.integers(0, 2**64 - 1))
    def count(self, data: st.DataObject, n: int, octets: int) -> None:
        name, thread, index = data.draw(st.sampled_from(self.places()))
        match self.counters[name]:
            case CombinedCounter() as combined:
                combined.add(thread, index, n, octets)
                more: tuple[int, ...] = (n, octets)
            case SimpleCounter() as simple:
                simple.add(thread, index, n)
                more = (n,)
        figures = self.model[name][thread]
        figures[index] = tuple((a + b) % 2**64 for a, b in zip(figures[index], more, strict=True))

    @precondition(lambda self: any(self.places()))
    @rule(data=st.data())
    def shorten(self, data: st.DataObject) -> None:
        """VPP never does, but vectors of unequal length are legal, and so is one that is not there."""
        name, thread, length = data.draw(st.sampled_from(self.places()))
        vector = self.counters[name]._vectors[thread]
        keep, end = vector.at + length * vector.width, vector.at + vector.length * vector.width
        self.writer._bytes[keep:end] = bytes(end - keep)
        self.writer._set_length(vector, length)
        del self.model[name][thread][length:]

    @rule(name=st.sampled_from(SCALARS), value=st.integers(0, 2**53))
    def store(self, name: str, value: int) -> None:
        self.writer.set_scalar(name, value)
        self.scalars[name] = value

    @rule(indexes=st.lists(st.integers(0, 250) | st.integers(0, 2**64 - 1), max_size=30), turned=st.booleans())
    def read(self, indexes: list[int], turned: bool) -> None:
        names = SIMPLES + COMBINEDS
        outs = [array("Q", [7] * (len(indexes) * (1 + (name in COMBINEDS)))) for name in names]
        asked = [other_spelling(name) if turned else name for name in names]
        epoch = self.segment.sum_at([(n, array("Q", indexes), out) for n, out in zip(asked, outs, strict=True)])

        assert epoch == self.writer.epoch == self.segment.epoch
        for name, out in zip(names, outs, strict=True):
            assert out.tolist() == [n for index in indexes for n in self.expected(name, index)]

    @invariant()
    def names_and_scalars(self) -> None:
        kinds = {name: COMBINED if name in COMBINEDS else SIMPLE for name in self.counters}
        assert self.segment.names() == kinds | dict.fromkeys(self.scalars, SCALAR)
        for name, value in self.scalars.items():
            assert self.segment.scalar(name) == self.segment.scalar(other_spelling(name)) == value

    def places(self) -> list[tuple[str, int, int]]:
        return [
            (name, thread, index)
            for name, threads in sorted(self.model.items())
            for thread, figures in enumerate(threads)
            for index in range(len(figures))
        ]

    def expected(self, name: str, index: int) -> list[int]:
        zero = (0,) * (1 + (name in COMBINEDS))
        rows = [thread[index] if index < len(thread) else zero for thread in self.model.get(name, [])]
        return [sum(column) % 2**64 for column in zip(zero, *rows, strict=True)]

    def teardown(self) -> None:
        self.segment.close()
        self.writer.close()


TestReaderFollowsWriter = ReaderFollowsWriter.TestCase
TestReaderFollowsWriter.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.tuples(st.integers(0, THREADS - 1), st.integers(0, 300), st.integers(0, 2**40)), max_size=40))
def test_reads_the_same_as_vpps_own_reader(counted: list[tuple[int, int, int]]) -> None:
    with closing(SegmentWriter(1 << 20)) as writer, closing(Segment(writer.fd)) as segment:
        simple, combined = writer.simple("s", THREADS), writer.combined("/c", THREADS)
        simple.validate(0)
        combined.validate(0)
        for thread, index, n in counted:
            simple.validate(index)
            simple.add(thread, index, n)
            combined.validate(index)
            combined.add(thread, index, n, 60 * n)

        with papi(writer.fd) as reader:
            assert sums(segment, "s", list(range(301)))[: len(reader["s"][0])] == papi_sums(reader, "s")
            pairs = sums(segment, "/c", list(range(301)), 2)
            assert pairs[: 2 * len(reader["/c"][0])] == papi_sums(reader, "/c")
            assert segment.names() == {name: entry.type for name, entry in reader}


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
    assert segment.sum_at([]) == writer.epoch


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
            segment.scalar(name)
    assert segment.scalar("x" * 127) == 1
    assert segment.names() == {"s": SIMPLE, "x" * 127: SCALAR}


def test_an_entry_of_another_type_is_an_error_and_not_a_number(writer: SegmentWriter, segment: Segment) -> None:
    writer.set_scalar("/sys/boottime", 1)
    writer.set_gauge("/sys/num_worker_threads", 2)
    writer.simple("s", 1).validate(0)
    writer.combined("c", 1).validate(0)
    for kind, name in ((6, "symlink"), (8, "ring"), (77, "from the future")):
        writer._new_entry(name, kind)

    assert segment.names()["from the future"] == 77
    assert segment.scalar("/sys/num_worker_threads") == 2
    assert segment.names()["/sys/num_worker_threads"] == GAUGE
    for name in ("/sys/boottime", "symlink", "ring", "from the future"):
        with pytest.raises(ValueError, match=name):
            sums(segment, name, [0])
    for name in ("s", "symlink"):
        with pytest.raises(ValueError, match=name):
            segment.scalar(name)
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
        segment.sum_at([("s", indexes, out)])


def test_memoryviews_serve_as_buffers(writer: SegmentWriter, segment: Segment) -> None:
    counter = writer.simple("s", 1)
    counter.validate(3)
    counter.add(0, 3, 8)
    room = array("Q", [1, 1, 1])

    segment.sum_at([("s", memoryview(array("Q", [0, 3]))[1:], memoryview(room)[1:2])])

    assert room.tolist() == [1, 8, 1]


def test_buffers_are_let_go_whatever_comes(writer: SegmentWriter, segment: Segment) -> None:
    writer.set_scalar("/sys/boottime", 1)
    buffers = [array("Q", [0]) for _ in range(4)]
    segment.sum_at([("s", buffers[0], buffers[1])])
    for fault in (("/sys/boottime", buffers[2], buffers[3]), ("s", buffers[2], memoryview(b"8 bytes!"))):
        with pytest.raises(ValueError):
            segment.sum_at([("s", buffers[2], buffers[3]), fault])

    for buffer in buffers:
        buffer.append(1)  # a BufferError while anybody holds it


def test_a_writer_that_died_in_its_lock_is_raced_within_the_bound(writer: SegmentWriter, segment: Segment) -> None:
    writer.set_scalar("/sys/boottime", 1)
    writer.words[IN_PROGRESS] = 1
    reads: list[Callable[[], object]] = [
        lambda: sums(segment, "s", [0]),
        lambda: segment.scalar("/sys/boottime"),
        segment.names,
    ]

    for read in reads:
        before = time.monotonic()
        with pytest.raises(Raced):
            read()
        assert 0.02 <= time.monotonic() - before < 2
    writer.words[IN_PROGRESS] = 0
    assert segment.scalar("/sys/boottime") == 1


def test_closed_is_gone(writer: SegmentWriter) -> None:
    segment = Segment(writer.fd)
    segment.close()
    segment.close()

    calls: list[Callable[[], object]] = [
        lambda: segment.epoch,
        lambda: sums(segment, "s", [0]),
        lambda: segment.scalar("s"),
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
    assert segment.scalar("/sys/boottime") == 3

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


def small_segment() -> tuple[bytes, list[int], list[int]]:
    """A valid segment of every kind of entry; the offsets where it hurts, and the addresses of its vectors."""
    with closing(SegmentWriter(16 << 10)) as writer:
        writer.set_scalar("/sys/boottime", 1_700_000_000)
        simple, combined = writer.simple("s", 3), writer.combined("/c", 2)
        writer.simple("empty", 1)
        writer._new_entry("link", 6)
        simple.validate(5)
        combined.validate(5)
        for index in range(6):
            simple.add(index % 3, index, 1 << index)
            combined.add(index % 2, index, index, 10 * index)
        writer._set_length(simple._vectors[1], 2)
        directory = writer._directory.at
        vectors = [v.at for counter in (simple, combined) for v in counter._vectors]
        pointers = [writer.words[writer._at_value(c._entry)] - writer.words[1] for c in (simple, combined)]
        hot = [0, 8, 24, 32, directory - 8, *(v - 8 for v in vectors + pointers)]
        hot += [p + 8 * i for p in pointers for i in range(3)]
        hot += [directory + 144 * entry + word for entry in range(5) for word in (0, 8, 16)]
        return bytes(writer._bytes), hot, [writer.words[1] + at for at in [directory, *vectors, *pointers]]


RAW, HOT, ADDRESSES = small_segment()
BASE = int.from_bytes(RAW[8:16], "little")
EDGES = [0, 1, 2, 3, 5, 6, 7, 9, 113, 114, 4096, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 8, 2**64 - 1]
EDGES += [BASE + d for d in (-8, 0, 8, 40, 47, 48, len(RAW) - 144, len(RAW) - 8, len(RAW), len(RAW) + 8)]
WORDS = st.sampled_from(EDGES + ADDRESSES) | st.sampled_from(ADDRESSES).flatmap(
    lambda address: st.integers(address - 16, address + 16)
)
MUTATIONS = st.one_of(
    st.tuples(st.sampled_from(HOT), WORDS.map(lambda word: struct.pack("<Q", word))),
    st.tuples(st.sampled_from(HOT), st.sampled_from(EDGES).map(lambda word: struct.pack("<I", word % 2**32))),
    st.tuples(st.integers(0, len(RAW) - 1), st.binary(min_size=1, max_size=8)),
)


def outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except (SegmentError, KeyError, ValueError) as error:
        return type(error)


@settings(max_examples=400, deadline=None)
@given(st.lists(MUTATIONS, max_size=4), st.sampled_from([len(RAW)] * 9 + [39, 40, 48, 4096, 5000, len(RAW) - 1]))
def test_a_damaged_segment_ends_in_the_right_answer_or_the_right_error(
    mutations: list[tuple[int, bytes]], size: int
) -> None:
    raw = bytearray(RAW)
    for at, new in mutations:
        raw[at : at + len(new)] = new
    raw = raw[:size]
    with memfd(raw) as fd:
        judge = outcome(lambda: Reference(bytes(raw)))
        segment = outcome(lambda: Segment(fd, max_tries=2, max_wait_s=0))
        if not isinstance(judge, Reference):
            assert segment is judge
            return
        assert isinstance(segment, Segment)
        assert outcome(segment.names) == outcome(judge.names)
        assert outcome(lambda: segment.scalar("/sys/boottime")) == outcome(lambda: judge.scalar("/sys/boottime"))
        for name, words in (("s", 1), ("c", 2), ("empty", 1), ("link", 1), ("none", 2)):
            indexes = [0, 1, 5, 6, 2**61, 2**64 - 1]
            ours = outcome(partial(sums, segment, name, indexes, words))
            assert ours == outcome(partial(judge.sums, name, indexes, words))
        segment.close()


@contextmanager
def shaken() -> Iterator[int]:
    """The descriptor of a segment that another process keeps moving."""
    command = [sys.executable, "-m", shaker.__name__]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        fd = os.open(f"/proc/{process.pid}/fd/{int(process.stdout.readline())}", os.O_RDONLY)
        try:
            yield fd
        finally:
            os.close(fd)
            process.stdin.close()
            assert process.wait(10) == 0


def test_no_sum_is_ever_torn_by_a_writer_that_moves_everything() -> None:
    indexes = array("Q", range(shaker.LENGTH))
    still, counting = array("Q", bytes(8 * len(indexes))), array("Q", bytes(16 * len(indexes)))
    expected = array("Q", [sum((i + 1) << 16 * t for t in range(shaker.THREADS)) for i in indexes])
    before = counting[:]
    epochs: set[int] = set()
    taken = 0  # many samples, and many of them after the writer moved things
    deadline = time.monotonic() + 60
    with shaken() as fd, closing(Segment(fd)) as segment:
        while (taken < 20_000 or len(epochs) < 1000) and time.monotonic() < deadline:
            try:
                epochs.add(segment.sum_at([("still", indexes, still), ("counting", indexes, counting)]))
            except Raced:
                continue
            taken += 1
            assert still == expected
            assert all(
                packets * 100 - octets in (-100, 0, 100)
                for packets, octets in zip(counting[::2], counting[1::2], strict=True)
            )
            assert all(new >= old for new, old in zip(counting, before, strict=True))
            before = counting[:]
    assert taken >= 20_000
    assert len(epochs) >= 1000


def read_until_gone(segment: Segment, started: threading.Barrier, ended: list[Gone]) -> None:
    indexes = array("Q", range(20_000)) * 10  # nearly all the time is spent in the map
    request = ("s", indexes, array("Q", bytes(8 * len(indexes))))
    started.wait()
    try:
        while True:
            segment.sum_at([request])
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


@pytest.fixture
def frozen() -> Iterator[int]:
    """A still copy of a running VPP's segment, so that both readers are asked about the same moment."""
    path = os.environ.get("MAGLEV_TEST_VPP_STATS")
    if not path:
        pytest.skip("MAGLEV_TEST_VPP_STATS names no stats socket of a running VPP")
    live = VPPStats(path)
    live.connect()
    try:
        for _ in range(100):
            epoch, raw = live.epoch, bytes(live.statseg)
            if not live.in_progress and live.epoch == epoch:
                break
        else:
            pytest.fail("VPP's segment never stood still for the copy")
    finally:
        live.disconnect()
    with memfd(raw) as fd:
        yield fd


@pytest.mark.vpp
def test_a_real_vpps_segment_reads_the_same_as_by_vpps_own_reader(frozen: int) -> None:
    compared = dict.fromkeys((SCALAR, SIMPLE, COMBINED, GAUGE), 0)
    with papi(frozen) as reader, closing(Segment(frozen)) as segment:
        assert segment.epoch == reader.epoch
        # A VPP that has removed something has nameless entries of these types, to be used again.
        assert segment.names() == {name: entry.type for name, entry in reader if entry.type not in (0, 5)}
        for name, entry in reader:
            if entry.type in (SCALAR, GAUGE):
                assert segment.scalar(name) == reader[name], name
            elif entry.type in (SIMPLE, COMBINED):
                words = 1 + (entry.type == COMBINED)
                theirs = papi_sums(reader, name) if entry.value else []
                beyond = len(theirs) // words + 3
                assert sums(segment, name, list(range(beyond)), words) == theirs + [0] * 3 * words, name
            else:
                continue
            compared[entry.type] += 1
    print(f"compared {compared}")
    assert min(compared.values()) > 0
