"""A writer in a process of its own that moves and scribbles as fast as it can; run by test_statseg.

Every element of `still` has in thread t the value (index + 1) << 16 * t, always; the elements of `counting` only grow.
All vectors keep moving under the lock, and what they leave behind is overwritten at once, so that a sum taken across
a move cannot look right. Prints its descriptor and ends when stdin does.
"""

import select
import sys

from maglev.emulator.segment import CombinedCounter, SegmentWriter, SimpleCounter

THREADS = 4
LENGTH = 64
GARBAGE = b"\xee"


def move(writer: SegmentWriter, counter: SimpleCounter | CombinedCounter) -> None:
    with writer.moving():
        for thread, old in enumerate(counter._vectors):
            new = writer._new_vector(old.room, old.width)
            used = slice(old.at, old.at + old.length * old.width)
            writer._bytes[new.at : new.at + old.length * old.width] = writer._bytes[used]
            writer._set_length(new, old.length)
            counter._vectors[thread] = new
            writer._bytes[old.at - 8 : used.stop] = GARBAGE * (used.stop - old.at + 8)
            writer._free(old)
        writer.point(counter._entry, counter._vectors)


def main() -> None:
    writer = SegmentWriter(1 << 20)
    still, counting = writer.simple("still", THREADS), writer.combined("/counting", THREADS)
    still.validate(LENGTH - 1)
    counting.validate(LENGTH - 1)
    for index in range(LENGTH):
        for thread in range(THREADS):
            still.add(thread, index, (index + 1) << 16 * thread)
    print(writer.fd, flush=True)
    rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        move(writer, still)
        for index in range(LENGTH):
            counting.add(rounds % THREADS, index, 1, 100)
        move(writer, counting)
        if rounds % 50 == 0:
            writer.set_scalar(f"/scalar/{rounds // 50 % 1000}", rounds)
        rounds += 1


if __name__ == "__main__":
    main()
