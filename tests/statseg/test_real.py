import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from vpp_papi.vpp_stats import VPPStats

from maglev._statseg import COMBINED, GAUGE, SCALAR, SIMPLE, Counter, Segment
from tests.papi import papi, papi_sums
from tests.statseg.segments import SYMLINK, memfd, scalar, sums, whole


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


def theirs(reader: VPPStats, name: str, kind: int) -> tuple[list[int], int]:
    """A counter summed over threads, and how many numbers an element has, a symlink being its one element."""
    if kind != SYMLINK:
        return (papi_sums(reader, name) if reader.directory[name].value else []), 1 + (kind == COMBINED)
    column = reader.get_counter(name, blocking=False)  # of each thread
    pairs = [tuple(element) if isinstance(element, tuple) else (element,) for element in column]
    return [sum(numbers) & (2**64 - 1) for numbers in zip(*pairs, strict=True)], len(pairs[0]) if pairs else 1


@pytest.mark.vpp
def test_a_real_vpps_segment_reads_the_same_as_by_vpps_own_reader(frozen: int) -> None:
    compared = dict.fromkeys((SCALAR, SIMPLE, COMBINED, SYMLINK, GAUGE), 0)
    with papi(frozen) as reader, closing(Segment(frozen)) as segment:
        assert segment.epoch == reader.epoch
        # A VPP that has removed something has nameless entries of these types, to be used again.
        assert segment.names() == {name: entry.type for name, entry in reader if entry.type not in (0, 5)}
        for name, entry in reader:
            if entry.type in (SCALAR, GAUGE):
                assert scalar(segment, name) == reader[name], name
            elif entry.type in (SIMPLE, COMBINED, SYMLINK):
                expected, words = theirs(reader, name, entry.type)
                length = len(expected) // words
                padded = expected + [0] * 3 * words
                assert segment.length(Counter(name)) == length, name
                assert sums(segment, name, list(range(length + 3)), words) == padded, name
                assert whole(segment, name, len(padded)) == padded, name
            else:
                continue
            compared[entry.type] += 1
        assert {"/sys/boottime", "/sys/heartbeat"} <= segment.names().keys()
    print(f"compared {compared}")
    assert min(compared.values()) > 0
