from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from maglev.core import audits
from tests.trouble.bench import Bench, watched_by


@pytest.fixture
def clock(mock_clock: MockClock) -> MockClock:
    """Time that is real, and can be jumped. pytest-trio runs a test by it only if the test itself asks for it."""
    mock_clock.rate = 1.0
    return mock_clock


@pytest.fixture
async def bench(nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(audits, "MUST_SHARE", 1.0)  # nobody's traffic waits for these audits
    one = Bench(tmp_path, nursery, retry_s=0.01)
    watched_by(one, monkeypatch)
    return one
