import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from maglev import logs
from maglev.core.level import Level
from maglev.core.record import Record
from tests.daemon.site import Ok, Site


@pytest.fixture
def backend() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ok) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


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
