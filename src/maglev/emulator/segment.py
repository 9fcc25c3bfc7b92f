"""Writes a stats segment as VPP lays it out in memory; must not know what the counters mean or who reads them.

Layout version 2, from VPP src/vlib/stats/shared.h, stats.c and src/vppinfra/vec.c: a header of five u64 (version, base
address, epoch, in_progress, directory), then a heap of *vectors*. A vector is reached by the address of its first
element, and its u32 length stands 8 bytes before that. The directory is a vector of 144-byte entries; a counter is a
vector of addresses, one per thread, of vectors of numbers. Addresses are VPP's own: base + offset.

Whatever moves memory is done under the lock of the header: in_progress = 1, the change, epoch + 1, in_progress = 0.
Counting is not, and neither is lengthening a vector within the room it has. Readers have to cope, as with VPP.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from maglev.emulator.heap import Heap
from maglev.errors import Refused

_VERSION = 2
_BASE = 0x7E57_0000_0000  # any address but 0 will do: nobody but us maps the segment there
_AT_EPOCH, _AT_IN_PROGRESS, _AT_DIRECTORY = 2, 3, 4  # in words of the header

_SCALAR, _SIMPLE, _COMBINED, _GAUGE = 1, 2, 3, 9
_ENTRY = struct.Struct("<I4xQ128s")
_ENTRY_VALUE = 1  # in words of an entry

_LINE = 64  # VPP aligns counters to cache lines, which makes the room before a vector one line too
_VECTOR_HEADER = _LINE // 8 << 32 | 6 << 40
_HEAP_START = 4096
_U64 = (1 << 64) - 1


@dataclass(slots=True)
class _Vector:
    """`at` is the offset of the first element; `room` counts the elements that fit without moving."""

    at: int
    length: int
    room: int
    width: int


class SegmentWriter:
    """The segment and its memfd. Counters are made once and then driven through the handle returned.

    Raises Refused when the segment is full; what was there before stays readable.
    """

    def __init__(self, size: int = 32 << 20) -> None:
        if size < 2 * _HEAP_START:
            raise ValueError(f"a stats segment needs at least {2 * _HEAP_START} bytes, not {size}")
        self._fd = os.memfd_create("stat segment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self._fd, size)
            fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)  # as VPP does: its readers cannot be cut off
            self._map = mmap.mmap(self._fd, size)
        except BaseException:
            os.close(self._fd)
            raise
        self._bytes = memoryview(self._map)
        self.words = self._bytes[: size & ~7].cast("Q")
        # VPP's own Python reader refuses a vector that ends with the segment, so the last line stays unused.
        self._heap = Heap(_HEAP_START, (size & -_LINE) - _LINE)
        self._names: set[str] = set()
        self._scalars: dict[str, int] = {}
        self._counters: dict[str, _Counter] = {}
        self._directory = self._new_vector(8, _ENTRY.size)
        self._set_length(self._directory, 0)
        self.words[:5] = memoryview(struct.pack("@5Q", _VERSION, _BASE, 1, 0, _BASE + self._directory.at)).cast("Q")

    @property
    def fd(self) -> int:
        """The memfd, to be handed to readers; ours to close."""
        return self._fd

    @property
    def epoch(self) -> int:
        """How often memory has moved, plus one."""
        return self.words[_AT_EPOCH]

    def set_scalar(self, name: str, value: float) -> None:
        """Store a scalar, made on first use. VPP keeps whole unsigned numbers here, so the fraction is dropped."""
        self._set(name, _SCALAR, int(value))

    def set_gauge(self, name: str, value: int) -> None:
        """Store a gauge, made on first use."""
        self._set(name, _GAUGE, value)

    def simple(self, name: str, threads: int) -> "SimpleCounter":
        """The simple counter of this name, made on first use; without vectors until its first `validate`."""
        return self._counter(SimpleCounter, name, threads)

    def combined(self, name: str, threads: int) -> "CombinedCounter":
        """The combined counter of this name, made on first use; without vectors until its first `validate`."""
        return self._counter(CombinedCounter, name, threads)

    def close(self) -> None:
        """Unmap and close; readers keep their own maps. Closing twice is fine, counting afterwards a ValueError."""
        if self._fd < 0:
            return
        self.words.release()
        self._bytes.release()
        self._map.close()
        os.close(self._fd)
        self._fd = -1

    @contextmanager
    def moving(self) -> Iterator[None]:
        """The lock of the header, for whatever moves memory."""
        self.words[_AT_IN_PROGRESS] = 1
        try:
            yield
        finally:
            self.words[_AT_EPOCH] += 1
            self.words[_AT_IN_PROGRESS] = 0

    def lengthen(self, vector: _Vector, length: int) -> _Vector:
        """`vector` with at least `length` elements; without the room for them it moves, which has to be `moving`."""
        if vector.room < length:
            # VPP asks for half as much again, so that a vector growing one by one seldom moves.
            old, vector = vector, self._new_vector(length + length // 2, vector.width)
            used = old.length * old.width
            self._bytes[vector.at : vector.at + used] = self._bytes[old.at : old.at + used]
            vector.length = old.length
            self._free(old)
        self._set_length(vector, max(vector.length, length))
        return vector

    def first_vectors(self, entry: int, threads: int, length: int, width: int) -> list[_Vector]:
        """A vector for each thread, and the directory entry pointing there."""
        made: list[_Vector] = []
        with self.moving():
            try:
                made.append(self._new_vector(threads, 8))
                made.extend(self._new_vector(length, width) for _ in range(threads))
            except Refused:
                for vector in made:
                    self._free(vector)
                raise
            pointers, *vectors = made
            for vector in vectors:
                self._set_length(vector, length)
            self._set_length(pointers, threads)
            self.words[self._at_value(entry)] = _BASE + pointers.at
            self.point(entry, vectors)
        return vectors

    def point(self, entry: int, vectors: list[_Vector]) -> None:
        """Make a counter's vector of addresses say where its threads' vectors are now; has to be `moving`."""
        at = (self.words[self._at_value(entry)] - _BASE) // 8
        for thread, vector in enumerate(vectors):
            self.words[at + thread] = _BASE + vector.at

    def _counter(self, kind: "type[_Made]", name: str, threads: int) -> "_Made":
        if threads < 1:
            raise ValueError(f"a counter needs at least one thread, not {threads}")
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = kind(self, self._new_entry(name, kind.type), threads)
        if not isinstance(counter, kind) or counter.threads != threads:
            raise ValueError(f"{name!r} is already another counter")
        return counter

    def _set(self, name: str, kind: int, value: int) -> None:
        if name not in self._scalars:
            self._scalars[name] = self._new_entry(name, kind)
        self.words[self._at_value(self._scalars[name])] = value

    def _at_value(self, entry: int) -> int:
        return (self._directory.at + entry * _ENTRY.size) // 8 + _ENTRY_VALUE

    def _new_entry(self, name: str, kind: int) -> int:
        raw = name.encode()
        if not 0 < len(raw) < 128 or b"\0" in raw:
            raise ValueError(f"{name!r} is no name for a counter: 1 to 127 bytes")
        if name in self._names:
            raise ValueError(f"{name!r} is there already")
        entry = self._directory.length
        with self.moving():
            self._directory = self.lengthen(self._directory, entry + 1)
            _ENTRY.pack_into(self._bytes, self._directory.at + entry * _ENTRY.size, kind, 0, raw)
            self.words[_AT_DIRECTORY] = _BASE + self._directory.at
        self._names.add(name)
        return entry

    def _new_vector(self, room: int, width: int) -> _Vector:
        size = _block_size(room, width)
        start = self._heap.take(size)
        self._bytes[start : start + size] = bytes(size)
        return _Vector(start + _LINE, 0, (size - _LINE) // width, width)

    def _free(self, vector: _Vector) -> None:
        self._heap.give(vector.at - _LINE, _block_size(vector.room, vector.width))

    def _set_length(self, vector: _Vector, length: int) -> None:
        vector.length = length
        # u32 length, u8 header size / 8, u8 log2 of the alignment; the rest VPP's allocator notes for itself.
        self.words[vector.at // 8 - 1] = length | _VECTOR_HEADER


class _Counter:
    """One vector per thread, of elements of `words_each` numbers; `type` is what the directory calls it."""

    type = _SIMPLE
    words_each = 1

    def __init__(self, writer: SegmentWriter, entry: int, threads: int) -> None:
        self.threads = threads
        self._writer = writer
        self._entry = entry
        self._vectors: list[_Vector] = []

    def validate(self, index: int) -> None:
        """Make every thread's vector hold `index`. The epoch moves only if memory has to, as in vlib_stats_validate."""
        if index < 0:
            raise IndexError(f"index {index} is negative")
        writer = self._writer
        if not self._vectors:
            self._vectors = writer.first_vectors(self._entry, self.threads, index + 1, self.words_each * 8)
            return
        if all(index < vector.room for vector in self._vectors):
            for vector in self._vectors:
                if index >= vector.length:
                    writer.lengthen(vector, index + 1)
            return
        with writer.moving():
            # One after the other, so that a full segment leaves vectors of unequal length and nothing dangling.
            for thread, vector in enumerate(self._vectors):
                self._vectors[thread] = writer.lengthen(vector, index + 1)
                writer.point(self._entry, self._vectors)

    def zero(self, index: int) -> None:
        """Set the element back to 0 in every thread."""
        words = self._writer.words
        for thread in range(self.threads):
            at = self._at(thread, index)
            words[at] = words[at + self.words_each - 1] = 0

    def _at(self, thread: int, index: int) -> int:
        vector = self._vectors[thread]
        if not 0 <= index < vector.length:
            raise IndexError(f"index {index} was never validated: the vector holds {vector.length}")
        return vector.at // 8 + index * self.words_each


class SimpleCounter(_Counter):
    """Counts one thing per index and thread."""

    def add(self, thread: int, index: int, n: int) -> None:
        """Count `n` more, wrapping at 2**64 as VPP does."""
        at = self._at(thread, index)
        words = self._writer.words
        words[at] = (words[at] + n) & _U64

    def get(self, index: int) -> int:
        """The sum over all threads."""
        return sum(self._writer.words[self._at(thread, index)] for thread in range(self.threads))


class CombinedCounter(_Counter):
    """Counts packets and octets per index and thread."""

    type = _COMBINED
    words_each = 2

    def add(self, thread: int, index: int, packets: int, octets: int) -> None:
        """Count more of both, wrapping at 2**64 as VPP does."""
        at = self._at(thread, index)
        words = self._writer.words
        words[at] = (words[at] + packets) & _U64
        words[at + 1] = (words[at + 1] + octets) & _U64

    def get(self, index: int) -> tuple[int, int]:
        """The sums over all threads."""
        places = [self._at(thread, index) for thread in range(self.threads)]
        words = self._writer.words
        return sum(words[at] for at in places), sum(words[at + 1] for at in places)


_Made = TypeVar("_Made", bound=_Counter)


def _block_size(room: int, width: int) -> int:
    return _LINE + (room * width + _LINE - 1) // _LINE * _LINE
