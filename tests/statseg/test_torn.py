"""A compiled writer that moves everything, all the time, against the reader: no sample may be wrong."""

import os
import subprocess
import sysconfig
from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from maglev._statseg import Counter, Raced, Segment
from tests.processes import TIED

SAMPLES = int(os.environ.get("MAGLEV_TEST_SAMPLES", "50000"))  # a million takes half a minute
THREADS, LENGTH = 4, 64
GENERATION, GROWN, BLINK, COUNTED = (Counter(name) for name in ("generation", "grown", "blink", "/counted"))


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The writer, built by the compiler that built Python's extensions."""
    target = tmp_path_factory.mktemp("writer") / "writer"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    source = Path(__file__).with_name("writer.c")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(source)], check=True)
    return target


@contextmanager
def torn_by(program: Path) -> Iterator[int]:
    """The descriptor of a segment that another process keeps moving."""
    with subprocess.Popen([*TIED, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        fd = os.open(f"/proc/{process.pid}/fd/{int(process.stdout.readline())}", os.O_RDONLY)
        try:
            yield fd
        finally:
            os.close(fd)
            process.stdin.close()
            assert process.wait(30) == 0


def sums_at(epoch: int) -> list["array[int]"]:
    """What the writer makes of `generation`, `grown` (twice) and `blink` under that epoch."""
    tail = array("Q", [0, 0])
    lengths = [length if length > 1 else 0 for length in (1 + (7 * epoch + 13 * t) % LENGTH for t in range(THREADS))]
    grown = array("Q", [epoch * sum(i < length for length in lengths) for i in range(LENGTH + 2)])
    blink = array("Q", [epoch if epoch % 3 else 0]) * LENGTH + tail
    return [array("Q", [THREADS * epoch]) * LENGTH + tail, grown, grown, blink]


def test_no_sample_is_ever_torn_or_stale(program: Path) -> None:
    indexes = array("Q", range(LENGTH + 2))
    generation, grown, blink, whole = (array("Q", bytes(8 * len(indexes))) for _ in range(4))
    counted = array("Q", bytes(16 * LENGTH))
    before = counted[:]
    requests = [
        (GENERATION, indexes, generation),
        (GROWN, indexes, grown),
        (GROWN, None, whole),
        (BLINK, indexes, blink),
        (COUNTED, None, counted),
    ]
    epochs: set[int] = set()
    expected: list[array[int]] = []
    taken = raced = 0
    with torn_by(program) as fd, closing(Segment(fd, max_wait_s=1)) as segment:
        # On a busy machine the writer may be slow to get a turn: the samples are of no use without its changes.
        while taken < SAMPLES or len(epochs) <= SAMPLES // 100:
            assert taken < 20 * SAMPLES, f"the writer hardly ever gets a turn: {len(epochs)} epochs"
            try:
                epoch = segment.sum(requests)
            except Raced:
                raced += 1
                assert raced <= taken + 1000, "the reader hardly ever gets through"
                continue
            taken += 1
            if epoch not in epochs:
                epochs.add(epoch)
                expected = sums_at(epoch)
            assert [generation, grown, whole, blink] == expected
            packets, octets = counted[::2], counted[1::2]
            assert packets[0] in (epoch - 3, epoch - 2)
            assert abs(sum(packets) * 100 - sum(octets)) <= 100 * LENGTH
            assert all(map(int.__ge__, counted, before))
            before[:] = counted
    print(f"{taken} samples under {len(epochs)} epochs, {raced} given up as raced")
