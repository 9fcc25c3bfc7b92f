"""The same zoo put before a real HAProxy, whose verdicts are ours but for the differences that are listed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import trio

from tests.probes.zoo import ANIMALS, haproxy
from tests.probes.zoo.animal import Animal

VERSION = "2.6"  # what the table was made with


@pytest.fixture(scope="module")
def seen(zoo_certificates: Path) -> dict[str, haproxy.Seen]:
    """What HAProxy found of each animal, by name."""
    command = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if command is None:
        pytest.skip("no haproxy command: apt install haproxy, to have its verdicts compared with ours")
    said = subprocess.run([command, "-v"], check=True, capture_output=True, text=True, timeout=30).stdout
    found = re.search(r"version (\d+\.\d+)", said)
    if found is None or found[1] != VERSION:
        pytest.skip(f"the zoo knows the verdicts of HAProxy {VERSION}, and this is {said.splitlines()[0]}")
    return trio.run(haproxy.judge, command, ANIMALS, zoo_certificates)


@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
def test_haproxy_judges_as_the_zoo_says(animal: Animal, seen: dict[str, haproxy.Seen]) -> None:
    assert seen[animal.name].outcome == animal.haproxy, seen[animal.name].detail


def test_a_listed_difference_is_one() -> None:
    for animal in ANIMALS:
        if animal.difference is not None:
            assert animal.difference.haproxy != animal.ours, animal.name
            assert animal.difference.reason, animal.name
