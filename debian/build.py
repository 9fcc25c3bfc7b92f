"""`make deb`: copies the sources to build/deb, has packages built there, and puts them in dist/ or the argument.

Takes what git knows, or, where there is no git as in an sdist, all but what make made. SOURCE_DATE_EPOCH counts as the
time of the last change, DEBFULLNAME and DEBEMAIL as whoever builds.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import versions

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "maglev"
sys.path.insert(0, str(PACKAGE.parent))
from maglev.version import NOTE, source_of  # noqa: E402  no dependency of maglev is needed for this one

MADE = ("build", "dist", "*.egg-info", "*.so", "_statseg.c", "_statseg*.html", "__pycache__", ".*")


def main() -> None:
    """Build, or exit with what is missing."""
    to = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")
    _look_for_tools()
    source = _source()
    try:
        version = versions.debian_version(source)
        changelog = versions.changelog((ROOT / "CHANGELOG.md").read_text(), source, _maintainer())
    except ValueError as error:
        sys.exit(str(error))
    tree = ROOT / "build" / "deb" / f"vpp-maglev-{version}"
    shutil.rmtree(tree.parent, ignore_errors=True)
    for file in _files():
        target = tree / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target, follow_symlinks=False)
    (tree / "debian" / "changelog").write_text(changelog)
    (tree / PACKAGE.relative_to(ROOT) / NOTE).write_text(f"{source_of(PACKAGE)}\n")
    environ = {"PIP_CACHE_DIR": str(Path.home() / ".cache" / "pip"), **os.environ}  # debhelper has another HOME
    log = tree.parent / "build.log"
    print(f"building vpp-maglev {version}; its log is {log.relative_to(ROOT)}", flush=True)
    with log.open("wb") as output:
        command = ["dpkg-buildpackage", "--unsigned-source", "--unsigned-changes", "--build=binary"]
        status = subprocess.run(command, cwd=tree, env=environ, stdout=output, stderr=output, check=False).returncode
    if status != 0:
        sys.exit("".join(log.read_text(errors="replace").splitlines(keepends=True)[-25:]) + f"failed, see {log}")
    to.mkdir(exist_ok=True)
    for old in to.glob("vpp-maglev*.deb"):  # or `apt install dist/*.deb` would be told to install both
        old.unlink()
    for package in sorted(tree.parent.glob("*.deb")):
        made = Path(shutil.move(package, to / package.name))
        print(f"{made}: {made.stat().st_size / 1e6:.1f} MB")


def _look_for_tools() -> None:
    if shutil.which("dpkg-buildpackage") is None:
        sys.exit("make deb needs Debian's tools, on Debian 12 or newer: apt install build-essential debhelper")
    checked = subprocess.run(
        ["dpkg-checkbuilddeps", str(ROOT / "debian" / "control")],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if checked.returncode != 0:
        _, _, missing = checked.stderr.strip().rpartition("dependencies: ")
        names = [_package(word) for word in re.sub(r"\([^)]*\)", "", missing).split()]
        sys.exit(f"make deb lacks {missing}: apt install {' '.join(dict.fromkeys(names))}")


def _package(name: str) -> str:
    virtual = {"debhelper-compat": "debhelper", "build-essential:native": "build-essential"}
    return virtual.get(name, name)


def _source() -> versions.Source:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    commit = note.split()[0] if (note := source_of(PACKAGE)) else ""
    if "SOURCE_DATE_EPOCH" in os.environ:
        changed_at = int(os.environ["SOURCE_DATE_EPOCH"])
    elif commit.endswith("+"):
        changed_at = int(datetime.now(UTC).timestamp())
    elif _is_git():
        changed_at = int(_git("log", "-1", "--format=%ct"))
    else:
        changed_at = int(max(file.stat().st_mtime for file in _files()))
    return versions.Source(version, datetime.fromtimestamp(changed_at, UTC), commit)


def _files() -> Iterator[Path]:
    if _is_git():
        for name in _git("ls-files", "-z").split("\0"):
            if name and (ROOT / name).is_file():
                yield ROOT / name
        return
    for directory, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not _is_made(name)]
        yield from (Path(directory, name) for name in names if not _is_made(name))


def _is_made(name: str) -> bool:
    return any(Path(name).match(pattern) for pattern in MADE)


def _is_git() -> bool:
    return (ROOT / ".git").exists() and shutil.which("git") is not None


def _git(*arguments: str) -> str:
    """What it prints; exits with git's own words where it will not, as in a checkout that is somebody else's."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(command)} failed with {error.returncode}:\n{error.stderr.rstrip()}")


def _maintainer() -> str:
    (named,) = re.findall(r"^Maintainer: (.+) <(.+)>$", (ROOT / "debian" / "control").read_text(), re.MULTILINE)
    return f"{os.environ.get('DEBFULLNAME', named[0])} <{os.environ.get('DEBEMAIL', named[1])}>"


if __name__ == "__main__":
    main()
