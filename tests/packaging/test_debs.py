"""The packages as files, and in a chroot where no systemd runs."""

import shutil
import subprocess

import pytest

from tests.packaging.debs import NAMES, Debs, lintian
from tests.packaging.machine import Root


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed: apt install lintian")
def test_lintian_finds_nothing_that_is_not_known(debs: Debs) -> None:
    """What is known, and why, stands in debian/*.lintian-overrides."""
    assert lintian(debs) == []


def test_without_systemd_they_are_installed_and_purged_as_well(root: Root, debs: Debs) -> None:
    said = root.run("apt-get", "-qq", "--yes", "install", *debs.names_there).stdout

    assert "adduser maglevd vpp && systemctl try-restart maglevd" in said
    assert root.run("id", "-nG", "maglevd").stdout.split() == ["maglevd"]
    assert root.has("/etc/systemd/system/multi-user.target.wants/maglevd.service")

    root.run("apt-get", "-qq", "--yes", "purge", *NAMES)

    assert root.run("id", "maglevd", check=False).returncode != 0
    assert root.run("getent", "group", "maglevd", check=False).returncode != 0
    assert not root.has("/etc/vpp-maglev")
    assert not root.has("/usr/lib/maglev")
    assert not root.has("/usr/share/maglev")


def test_whoever_is_called_maglevd_already_is_taken(root: Root, debs: Debs) -> None:
    """Such as a user who logs in, without a group of that name."""
    root.run("useradd", "--gid", "users", "maglevd")
    uid = root.run("id", "-u", "maglevd").stdout

    root.run("apt-get", "-qq", "--yes", "install", *debs.names_there)

    assert root.run("id", "-u", "maglevd").stdout == uid
    assert root.run("getent", "group", "maglevd").stdout.startswith("maglevd:")

    root.run("apt-get", "-qq", "--yes", "purge", *NAMES)

    assert root.run("id", "-u", "maglevd").stdout == uid
    root.run("userdel", "maglevd")


def test_a_later_build_of_the_same_version_to_be_is_an_upgrade(debs: Debs) -> None:
    """Debian's own order: a build, a later one, the release."""
    release = debs.version.partition("~")[0]
    for first, then in ((debs.version, f"{release}~dev.29991231235959.gffffffffffff"), (debs.version, f"{release}.1")):
        subprocess.run(["dpkg", "--compare-versions", first, "lt", then], check=True)
