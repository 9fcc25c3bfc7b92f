from collections.abc import Iterator
from contextlib import closing

import pytest

from maglev._statseg import Segment
from maglev.emulator.segment import SegmentWriter


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    with closing(SegmentWriter(1 << 20)) as writer:
        yield writer


@pytest.fixture
def segment(writer: SegmentWriter) -> Iterator[Segment]:
    with closing(Segment(writer.fd, max_wait_s=0.02)) as segment:
        yield segment
