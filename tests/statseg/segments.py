"""Segments to read, and the shortest way to read them."""

import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

from maglev._statseg import Counter, Segment
from maglev.emulator.segment import SegmentWriter

SYMLINK = 6


def sums(segment: Segment, name: str, indexes: list[int], words: int = 1) -> list[int]:
    out = array("Q", [0xBAD] * (words * len(indexes)))
    segment.sum([(Counter(name), array("Q", indexes), out)])
    return out.tolist()


@contextmanager
def memfd(raw: bytes | bytearray) -> Iterator[int]:
    fd = os.memfd_create("mutant")
    os.write(fd, raw)
    try:
        yield fd
    finally:
        os.close(fd)


def whole(segment: Segment, name: str, room: int) -> list[int]:
    """`room` numbers from the first element on."""
    out = array("Q", [0xBAD] * room)
    segment.sum([(Counter(name), None, out)])
    return out.tolist()


def scalar(segment: Segment, name: str) -> int:
    return segment.scalar(Counter(name))


def add_symlink(writer: SegmentWriter, name: str, target: int, column: int) -> None:
    """An entry that stands for one column of the counter in entry `target`, as VPP's interfaces have."""
    entry = writer._new_entry(name, SYMLINK)
    writer.words[writer._at_value(entry)] = target | column << 32


def other_spelling(name: str) -> str:
    return name[1:] if name.startswith("/") else f"/{name}"
