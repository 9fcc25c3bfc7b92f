"""A maglevd that may not make the probes of its configuration does not start: VPP's table stays as it is."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from maglev.options import EXIT_FAULT, EXIT_OK, EXIT_SEMANTIC
from tests.daemon.site import Site
from tests.probes.spaces import namespace, needs_root
from tests.processes import Program

IS_ROOT = os.geteuid() == 0 and shutil.which("setpriv") is not None
NEEDS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root can be deprived of a capability, by setpriv")


def without(capability: str, site: Site, *more: str) -> tuple[int, str]:
    """How maglevd ends, as root, but for that."""
    deprived = ["setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}", "--"]
    program = Program([*deprived, sys.executable, "-m", "maglev.entry", *site.arguments, *more], site.log)
    return program.wait(), program.output


@needs_root
@NEEDS_ROOT
def test_a_namespace_that_it_may_not_enter(site: Site) -> None:
    with namespace() as name:
        inside = f"healthchecker: {{netns: {name}}}\n  healthchecks:"
        site.config.write_text(site.config.read_text().replace("healthchecks:", inside))
        status, output = without("sys_admin", site)

    assert status == EXIT_SEMANTIC, output
    assert f"cannot enter network namespace {name}: Operation not permitted" in output
    assert "netns.conf" in output
    assert "Traceback" not in output


@NEEDS_ROOT
@pytest.mark.skipif(
    Path("/proc/sys/net/ipv4/ping_group_range").read_text().split() != ["1", "0"],
    reason="this machine lets groups ping without CAP_NET_RAW",
)
def test_echoes_that_it_may_not_send(site: Site) -> None:
    text = re.sub(r"web: \{.*\}\}", "web: {type: icmp, interval: 100ms, timeout: 1s}", site.config.read_text())
    site.config.write_text(text)
    status, output = without("net_raw", site)

    assert status == EXIT_SEMANTIC, output
    assert "no ICMP socket may be opened" in output
    assert "CAP_NET_RAW" in output
    assert without("net_raw", site, "--check")[0] == EXIT_OK, "that asks nothing of this machine"


def test_a_check_looks_at_what_the_flags_would_open_too(site: Site) -> None:
    program = Program(
        [sys.executable, "-m", "maglev.entry", *site.arguments, "--grpc-addr", "0.0.0.0:9090", "--check"], site.log
    )

    assert program.wait() == EXIT_SEMANTIC
    assert "--grpc-insecure" in program.output


@pytest.mark.parametrize("where", ["main", "_main"])
def test_a_fault_that_nobody_expects_ends_with_a_status_that_systemd_starts_again(tmp_path: Path, where: str) -> None:
    broken = f"import maglev.daemon as d; d.{where} = lambda *_: 1 / 0; from maglev.entry import maglevd; maglevd()"
    program = Program([sys.executable, "-c", broken], tmp_path / "log")

    assert program.wait() == EXIT_FAULT
    assert "ZeroDivisionError" in program.output


def test_so_does_a_module_that_is_broken(tmp_path: Path) -> None:
    broken = "import sys; sys.modules['maglev.daemon'] = None; from maglev.entry import maglevd; maglevd()"
    program = Program([sys.executable, "-c", broken], tmp_path / "log")

    assert program.wait() == EXIT_FAULT
    assert "ModuleNotFoundError" in program.output
