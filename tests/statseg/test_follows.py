from array import array
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maglev._statseg import COMBINED, SCALAR, SIMPLE, Counter, Segment
from maglev.emulator.segment import CombinedCounter, SegmentWriter, SimpleCounter
from tests.papi import papi, papi_sums
from tests.statseg.segments import other_spelling, scalar, sums, whole

THREADS = 3
SIMPLES = ["first session packet", "/err/slashed", "no server configured"]
COMBINEDS = ["/net/route/to", "unslashed"]
SCALARS = ["/sys/boottime", "heartbeat"]


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
        epoch = self.segment.sum([(Counter(n), array("Q", indexes), out) for n, out in zip(asked, outs, strict=True)])

        assert epoch == self.writer.epoch == self.segment.epoch
        for name, out in zip(names, outs, strict=True):
            assert out.tolist() == [n for index in indexes for n in self.expected(name, index)]

    @rule(name=st.sampled_from(SIMPLES + COMBINEDS), count=st.integers(0, 250))
    def read_whole(self, name: str, count: int) -> None:
        room = count * (1 + (name in COMBINEDS))

        assert whole(self.segment, name, room) == [n for index in range(count) for n in self.expected(name, index)]
        assert self.segment.length(Counter(name)) == max(map(len, self.model.get(name, [])), default=0)

    @invariant()
    def names_and_scalars(self) -> None:
        kinds = {name: COMBINED if name in COMBINEDS else SIMPLE for name in self.counters}
        assert self.segment.names() == kinds | dict.fromkeys(self.scalars, SCALAR)
        for name, value in self.scalars.items():
            assert scalar(self.segment, name) == scalar(self.segment, other_spelling(name)) == value

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
