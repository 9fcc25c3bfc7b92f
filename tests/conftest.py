"""How Hypothesis works here: a run draws the examples of the run before, so that what is green stays so.

New ones are looked for with `pytest --hypothesis-profile=search`. Machines that run tests are shared: the time that one
example took says nothing.

And what the marker `vpp` does: its tests get a real VPP, which is running by then and named by the variables of
`real_vpp`, or are skipped.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import real_vpp as real

_EXAMPLES = int(os.environ.get("MAGLEV_TEST_EXAMPLES", "50"))  # of a property, where it does not say so itself
settings.register_profile("same", deadline=None, derandomize=True, max_examples=_EXAMPLES)
settings.register_profile("search", deadline=None, derandomize=False, max_examples=1000)
settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("vpp")]
    try:
        found = real.find(os.environ)
    except ValueError as error:
        if marked:
            raise pytest.UsageError(str(error)) from error
        return
    for item in marked:
        assert isinstance(item, pytest.Function)
        item.fixturenames = ["real_vpp", *item.fixturenames]  # a list of its own: parameters of one test share theirs
        if isinstance(found, real.Nothing):
            item.add_marker(pytest.mark.skip(reason=found.reason))


@pytest.fixture(scope="session")
def found_vpp() -> real.Sockets | real.Binary | real.Nothing:
    """What the environment names, before `real_vpp` writes there."""
    return real.find(os.environ)


@pytest.fixture(scope="session")
def real_vpp(
    found_vpp: real.Sockets | real.Binary | real.Nothing, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[real.Sockets]:
    """The one real VPP of this run. It is shared: leave no VIP in it."""
    match found_vpp:
        case real.Sockets() as sockets:
            yield sockets
        case real.Binary() as binary:
            folder = tmp_path_factory.mktemp("real-vpp")
            with real.started(binary, folder) as sockets, pytest.MonkeyPatch.context() as environ:
                environ.setenv(real.API, sockets.api)
                environ.setenv(real.STATS, sockets.stats)
                yield sockets
        case real.Nothing(reason):
            pytest.skip(reason)
