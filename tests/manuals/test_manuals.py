"""The manual pages are those of the tables, and read as manual pages."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from maglev.manuals.__main__ import PAGES, main

DOCS = Path(__file__).parents[2] / "docs"

each_page = pytest.mark.parametrize("name", PAGES)


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"no {tool} here")


@each_page
def test_the_page_in_the_docs_is_the_one_of_the_tables(name: str, tmp_path: Path) -> None:
    main(tmp_path)

    assert (DOCS / name).read_text() == (tmp_path / name).read_text(), "make man"


@needs("groff")
@each_page
@pytest.mark.parametrize("device", ["ascii", "utf8"])
def test_it_fits_a_terminal_of_80_columns_without_a_warning(device: str, name: str) -> None:
    done = subprocess.run(
        ["groff", "-man", f"-T{device}", "-P-cbou", "-ww", "-rLL=80n", str(DOCS / name)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert not re.search(r"[\\`]|\*\*", done.stdout), "what is roff's, or was to be bold, is shown"


@needs("groff")
@each_page
def test_what_is_copied_from_it_can_be_typed(name: str) -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-P-cbou", str(DOCS / name)], capture_output=True, check=True)

    assert done.stdout.decode("utf-8").isascii()


@needs("man")
@each_page
def test_man_shows_it_without_a_warning(name: str) -> None:
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(DOCS / name)],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert name.partition(".")[0] in done.stdout


@needs("lexgrog")
@each_page
def test_whatis_will_find_it(name: str) -> None:
    done = subprocess.run(["lexgrog", str(DOCS / name)], capture_output=True, text=True, check=True)
    program = name.partition(".")[0]

    assert re.search(rf': "{program} - \S.{{20,90}}"$', done.stdout.strip())
