"""What docs/install.md has typed, typed in a Debian 12 with its systemd: the service with the embedded VPP."""

from tests.docs import pages
from tests.packaging.debs import Debs
from tests.packaging.machine import Machine
from tests.packaging.site import CONFIG_FILE, Site

SECTION = "Try the service without a VPP"


def blocks() -> list[str]:
    return [block.text for block in pages.blocks("docs/install.md") if block.heading == SECTION]


def test_the_section_is_true_as_it_stands(machine: Machine, debs: Debs) -> None:
    """Typed as root where the packages are, with yes to apt's question."""
    start, leave = blocks()
    machine.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
    said = machine.run("sh", "-exc", f"cd {debs.there}; {start}").stdout

    assert f"{CONFIG_FILE}: valid" in said
    assert "Active: active (running)" in said
    site = Site(machine)
    machine.until(lambda: site.show("vpp", "info"), "VPP to be there")
    assert machine.says("systemctl", "is-active", "vpp") == "active"

    machine.file(CONFIG_FILE).chmod(0o600)
    machine.run("chown", "root:root", CONFIG_FILE)
    assert machine.run("maglevd", "--check").returncode == 0
    assert machine.run("runuser", "-u", "maglevd", "--", "maglevd", "--check", check=False).returncode == 1

    machine.run("sh", "-exc", leave)
    assert not machine.has("/run/vpp")
    assert machine.says("systemctl", "is-active", "maglevd") == "inactive"

    assert machine.run("systemctl", "start", "maglevd").stdout == ""
    assert machine.says("systemctl", "is-active", "maglevd") == "inactive"
    assert "Condition: start condition failed" in machine.says("systemctl", "status", "maglevd")
