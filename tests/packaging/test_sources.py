"""What debian/ makes of our sources: the version, the changelog, the unit for an old systemd, the variables."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maglev.options import read_options

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "debian"))
import versions  # noqa: E402  Debian's tools look for it there

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHANGELOG = """# Changelog

Words that stand before the first heading.

## 0.2.0 (unreleased)

- One change, told in a line that is so long that it takes a second one in a file which may have eighty columns.
- Another,
  of two lines.

## 0.1.0 (2026-11-01)

- The first one.
"""


def unit_for(systemd: str, unit: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "debian/unit.py"), systemd]
    ran = subprocess.run(command, input=unit, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def unit() -> str:
    return (ROOT / "contrib/systemd/maglevd.service").read_text()


@pytest.mark.parametrize(
    ("version", "commit", "debians"),
    [
        ("0.1.0", "0123456789ab", "0.1.0"),
        ("0.1.0.dev0", "0123456789ab", "0.1.0~dev.20261124120000.g0123456789ab"),
        ("0.1.0.dev0", "0123456789ab+", "0.1.0~dev.20261124120000.g0123456789ab+"),
        ("0.1.0.dev0", "", "0.1.0~dev.20261124120000"),
    ],
)
def test_debians_version_is_made_of_ours(version: str, commit: str, debians: str) -> None:
    assert versions.debian_version(versions.Source(version, NOON, commit)) == debians


@pytest.mark.parametrize("version", ["0.1", "0.1.0rc1", "v0.1.0", ""])
def test_a_version_that_debian_would_put_in_another_order_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"version '{version}': must be X.Y.Z")):
        versions.debian_version(versions.Source(version, NOON))


def test_debians_changelog_is_ours() -> None:
    source = versions.Source("0.2.0.dev0", NOON, "0123456789ab")

    assert versions.changelog(CHANGELOG, source, "A <a@example.net>") == (
        "vpp-maglev (0.2.0~dev.20261124120000.g0123456789ab) unstable; urgency=medium\n"
        "\n"
        "  * One change, told in a line that is so long that it takes a second one in a\n"
        "    file which may have eighty columns.\n"
        "  * Another, of two lines.\n"
        "\n"
        " -- A <a@example.net>  Tue, 24 Nov 2026 12:00:00 +0000\n"
        "\n"
        "vpp-maglev (0.1.0) unstable; urgency=medium\n"
        "\n"
        "  * The first one.\n"
        "\n"
        " -- A <a@example.net>  Sun, 01 Nov 2026 00:00:00 +0000\n"
    )


def test_every_entry_of_our_own_changelog_is_read() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    read = versions.entries(text)

    assert len(read) == len(re.findall(r"^## ", text, re.MULTILINE))
    assert sum(len(entry.changes) for entry in read) == len(re.findall(r"^- ", text, re.MULTILINE))


@pytest.mark.parametrize("text", ["", "# Changelog\n", "## 0.1.0 (unreleased)\n", "## Unreleased\n\n- A change.\n"])
def test_a_changelog_without_a_version_or_a_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="needs a heading"):
        versions.entries(text)


@pytest.mark.parametrize("systemd", ["252.39-1~deb12u2", "247.3-7", ""])
def test_an_old_systemd_gets_a_unit_that_it_knows(systemd: str, unit: str) -> None:
    status, made = unit_for(systemd, unit)

    assert status == 0
    assert re.findall(r"^(?:Type|ExecReload)=.*$", made, re.MULTILINE) == [
        "Type=notify",
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
        "ExecReload=/usr/sbin/maglevd --check",
    ]
    others = r"^(?!Type=|ExecReload=|# systemd before 253).*$"
    assert re.findall(others, made, re.MULTILINE) == re.findall(others, unit, re.MULTILINE)


@pytest.mark.parametrize("systemd", ["253-1", "257.8-1~deb13u2"])
def test_a_new_systemd_gets_the_unit_as_it_is(systemd: str, unit: str) -> None:
    assert unit_for(systemd, unit) == (0, unit)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("Type=notify-reload\n", "Type=simple\n"),
        ("Type=notify-reload\n", ""),
        ("ExecReload=/usr/sbin/maglevd --check\n", ""),
        ("ExecReload=/usr/sbin/maglevd --check\n", "ExecReload=/usr/sbin/maglevd --check\nExecReload=/bin/true\n"),
    ],
)
def test_a_unit_that_is_not_as_it_has_to_be_for_that_is_refused(line: str, instead: str, unit: str) -> None:
    status, said = unit_for("252", unit.replace(line, instead))

    assert status == 1
    assert "mend debian/unit.py" in said


def test_the_file_of_variables_names_every_flag_with_its_default() -> None:
    text = (ROOT / "debian/default/maglevd").read_text()
    told = dict(re.findall(r"^#?(MAGLEV_\w+)=(.*)$", text, re.MULTILINE))

    help_text = _help()
    known = set(re.findall(r"\[(MAGLEV_\w+)", help_text))
    assert set(told) == known - {"MAGLEV_CONFIG"}  # whose file the unit asks for
    assert read_options([], told) == read_options([], {})


def test_the_file_of_variables_says_that_the_configuration_is_not_named_there() -> None:
    text = (ROOT / "debian/default/maglevd").read_text()
    unit = (ROOT / "contrib/systemd/maglevd.service").read_text()

    assert "Do not set MAGLEV_CONFIG here" in text
    (path,) = re.findall(r"^ConditionPathExists=(.*)$", unit, re.MULTILINE)
    assert path in text


def test_the_file_of_variables_sets_none() -> None:
    lines = (ROOT / "debian/default/maglevd").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


def _help() -> str:
    return subprocess.run(
        [sys.executable, "-m", "maglev.entry", "--help"], capture_output=True, text=True, check=True
    ).stdout


def test_make_deb_names_the_packages_that_it_lacks(tmp_path: Path) -> None:
    """As Debian's tool says it on a machine that has none of them."""
    checker = tmp_path / "dpkg-checkbuilddeps"
    unmet = "build-essential:native debhelper-compat (= 13) python3 (>= 3.11) python3-dev"
    checker.write_text(f"#!/bin/sh\necho 'dpkg-checkbuilddeps: error: Unmet build dependencies: {unmet}' >&2\nexit 1\n")
    (tmp_path / "dpkg-buildpackage").write_text("#!/bin/sh\nexit 1\n")
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    here = subprocess.run(
        [sys.executable, str(ROOT / "debian/build.py"), str(tmp_path)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert here.returncode == 1
    assert here.stderr.strip() == f"make deb lacks {unmet}: apt install build-essential debhelper python3 python3-dev"


def test_make_deb_without_debians_tools_says_what_it_is_for(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "debian/build.py"), str(tmp_path)]
    here = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    assert here.returncode == 1
    assert "on Debian 12 or newer: apt install build-essential debhelper" in here.stderr


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_make_deb_in_a_checkout_of_somebody_else_says_what_git_says(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("debian/build.py", "debian/versions.py", "debian/control", "pyproject.toml", "src/maglev/version.py"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    (checkout / "src/maglev/__init__.py").touch()
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    for name in ("dpkg-buildpackage", "dpkg-checkbuilddeps"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    strangers = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    here = subprocess.run(
        [sys.executable, str(checkout / "debian/build.py")],
        env={**os.environ, **strangers, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert here.returncode == 1
    assert "dubious ownership" in here.stderr
    assert f"safe.directory {checkout}" in here.stderr
    assert "Traceback" not in here.stderr
