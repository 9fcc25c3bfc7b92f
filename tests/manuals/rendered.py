"""A page of docs/ as it is read, on a screen on which no line has to be broken."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def rendered(name: str) -> str:
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    command = ["groff", "-man", "-Tascii", "-P-cbou", "-rLL=2000n", str(DOCS / name)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def section(page: str, heading: str) -> str:
    """What stands under a heading."""
    return re.split(r"^\S", page.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
