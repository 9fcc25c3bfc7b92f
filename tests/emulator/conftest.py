import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.target import Target, embedded, real

_VARIABLES = ("MAGLEV_TEST_VPP_API", "MAGLEV_TEST_VPP_STATS")


@pytest.fixture(scope="session", params=["embedded", pytest.param("real", marks=pytest.mark.vpp)])
def shared_target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if request.param == "real":
        missing = [name for name in _VARIABLES if not os.environ.get(name)]
        if missing:
            pytest.skip(f"no running VPP is named by {' and '.join(missing)}")
        with real() as target:
            yield target
        return
    with embedded(tmp_path_factory.mktemp("vpp")) as target:
        yield target


@pytest.fixture
def target(shared_target: Target) -> Iterator[Target]:
    yield shared_target
    shared_target.clean_up()


@pytest.fixture
def sockets(tmp_path: Path) -> tuple[str, str]:
    return str(tmp_path / "api.sock"), str(tmp_path / "stats.sock")
