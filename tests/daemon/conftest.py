from collections.abc import Iterator
from pathlib import Path

import pytest

from maglev import logs
from maglev.core.level import Level
from maglev.core.record import Record
from tests.daemon.site import Site, web_server


@pytest.fixture
def backend() -> Iterator[int]:
    with web_server() as port:
        yield port


@pytest.fixture
def site(tmp_path: Path, backend: int) -> Site:
    return Site(tmp_path, backend)


@pytest.fixture
def heard() -> Iterator[list[Record]]:
    """Every record of the test's own process."""
    records: list[Record] = []
    logs.feed(records.append)
    logs.feed_from(Level.DEBUG)
    yield records
    logs.feed_from(None)
