"""What pip gets: a complete sdist, a wheel that is made of it, and both programs from that."""

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.debs import ROOT

ONLY_HERE = (".ci/", ".gitignore")


@dataclass(frozen=True, slots=True)
class Built:
    sdist: Path
    unpacked: Path
    wheel: Path


def run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def built_sdist(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist, and the wheel that is built of it where nothing else of this checkout is."""
    directory = tmp_path_factory.mktemp("sdist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory))
    run(*build, "--sdist")
    (sdist,) = directory.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory, filter="data")
    unpacked = directory / sdist.name.removesuffix(".tar.gz")
    run(*build, "--wheel", str(unpacked))
    (wheel,) = directory.glob("*.whl")
    return Built(sdist, unpacked, wheel)


def test_the_sdist_has_every_file_that_git_knows(built_sdist: Built) -> None:
    known = [name for name in run("git", "ls-files").splitlines() if not name.startswith(ONLY_HERE)]

    assert [name for name in known if not (built_sdist.unpacked / name).exists()] == []


def test_the_wheel_has_what_runs_and_nothing_to_build_or_test_it_with(built_sdist: Built) -> None:
    names = set(zipfile.ZipFile(built_sdist.wheel).namelist())
    suffixes = {Path(name).suffix for name in names}

    assert {
        "maglev/daemon.py",
        "maglev/py.typed",
        "maglev/_statseg.pyi",
        "maglev/demo/maglev.yaml",
        "maglev/BUILD",
    } <= names
    assert {"maglev/cli/completers/maglevc.bash", "maglev/cli/completers/maglevc.zsh"} <= names
    assert suffixes & {".c", ".pyx", ".pxi", ".cpp", ".h"} == set()
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {"maglev"}
    assert sum(name.startswith("maglev/_statseg.") and name.endswith(".so") for name in names) == 1


def test_in_an_empty_environment_both_programs_run(built_sdist: Built, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", str(tmp_path / "env"))
    python, programs = str(tmp_path / "env/bin/python"), tmp_path / "env/bin"
    run(python, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(built_sdist.wheel))

    commit = run("git", "log", "-1", "--abbrev=12", "--format=%h").strip()
    for program in ("maglevd", "maglevc"):
        assert f"commit {commit}" in run(str(programs / program), "--version", cwd=tmp_path)
    checked = run(str(programs / "maglevd"), "--check", "--config", str(ROOT / "contrib/maglev.yaml"), cwd=tmp_path)
    assert "valid" in checked
    run(python, "-I", "-c", "from maglev import _statseg", cwd=tmp_path)
