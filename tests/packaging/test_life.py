"""The packages in a Debian 12 of their own, with its systemd: installed, started, reloaded, upgraded, removed, purged.

One story, in the order of its tests: each goes on where the one before it stopped.
"""

import pytest

from tests.docs import pages
from tests.packaging.debs import NAMES, Debs, install
from tests.packaging.machine import Machine
from tests.packaging.site import CONFIG_FILE, Site

CAP_NET_RAW = 1 << 13
DOCUMENTS = "/usr/share/doc/vpp-maglevd"
DROP_IN = "/run/systemd/system/maglevd.service.d/test.conf"


@pytest.fixture(scope="module")
def site(machine: Machine) -> Site:
    return Site(machine)


def files_of_packages(machine: Machine) -> set[str]:
    listed = machine.run("dpkg", "--listfiles", *NAMES).stdout.split("\n")
    return {name for name in listed if name.startswith("/") and name != "/."}


def test_apt_installs_them_with_what_they_need_and_starts_nothing(machine: Machine, debs: Debs) -> None:
    machine.run("groupadd", "--system", "vpp")
    assert not machine.has("/usr/bin/python3.11")

    said = install(machine, debs)

    assert "maglevd is not started, as there is no /etc/vpp-maglev/maglev.yaml yet" in said
    assert "no group vpp" not in said
    assert machine.says("systemctl", "is-active", "maglevd") == "inactive"
    assert machine.says("systemctl", "is-enabled", "maglevd") == "enabled"
    assert machine.says("dpkg", "--audit") == ""


def test_maglevd_has_a_user_that_nobody_logs_in_as_and_may_use_vpps_sockets(machine: Machine) -> None:
    name, _, _, _, _, home, shell = machine.says("getent", "passwd", "maglevd").split(":")

    assert (name, home, shell) == ("maglevd", "/nonexistent", "/usr/sbin/nologin")
    assert machine.says("id", "-nG", "maglevd").split() == ["maglevd", "vpp"]


def test_all_files_are_roots_and_only_root_may_write_them(machine: Machine) -> None:
    unlike = ("-not", "-user", "root", "-o", "-not", "-group", "root", "-o", "-not", "-type", "l", "-perm", "/022")

    assert machine.says("find", *sorted(files_of_packages(machine)), "-maxdepth", "0", "(", *unlike, ")") == ""
    assert machine.run("dpkg-query", "-Wf", "${Conffiles}", "vpp-maglevd").stdout.split()[0] == "/etc/default/maglevd"


def test_the_environment_has_nothing_to_build_with_and_no_trace_of_where_it_was_built(machine: Machine) -> None:
    site_packages = {file.name for file in machine.file("/usr/lib/maglev/lib/python3.11/site-packages").iterdir()}
    builders = {"pip", "setuptools", "Cython", "wheel", "pytest", "grpc_tools", "_distutils_hack"}

    assert site_packages & builders == set()
    assert {"maglev", "grpc", "trio"} <= site_packages
    assert (
        machine.says("grep", "-rlE", "vpp-maglev-[0-9]|/debian/vpp-maglev/", "/usr/lib/maglev", "/usr/sbin/maglevd")
        == ""
    )


def test_both_programs_tell_version_and_commit_wherever_they_are_called(machine: Machine) -> None:
    """A PYTHONPATH, modules in the working directory and in the home directory are none of theirs."""
    for place in ("/root/evil", "/root/home/.local/lib/python3.11/site-packages"):
        for module in ("maglev", "trio", "argparse", "usercustomize"):
            machine.write(f"{place}/{module}.py", "raise SystemExit('a stranger was imported')")
    for program in ("maglevd", "maglevc"):
        told = machine.says(
            "env", "--chdir=/root/evil", "HOME=/root/home", "PYTHONPATH=/root/evil", program, "--version"
        )
        assert told.startswith(f"{program} 0.1.0")
        assert "commit" in told


def test_the_examples_are_valid(machine: Machine) -> None:
    examples = sorted(machine.file("/usr/share/doc/vpp-maglevd/examples").glob("*.yaml"))

    assert examples
    for example in examples:
        name = f"/usr/share/doc/vpp-maglevd/examples/{example.name}"
        assert "valid" in machine.run("maglevd", "--check", "--config", name).stdout


def test_every_link_of_the_documents_leads_somewhere(machine: Machine) -> None:
    for page in pages.pages():
        (here, _, _), targets = page.rpartition("/"), [target for _, target in pages.links(page) if "://" not in target]
        paths = {target.partition("#")[0] for target in targets} - {""}
        machine.run("ls", "-dL", f"{DOCUMENTS}/{page}", *(f"{DOCUMENTS}/{here}/{path}" for path in sorted(paths)))


def test_manual_pages_and_completions_are_where_they_are_looked_for(machine: Machine) -> None:
    for name in ("/usr/share/man/man1/maglevc.1.gz", "/usr/share/man/man8/maglevd.8.gz",
                 "/usr/share/bash-completion/completions/maglevc", "/usr/share/zsh/vendor-completions/_maglevc",
                 "/usr/share/maglev/prometheus/maglev.rules.yml", "/usr/share/maglev/grafana/maglev.json"):  # fmt: skip
        assert machine.has(name), name


def test_systemctl_start_comes_back_when_maglevd_is_ready(machine: Machine, site: Site) -> None:
    site.start_vpp()
    site.configure(weight=42)
    machine.systemctl("start", "maglevd")

    assert machine.says("systemctl", "is-active", "maglevd") == "active"
    assert machine.shows("maglevd", "Type") == "notify"
    assert machine.shows("maglevd", "WatchdogUSec") == "30s"
    site.until_weights(42)
    told = "up: 1 of 1 frontends, 2 of 2 backends"
    machine.until(lambda: told in machine.says("systemctl", "status", "maglevd"), f"{told!r} in its status")


def test_its_hardening_is_in_force(machine: Machine) -> None:
    """That b is up, by ICMP, shows that the one capability is enough."""
    pid = machine.main_pid()
    status = dict(
        line.split(":\t") for line in machine.run("cat", f"/proc/{pid}/status").stdout.splitlines() if ":\t" in line
    )

    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {CAP_NET_RAW}
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert set(status["Uid"].split()) == {machine.says("id", "-u", "maglevd")}
    for place in ("/usr/lib/maglev", "/etc/vpp-maglev", "/var/lib"):
        said = machine.says("nsenter", "-t", str(pid), "-m", "--", "touch", f"{place}/written")
        assert "Read-only file system" in said


def test_nothing_was_written_beside_what_dpkg_knows(machine: Machine) -> None:
    there = set(machine.run("find", "/usr/lib/maglev").stdout.split("\n")) - {""}

    assert there - files_of_packages(machine) == set()
    assert machine.says("dpkg", "--verify", *NAMES) == ""


def test_once_it_runs_it_needs_none_of_its_files(machine: Machine, site: Site) -> None:
    """As an upgrade replaces them: here they are all away."""
    machine.run("mv", "/usr/lib/maglev/lib", "/usr/lib/maglev/away")
    try:
        site.configure(weight=43)
        machine.systemctl("kill", "--signal=HUP", "maglevd")
        machine.until(lambda: site.own_weight("a") == 43, "the reload to be done")
    finally:
        machine.run("mv", "/usr/lib/maglev/away", "/usr/lib/maglev/lib")
    site.until_weights(43)


def test_a_reload_takes_the_new_file(machine: Machine, site: Site) -> None:
    pid = machine.main_pid()
    site.configure(weight=50)
    machine.systemctl("reload", "maglevd")

    site.until_weights(50)
    assert machine.main_pid() == pid


def test_a_reload_of_a_file_with_a_fault_fails_and_changes_nothing(machine: Machine, site: Site) -> None:
    pid = machine.main_pid()
    site.break_config()

    assert machine.run("systemctl", "reload", "maglevd", check=False).returncode != 0
    assert "weight" in machine.journal("maglevd").rpartition("is not usable")[2]
    machine.until(
        lambda: "the configuration file is refused" in machine.says("systemctl", "status", "maglevd"), "Status"
    )
    assert machine.says("systemctl", "is-active", "maglevd") == "active"
    assert (machine.main_pid(), site.weights()["127.0.0.1"]) == (pid, 50)


def test_the_watchdog_ends_one_that_stands_still_and_the_next_one_writes_nothing(machine: Machine, site: Site) -> None:
    site.configure(weight=50)
    machine.write(DROP_IN, "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", "maglevd")
    machine.until(lambda: "up: 1 of 1 frontends" in machine.shows("maglevd", "StatusText"), "the frontend to be up")
    pid = machine.main_pid()
    machine.systemctl("kill", "--signal=STOP", "maglevd")

    machine.until(lambda: machine.main_pid() not in (0, pid), "another maglevd")
    machine.until(lambda: "up: 1 of 1 frontends" in machine.shows("maglevd", "StatusText"), "the frontend to be up")
    assert machine.shows("maglevd", "NRestarts") == "1"
    assert "Watchdog timeout" in machine.journal("maglevd")
    assert "Fatal Python error: Aborted" in machine.journal("maglevd")
    assert site.writes() == 0
    machine.file(DROP_IN).unlink()
    machine.systemctl("daemon-reload")
    for weight in (51, 50):  # so that the next test finds one that has written
        site.configure(weight=weight)
        machine.systemctl("reload", "maglevd")
        site.until_weights(weight)


def test_an_upgrade_with_a_valid_file_restarts_it_and_writes_nothing_to_vpp(
    machine: Machine, site: Site, later_debs: Debs
) -> None:
    site.configure(weight=50)
    machine.write("/etc/default/maglevd", "MAGLEV_LOG_LEVEL=debug\n")
    pid, before = machine.main_pid(), site.writes()
    machine.until(lambda: site.packets() > 0, "flows to arrive")
    packets, unserved = site.packets(), site.unserved()

    said = install(machine, later_debs)

    assert f"{CONFIG_FILE}: valid" in said
    assert machine.main_pid() not in (0, pid)
    site.until_weights(50)
    assert site.writes() == 0 < before
    machine.until(lambda: site.packets() > packets, "flows to go on")
    assert site.unserved() == unserved  # no packet met a VIP without a backend
    assert machine.file("/etc/default/maglevd").read_text() == "MAGLEV_LOG_LEVEL=debug\n"


def test_an_upgrade_leaves_the_old_one_running_while_the_file_has_a_fault(
    machine: Machine, site: Site, later_debs: Debs
) -> None:
    pid = machine.main_pid()
    site.break_config()

    said = install(machine, later_debs, "--reinstall")

    assert "maglevd was not restarted" in said
    assert "weight" in said
    assert machine.main_pid() == pid
    site.until_weights(50)
    site.configure(weight=50)
    machine.systemctl("restart", "maglevd")
    site.until_weights(50)


def test_an_upgrade_does_not_start_what_was_stopped(machine: Machine, later_debs: Debs) -> None:
    machine.systemctl("stop", "maglevd")
    said = install(machine, later_debs, "--reinstall")

    assert "maglevd was not running, and is left so" in said
    assert machine.says("systemctl", "is-active", "maglevd") == "inactive"
    machine.systemctl("start", "maglevd")


def test_removed_it_is_stopped_and_gone_and_what_is_the_operators_stays(machine: Machine) -> None:
    machine.run("apt-get", "-qq", "--yes", "remove", *NAMES)

    assert machine.says("systemctl", "is-active", "maglevd") == "inactive"
    assert not machine.has("/usr/lib/maglev")
    assert not machine.has("/usr/sbin/maglevd")
    assert machine.has(CONFIG_FILE)
    assert machine.has("/etc/default/maglevd")


def test_installed_anew_it_starts_and_finds_vpps_table_as_it_left_it(
    machine: Machine, site: Site, later_debs: Debs
) -> None:
    install(machine, later_debs)

    assert machine.says("systemctl", "is-active", "maglevd") == "active"
    site.until_weights(50)
    assert site.writes() == 0


def test_purged_only_the_operators_own_files_are_left(machine: Machine) -> None:
    said = machine.run("apt-get", "-qq", "--yes", "purge", *NAMES).stdout

    assert "/etc/vpp-maglev has files of yours: it is kept" in said
    assert machine.has(CONFIG_FILE)
    assert not machine.has("/etc/default/maglevd")
    assert not machine.has("/run/maglev")
    assert machine.says("find", "/etc/systemd", "/var/lib/systemd", "-name", "maglevd*") == ""
