"""The packages as files: built, made anew with a later version, and handed to a machine's apt."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.machine import Root

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"  # Debian's, which the packages are for
NAMES = ("vpp-maglev", "vpp-maglevd")


@dataclass(frozen=True, slots=True)
class Debs:
    """One version of both packages."""

    version: str
    files: Sequence[Path]

    @property
    def there(self) -> str:
        """The directory in a machine that has these and no other."""
        return f"/root/{self.version}"

    def copy_to(self, root: Root) -> None:
        root.file(self.there).mkdir()
        for file, name in zip(self.files, self.names_there, strict=True):
            shutil.copy(file, root.file(name))

    @property
    def names_there(self) -> list[str]:
        """As apt in that machine is told them."""
        return [f"{self.there}/{file.name}" for file in self.files]


def built(to: Path) -> Debs:
    """What `make deb` makes of this checkout."""
    done = subprocess.run([PYTHON, str(ROOT / "debian/build.py"), str(to)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return _in(to)


def found(directory: Path) -> Debs:
    """Those that were built before, and are in `directory`."""
    return _in(directory)


def later(debs: Debs, to: Path) -> Debs:
    """The same contents as a later version: a second build would take a minute, and differ in no more."""
    for file in debs.files:
        tree = to / file.stem
        _run("dpkg-deb", "--raw-extract", str(file), str(tree))
        control = tree / "DEBIAN" / "control"
        control.write_text(control.read_text().replace(debs.version, f"{debs.version}+later"))
        _run("dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", str(tree), str(to))
        shutil.rmtree(tree)
    return _in(to)


def install(root: Root, debs: Debs, *options: str) -> str:
    """What apt says there."""
    return root.run("apt-get", "-qq", "--yes", *options, "install", *debs.names_there).stdout


def lintian(debs: Debs) -> list[str]:
    """What lintian has to say, one tag a line."""
    names = [str(file) for file in debs.files]
    done = subprocess.run(["lintian", "--allow-root", *names], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 2), done.stderr
    return [line for line in done.stdout.splitlines() if re.match(r"[EWX]: ", line)]


def _in(directory: Path) -> Debs:
    files = sorted(directory.glob("*.deb"))
    assert [file.name.partition("_")[0] for file in files] == sorted(NAMES)
    return Debs(_run("dpkg-deb", "--field", str(files[0]), "Version").strip(), files)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
