"""Build of the compiled reader, and the note of which commit it is built from; everything else is in pyproject.toml."""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
PACKAGE = Path("src/maglev")
sys.path.insert(0, str(ROOT / "src"))
from maglev.version import NOTE, source_of  # noqa: E402  no dependency of maglev is needed for this one

extensions = [
    Extension(
        "maglev._statseg",
        ["src/maglev/_statseg.pyx"],
        extra_compile_args=["-O3", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    )
]


def write_note(package: Path) -> None:
    """Say in `package` what it is built from, or that nobody knows."""
    (package / NOTE).write_text(f"{source_of(ROOT / PACKAGE)}\n", "utf-8")


class BuildPy(build_py):
    """What is built knows of what; an editable install asks git, as its sources change."""

    def run(self) -> None:
        """Build, and leave the note."""
        super().run()
        if not self.editable_mode:
            write_note(Path(self.build_lib, "maglev"))


class Sdist(sdist):
    """Sources without git carry the note along."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copy the files, and leave the note among them."""
        super().make_release_tree(base_dir, files)
        write_note(Path(base_dir, PACKAGE))


setup(
    ext_modules=cythonize(extensions, language_level=3, annotate=False),
    cmdclass={"build_py": BuildPy, "sdist": Sdist},
)
