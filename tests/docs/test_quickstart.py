"""The quickstart is run as it stands: every command of it works, and says what stands there."""

import shutil
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.docs.quickstart import DOCUMENT, Place, masked, not_run, place_of_ones_own, play, steps, with_said

TEXT = DOCUMENT.read_text()


@pytest.mark.skipif(not shutil.which("curl"), reason="the quickstart asks for metrics by curl")
def test_what_each_block_says(tmp_path: Path) -> None:
    found = steps(TEXT)
    with place_of_ones_own() as place, closing(play(found, tmp_path, place)) as playing:
        for step, said in zip_longest(found, playing):
            assert masked(said) == masked(step.said), step.block


def test_only_the_installation_is_not_run() -> None:
    commands = [line.partition(" #")[0].strip() for block in not_run(TEXT) for line in block.splitlines()]

    assert commands == [
        "apt install git make gcc python3-venv python3-dev curl",
        "git clone URL ~/maglev",
        "make -C ~/maglev dev",
        "apt install curl ./vpp-maglev_*.deb ./vpp-maglevd_*.deb",
    ]


def test_the_text_below_a_step_is_replaced_made_or_taken_away() -> None:
    document = "a\n\n```sh\n1\n```\n\n```text\nold\n```\n\nb\n```sh\n2\n```\nc\n```sh\n3\n```\n\n```text\nold\n```\n"

    written = with_said(document, ["new\n", "first\n", ""])

    assert [(step.block, step.said) for step in steps(written)] == [("1\n", "new\n"), ("2\n", "first\n"), ("3\n", "")]
    assert with_said(written, ["new\n", "first\n", ""]) == written


def test_a_place_looks_as_wide_as_the_documents_own() -> None:
    text = "web1  127.0.0.11  up\ncurl http://127.0.0.1:9191/metrics :8080"

    assert Place(7).move_here(text) == "web1  127.0.7.11  up\ncurl http://127.0.7.1:9107/metrics :8007"
    assert Place(7).move_back(Place(7).move_here(text)) == text
    assert Place(0).move_here(text) == text


def test_two_at_a_time_have_places_of_their_own() -> None:
    with place_of_ones_own() as one, place_of_ones_own() as other:
        assert one != other
