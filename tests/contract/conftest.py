from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.target import RealTarget, Target, embedded, real
from tests.processes import running
from tests.real_vpp import BINARY, Binary, Sockets, started

VPPS = ["emulator", pytest.param("vpp", marks=pytest.mark.vpp)]


@pytest.fixture(scope="session", params=VPPS)
def shared_target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if request.param == "emulator":
        with embedded(tmp_path_factory.mktemp("emulator")) as target:
            yield target
    else:
        with real(request.getfixturevalue("real_vpp")) as target:
            yield target


@pytest.fixture
def target(shared_target: Target) -> Iterator[Target]:
    """A VPP for plain vpp_papi, through which packets can be sent."""
    yield shared_target
    shared_target.clean_up()


@pytest.fixture(params=VPPS)
def newborn(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A VPP that never had a VIP, for one test, which may be its end."""
    if request.param == "emulator":
        with embedded(tmp_path) as target:
            yield target
        return
    found = request.getfixturevalue("found_vpp")
    if not isinstance(found, Binary):
        pytest.skip(f"the VPP that runs is not new, and {BINARY} is not asked for another")
    with started(found, tmp_path) as sockets, closing(RealTarget(sockets.api, sockets.stats)) as target:
        yield target


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sockets]:
    folder = tmp_path_factory.mktemp("vpp")
    sockets = Sockets(str(folder / "api.sock"), str(folder / "stats.sock"))
    with running(
        "maglev.emulator", ["--api-socket", sockets.api, "--stats-socket", sockets.stats], folder / "log"
    ) as process:
        process.until_says(sockets.api)
        yield sockets


@pytest.fixture(params=VPPS)
def sockets(request: pytest.FixtureRequest) -> Sockets:
    """A VPP for a session of our own."""
    found = request.getfixturevalue("emulated" if request.param == "emulator" else "real_vpp")
    assert isinstance(found, Sockets)
    return found
