"""The packages, built once, and a Debian to install them in: only if MAGLEV_TEST_PACKAGES asks for it.

It is 1, or the directory of packages that were built before.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging import machine as machines
from tests.packaging.debs import Debs, built, found, later
from tests.packaging.machine import Machine, Root

ASKED = "MAGLEV_TEST_PACKAGES"
BASE = Path(__file__).parents[2] / "build" / "packaging" / "base"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(ASKED):
        return
    reason = f"packages are built and installed by `make test-packages`, which sets {ASKED}; it takes minutes"
    for item in items:
        if {"debs", "built_sdist"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Debs:
    """Both packages, as `make deb` makes them. Fails where they cannot be tested, as that was asked for."""
    if reason := machines.why_not():
        pytest.fail(reason)
    given = Path(os.environ[ASKED])
    return found(given) if given.is_dir() else built(tmp_path_factory.mktemp("debs"))


@pytest.fixture(scope="session")
def later_debs(debs: Debs, tmp_path_factory: pytest.TempPathFactory) -> Debs:
    """The same with a later version."""
    return later(debs, tmp_path_factory.mktemp("later"))


@pytest.fixture(scope="session")
def debian(debs: Debs, later_debs: Debs) -> Root:
    """A small Debian with neither Python nor our packages, but with all that they need in apt's cache: to be copied."""
    base = machines.base(BASE)
    machines.fetch_dependencies(base, debs.files)
    return base


@pytest.fixture(scope="module")
def root(debian: Root, debs: Debs, later_debs: Debs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A copy of it for this module, with the packages in /root; half a gigabyte, so it is not left behind."""
    root = debian.copied_to(tmp_path_factory.mktemp("machine") / "root")
    root.write("/etc/dpkg/dpkg.cfg.d/no-sync", "force-unsafe-io\n")  # nothing of it is meant to survive
    for each in (debs, later_debs):
        each.copy_to(root)
    yield root
    shutil.rmtree(root.path)


@pytest.fixture(scope="module")
def machine(root: Root, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """That, booted."""
    with machines.booted(root, tmp_path_factory.mktemp("console") / "log") as machine:
        yield machine
