"""The Python environment in /usr/lib/maglev: our wheel and what it needs from PyPI, by constraints.txt.

A venv in form, made by hand: its python is a link to Debian's, which therefore keeps getting Debian's fixes. Programs
run with -I, so that neither PYTHONPATH nor a user's ~/.local has a say in them.
"""

import argparse
import compileall
import configparser
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

PREFIX = "/usr/lib/maglev"
INTERPRETER = f"python{sys.version_info.major}.{sys.version_info.minor}"
CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"

# What pip says of itself and of the place where it was asked; without RECORD no tool of Python's takes it apart.
TRACES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")

SCRIPT = """\
#!{prefix}/bin/python -I
import sys

from {module} import {function}

sys.exit({function}())
"""


def wheel(to: Path) -> None:
    """Build our wheel there, in an environment of its own; what builds it is left behind."""
    tools = to / "tools"
    _run(sys.executable, "-m", "venv", "--clear", str(tools))
    _pip(tools, "install", "setuptools", "Cython")
    _pip(tools, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(to), str(CONSTRAINTS.parent))


def install(wheels: Path, root: Path) -> None:
    """Fill `root` with the environment that will be PREFIX."""
    (ours,) = wheels.glob("maglev-*.whl")
    shutil.rmtree(root, ignore_errors=True)
    site = _site(root)
    site.mkdir(parents=True)
    _pip(wheels / "tools", "install", "--no-compile", "--target", str(site), str(ours))
    shutil.rmtree(site / "bin", ignore_errors=True)  # made for the place where they were installed
    for metadata in site.glob("*.dist-info"):
        for name in TRACES:
            (metadata / name).unlink(missing_ok=True)
    for file in site.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)  # some come as programs, which they are not
    programs = root / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(f"/usr/bin/{INTERPRETER}")
    version = ".".join(str(part) for part in sys.version_info[:3])
    (root / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n")
    for name, (module, function) in _entry_points(site).items():
        program = programs / name
        program.write_text(SCRIPT.format(prefix=PREFIX, module=module, function=function))
        program.chmod(0o755)


def try_out(root: Path) -> None:
    """Load each shared object of it, and the whole of both programs."""
    site = _site(root)
    compiled = [file.relative_to(site) for file in sorted(site.rglob("*.so"))]
    modules = [".".join([*file.parent.parts, file.name.partition(".")[0]]) for file in compiled]
    modules += [module for module, _ in _entry_points(site).values()]
    load = f"import sys, importlib; sys.path.append({str(site)!r}); [*map(importlib.import_module, sys.argv[1:])]"
    _run(sys.executable, "-I", "-S", "-B", "-c", load, *modules)


def compile_all(root: Path, place: str) -> None:
    """Byte-compile it as if it were at `place`; what is compiled counts by itself, whatever the times of the files.

    Only dpkg writes there, so nobody has to compare, and nobody may write when a program runs.
    """
    is_done = compileall.compile_dir(
        root,
        maxlevels=30,
        stripdir=str(root),
        prependdir=place,
        quiet=1,
        workers=os.cpu_count() or 1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not is_done:
        sys.exit(f"{root}: not all of it can be compiled")


def substvars() -> None:
    """What debian/control asks for: the very version that the environment was made for, and compiled by."""
    sys.stdout.write(f"maglev:Python={INTERPRETER}\n")


def _site(root: Path) -> Path:
    return root / "lib" / INTERPRETER / "site-packages"


def _entry_points(site: Path) -> dict[str, tuple[str, str]]:
    (file,) = site.glob("maglev-*.dist-info/entry_points.txt")
    parser = configparser.ConfigParser()
    parser.read(file)
    entries = {name: target.split(":") for name, target in parser["console_scripts"].items()}
    return {name: (module, function) for name, (module, function) in entries.items()}


def _pip(tools: Path, command: str, *arguments: str) -> None:
    _run(
        *(str(tools / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", command),
        *("--constraint", str(CONSTRAINTS), *arguments),
    )


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with {error.returncode}: {' '.join(command)}")


def main() -> None:
    """Do one step of debian/rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("wheel").add_argument("to", type=Path)
    step = steps.add_parser("install")
    step.add_argument("wheels", type=Path)
    step.add_argument("root", type=Path)
    steps.add_parser("try").add_argument("root", type=Path)
    step = steps.add_parser("compile")
    step.add_argument("root", type=Path)
    step.add_argument("place")
    steps.add_parser("substvars")
    given = parser.parse_args()
    match given.step:
        case "wheel":
            wheel(given.to)
        case "install":
            install(given.wheels, given.root)
        case "try":
            try_out(given.root)
        case "compile":
            compile_all(given.root, given.place)
        case "substvars":
            substvars()


if __name__ == "__main__":
    main()
