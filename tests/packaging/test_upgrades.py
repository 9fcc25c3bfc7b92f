"""What an upgrade, or a removal that is given up, does with a maglevd that runs, has failed, or was stopped.

test_life.py has those of every day. Each test begins with a maglevd that runs, and a file that is valid.
"""

import pytest

from tests.packaging.debs import Debs, install
from tests.packaging.machine import Machine
from tests.packaging.site import Site

DROP_IN = "/run/systemd/system/maglevd.service.d/test.conf"


@pytest.fixture(scope="module")
def installed(machine: Machine, debs: Debs) -> Site:
    machine.run("groupadd", "--system", "vpp")
    install(machine, debs)
    site = Site(machine)
    site.start_vpp()
    return site


@pytest.fixture
def site(installed: Site) -> Site:
    installed.configure(weight=50)
    installed.machine.systemctl("restart", "maglevd")
    return installed


def test_an_upgrade_that_cannot_check_the_file_does_not_call_it_invalid(
    machine: Machine, site: Site, later_debs: Debs
) -> None:
    pid = machine.main_pid()
    machine.run("chmod", "a-x", "/usr/bin/systemd-run")

    said = install(machine, later_debs, "--reinstall")

    machine.run("chmod", "a+x", "/usr/bin/systemd-run")
    assert "maglevd --check could not be run" in said
    assert "The one that runs is still the old version" in said
    assert "not valid" not in said
    assert machine.main_pid() == pid
    site.until_weights(50)


def test_an_upgrade_of_one_that_waits_to_be_started_again_does_not_say_that_it_runs(
    machine: Machine, site: Site, later_debs: Debs
) -> None:
    machine.write(DROP_IN, "[Service]\nRestartSec=1h\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("kill", "--signal=KILL", "maglevd")
    machine.until(lambda: machine.shows("maglevd", "SubState") == "auto-restart", "systemd to wait for its restart")
    site.break_config()

    said = install(machine, later_debs, "--reinstall")

    machine.file(DROP_IN).unlink()
    machine.systemctl("daemon-reload")
    assert "the configuration is not valid" in said
    assert "None serves" in said
    assert "still the old version" not in said


def test_an_upgrade_of_one_that_had_failed_starts_it_if_the_file_is_valid_now(
    machine: Machine, site: Site, later_debs: Debs
) -> None:
    site.break_config()
    machine.run("systemctl", "restart", "maglevd", check=False)
    assert machine.says("systemctl", "is-active", "maglevd") == "failed"

    said = install(machine, later_debs, "--reinstall")

    assert "maglevd had failed" in said
    assert "the configuration is not valid for this version (see above), so maglevd was not started" in said
    assert machine.says("systemctl", "is-active", "maglevd") == "failed"

    site.configure(weight=50)
    said = install(machine, later_debs, "--reinstall")

    assert "maglevd had failed" in said
    assert machine.says("systemctl", "is-active", "maglevd") == "active"
    site.until_weights(50)


@pytest.mark.parametrize("state", ["inactive", "active"])
def test_a_removal_that_is_given_up_leaves_it_as_it_was(state: str, machine: Machine) -> None:
    machine.systemctl("start" if state == "active" else "stop", "maglevd")
    prerm = machine.file("/var/lib/dpkg/info/vpp-maglevd.prerm")
    text = prerm.read_text()
    prerm.write_text(f"{text}\nexit 1\n")

    removed = machine.run("dpkg", "--remove", "vpp-maglevd", check=False)

    prerm.write_text(text)
    assert removed.returncode != 0
    assert machine.says("systemctl", "is-active", "maglevd") == state
    assert machine.says("dpkg-query", "-Wf", "${db:Status-Status}", "vpp-maglevd") == "installed"
    assert not machine.has("/run/vpp-maglevd.stopped")
