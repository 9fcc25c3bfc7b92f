import shutil
import subprocess
from pathlib import Path

import pytest

from maglev.cli import manual
from maglev.cli.words import RULES

PAGE = Path(__file__).parents[2] / "docs" / "maglevc.1"


def test_the_page_in_the_docs_is_the_one_of_the_table() -> None:
    assert PAGE.read_text() == "".join(f"{line}\n" for line in manual.page()), (
        "python -m maglev.cli.manual > docs/maglevc.1"
    )


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_it_reads_as_a_manual_page_with_every_command() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-ww", "-rLL=200n", str(PAGE)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert all(rule.synopsis in done.stdout for rule in RULES)
    assert "\\" not in done.stdout
