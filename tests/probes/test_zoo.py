"""Every animal of the zoo put before our probes."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.probes.peers import LOCALHOST, check, outcome, probe
from tests.probes.zoo import ANIMALS, document
from tests.probes.zoo.animal import TIMEOUT_S, Animal


@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
async def test_the_probe_judges(animal: Animal, zoo: Path, patient_clock: MockClock) -> None:
    async with animal.den(zoo) as port:
        result = await probe(check(animal.question_at(port), TIMEOUT_S), LOCALHOST)

    assert outcome(result) == animal.ours, result.detail


def test_no_two_animals_share_a_name() -> None:
    names = [animal.name for animal in ANIMALS]

    assert len(set(names)) == len(names)


def test_the_document_shows_this_zoo() -> None:
    _, _, tables = document.PATH.read_text().partition(document.BEGIN)

    assert tables == "\n" + document.made(), "python -m tests.probes.zoo.document"
