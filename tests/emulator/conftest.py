from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.target import REAL_VPP, Target, embedded, real

_TARGETS = ["embedded", *([pytest.param("real", marks=pytest.mark.vpp)] if REAL_VPP else [])]


@pytest.fixture(scope="session", params=_TARGETS)
def shared_target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with real() if request.param == "real" else embedded(tmp_path_factory.mktemp("vpp")) as target:
        yield target


@pytest.fixture
def target(shared_target: Target) -> Iterator[Target]:
    yield shared_target
    shared_target.clean_up()


@pytest.fixture
def sockets(tmp_path: Path) -> tuple[str, str]:
    return str(tmp_path / "api.sock"), str(tmp_path / "stats.sock")
