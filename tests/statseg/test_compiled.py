"""What Cython makes of the reader: nothing that runs without the GIL may call Python's API, nor take the GIL back."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src/maglev"
WITHOUT_PYTHON = ["_statseg_read.pxi", "_statseg_sum.pxi"]
LINE = re.compile(r'class="cython line score-(\d+)"[^>]*>[^<]*<span class="">(\d+)</span>')


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("annotated")
    for name in ("_statseg.pyx", *WITHOUT_PYTHON):
        shutil.copy(SOURCES / name, folder)
    subprocess.run([sys.executable, "-m", "cython", "-3", "--annotate", folder / "_statseg.pyx"], check=True)
    return folder


def yellow(folder: Path, name: str) -> dict[int, str]:
    """The lines that call Python's API, by number."""
    lines = (folder / name).read_text().splitlines()
    scores = LINE.findall((folder / name).with_suffix(".html").read_text())
    assert len(scores) == len(lines)
    return {int(number): lines[int(number) - 1] for score, number in scores if score != "0"}


def test_what_runs_without_the_gil_calls_no_python(annotated: Path) -> None:
    """Also not in a corner: a division, for one, takes the GIL for its ZeroDivisionError unless told not to."""
    for name in WITHOUT_PYTHON:
        assert yellow(annotated, name) == {}, name
    face = yellow(annotated, "_statseg.pyx")
    inside = {n + 1: line for n, line in face.items() if line.strip() == "with nogil:"}
    assert len(inside) == 3
    assert not inside.keys() & face.keys()
