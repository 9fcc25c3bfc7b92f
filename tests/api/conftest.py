from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.client import Api, Client, calling
from tests.api.site import TABLE, Site, until_up, until_written
from tests.daemon.site import web_server


@pytest.fixture(scope="session")
def api() -> Api:
    return Api()


@pytest.fixture(scope="session")
def backend() -> Iterator[int]:
    with web_server() as port:
        yield port


@pytest.fixture
def site(tmp_path: Path, backend: int) -> Site:
    """To be started."""
    return Site(tmp_path, backend)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, backend: int) -> Iterator[Site]:
    """One for all tests of a module: it runs, its VPP too, and all that can be up is up and written."""
    made = Site(tmp_path_factory.mktemp("site"), backend)
    with made.vpp.running(), made.running():
        yield made


@pytest.fixture
def client(shared: Site, api: Api) -> Iterator[Client]:
    with calling(api, shared.address) as one:
        for name in ("web1", "web2"):
            until_up(one, name)
        until_written(shared, TABLE)
        yield one
