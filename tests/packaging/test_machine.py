"""What is asked before a machine is made, what it is lent of the network, and what CI makes of one that lacks it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging import machine
from tests.packaging.machine import Root, mirror_in, of_network

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci/run"

DUMP = """\
APT "";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example.net:3128/";
Acquire::http::Proxy::deb.example.net "DIRECT";
Acquire::https::deb.example.net::CAInfo "/etc/ssl/ours.pem";
Acquire::https::Verify-Peer "true";
Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";
Acquire::Check-Valid-Until "false";
Acquire::Languages:: "en";
DPkg::Post-Invoke:: "/usr/bin/update-something";
"""


def test_the_mirror_is_that_of_the_suite() -> None:
    assert mirror_in("trixie http://a/\nbookworm-updates http://b/\nbookworm http://c/\n") == "http://c/"


@pytest.mark.parametrize("targets", ["", "noble http://a/\n", "bookworm-updates http://b/\n"])
def test_a_machine_of_another_suite_has_none(targets: str) -> None:
    assert mirror_in(targets) is None


def test_of_apts_settings_those_of_the_network_are_lent_and_their_files() -> None:
    settings, files = of_network(DUMP)

    assert settings.splitlines() == [DUMP.splitlines()[number] for number in (3, 5, 6, 8)]
    assert files == ["/etc/ssl/ours.pem"]


def test_commands_in_it_know_the_proxies_and_no_other_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.net:3128/")
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    said = machine._run(["env"]).stdout.splitlines()

    assert {"https_proxy=http://proxy.example.net:3128/", "NO_PROXY=localhost"} <= set(said)
    assert not [line for line in said if line.startswith("PYTHONPATH")]


class Checkout:
    """CI's script alone, with a make that only writes down its verbs, where nothing can be installed."""

    def __init__(self, path: Path, why_not: str) -> None:
        self.root = Root(path)
        self.root.write("/.ci/run", SCRIPT.read_text())
        self.root.write("/.ci/install", "#!/bin/sh\nexit 1\n")
        self.root.write("/bin/make", "#!/bin/sh\necho made: $*\n")
        self.root.write("/.venv/bin/python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self.root.write("/tests/packaging/machine.py", why_not)
        for name in (".ci/run", ".ci/install", "bin/make", ".venv/bin/python"):
            self.root.file(name).chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": f"{self.root.path}/bin:{os.environ['PATH']}", "CC": "false"}
        command = [str(self.root.file("/.ci/run"))]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not SCRIPT.exists() or shutil.which("bash") is None, reason="no script of CI here")
class TestCI:
    def test_what_the_machine_lacks_is_named_and_not_red(self, tmp_path: Path) -> None:
        ran = Checkout(tmp_path, "def why_not(): return 'no namespaces for us'\n").run()

        assert ran.returncode == 0, ran.stderr
        *_, last = ran.stdout.splitlines()
        assert last.startswith("NOT TESTED: in a systemd that knows notify-reload")
        assert "the Debian packages (no namespaces for us)" in last
        assert "made: test-packages" not in ran.stdout

    def test_where_nothing_is_lacking_they_are_tested(self, tmp_path: Path) -> None:
        ran = Checkout(tmp_path, "def why_not(): return ''\n").run()

        assert ran.returncode == 0, ran.stderr
        assert "made: test-packages" in ran.stdout
        assert "the Debian packages" not in ran.stdout

    def test_a_fault_in_the_tests_themselves_is_red(self, tmp_path: Path) -> None:
        ran = Checkout(tmp_path, "import no_such_module\n").run()

        assert ran.returncode != 0
        assert "no_such_module" in ran.stderr
        assert "NOT TESTED" not in ran.stdout
