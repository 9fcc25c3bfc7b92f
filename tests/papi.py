"""VPP's own Python reader on a segment that we hold a descriptor of, as the judge of ours."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

from vpp_papi.vpp_stats import VPPStats


@contextmanager
def papi(fd: int) -> Iterator[VPPStats]:
    reader = VPPStats()
    reader.size = os.fstat(fd).st_size
    reader.statseg = mmap.mmap(fd, reader.size, mmap.MAP_SHARED, mmap.PROT_READ)
    reader.refresh(blocking=False)  # else it takes every fault for a race, and tries again for ever
    reader.connected = True
    try:
        yield reader
    finally:
        reader.disconnect()


def papi_sums(reader: VPPStats, name: str) -> list[int]:
    """A whole counter summed over threads: a number per index, or packets and bytes alternating."""
    threads = reader.get_counter(name, blocking=False)
    sums: list[int] = []
    for thread in threads:
        flat = [n for element in thread for n in (element if isinstance(element, tuple) else (element,))]
        sums += [0] * (len(flat) - len(sums))
        for i, n in enumerate(flat):
            sums[i] += n
    return [n & (2**64 - 1) for n in sums]
