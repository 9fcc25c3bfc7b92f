"""As many descriptors as the backends take, or a sentence that says how many."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from maglev import descriptors
from maglev.control.watching import MAX_PROBES_AT_ONCE
from maglev.errors import ConfigError
from maglev.options import EXIT_SEMANTIC
from tests.control.fakes import CHECK, backend
from tests.daemon.site import Site
from tests.processes import Program

HUNDREDS = [replace(backend(number % 250), name=f"b{number}", check=CHECK) for number in range(200)]


@contextmanager
def limit(soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def test_no_more_probes_at_once_than_half_of_the_descriptors() -> None:
    with limit(400):
        assert descriptors.probes_at_once() == 200
    with limit(1_000_000 if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 1_000_000 else 16_384):
        assert descriptors.probes_at_once() == MAX_PROBES_AT_ONCE


def test_two_for_each_that_is_probed_on_its_own() -> None:
    shared = [replace(HUNDREDS[0], name="twin"), replace(HUNDREDS[1], name="unchecked", check=None)]

    assert descriptors.needed([]) == descriptors.LEAST
    assert descriptors.needed(HUNDREDS) == 400
    assert descriptors.needed([*HUNDREDS, *shared]) == 400


def test_too_few_are_told_with_the_number_that_is_enough() -> None:
    with limit(400):
        descriptors.require(HUNDREDS)
    with limit(399), pytest.raises(ConfigError, match=r"take 400 file descriptors.* no more than 399.*LimitNOFILE=400"):
        descriptors.require(HUNDREDS)


def test_a_start_without_enough_says_so_and_ends(site: Site) -> None:
    maglevd = [sys.executable, "-m", "maglev.entry", *site.arguments]
    program = Program(["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", *maglevd], site.log)

    assert program.wait() == EXIT_SEMANTIC
    assert "these backends take 256 file descriptors, and no more than 200 are allowed" in program.output
    assert "LimitNOFILE=256" in program.output
    assert "Traceback" not in program.output


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, 1)
