from hypothesis import given
from hypothesis import strategies as st

from maglev.emulator.heap import Heap
from maglev.errors import Refused


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 99)), max_size=60))
def test_the_heap_hands_out_disjoint_blocks_and_takes_all_back(steps: list[tuple[bool, int, int]]) -> None:
    heap = Heap(0, 2048)
    taken: list[tuple[int, int]] = []
    for frees, lines, which in steps:
        if frees and taken:
            heap.give(*taken.pop(which % len(taken)))
            continue
        try:
            taken.append((heap.take(lines * 64), lines * 64))
        except Refused:
            assert all(end - start < lines * 64 for start, end in heap._holes)
    used = sorted([(start, start + size) for start, size in taken] + heap._holes)
    assert [start for start, _ in used] == [0, *(end for _, end in used[:-1])]
    assert used[-1][1] == 2048

    for block in taken:
        heap.give(*block)
    assert heap._holes == [(0, 2048)]
