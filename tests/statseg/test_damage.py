import os
import struct
from collections.abc import Callable
from contextlib import closing
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from maglev._statseg import Counter, Segment, SegmentError
from maglev.emulator.segment import SegmentWriter
from tests.statseg.reference import Reference
from tests.statseg.segments import add_symlink, memfd, scalar, sums, whole

MUTANTS = int(os.environ.get("MAGLEV_TEST_MUTANTS", "400"))


def small_segment() -> tuple[bytes, list[int], list[int]]:
    """A valid segment of every kind of entry; the offsets where it hurts, and the addresses of its vectors."""
    with closing(SegmentWriter(16 << 10)) as writer:
        writer.set_scalar("/sys/boottime", 1_700_000_000)
        simple, combined = writer.simple("s", 3), writer.combined("/c", 2)
        writer.simple("empty", 1)
        add_symlink(writer, "link", simple._entry, 4)
        add_symlink(writer, "/wide link", combined._entry, 1)
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
        hot += [directory + 144 * entry + word for entry in range(6) for word in (0, 8, 12, 16)]
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


@settings(max_examples=MUTANTS, deadline=None)
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
        assert outcome(lambda: scalar(segment, "/sys/boottime")) == outcome(lambda: judge.scalar("/sys/boottime"))
        for name, words in (("s", 1), ("c", 2), ("empty", 1), ("link", 1), ("wide link", 2), ("none", 2)):
            indexes = [0, 1, 5, 6, 2**61, 2**64 - 1]
            ours = outcome(partial(sums, segment, name, indexes, words))
            assert ours == outcome(partial(judge.sums, name, indexes, words))
            assert outcome(partial(whole, segment, name, 8)) == outcome(partial(judge.whole, name, 8))
            assert outcome(partial(segment.length, Counter(name))) == outcome(partial(judge.length, name))
        segment.close()
