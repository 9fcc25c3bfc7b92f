"""What an upgrade does to the maglevd that runs: its files are replaced under it, and it must not miss them."""

import gzip
import signal
import sys
import urllib.request
from pathlib import Path

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import Site
from tests.processes import Program, running, until

# Tells each module that is looked for, from the first line of maglevd to its last.
SPY = """
import sys

class Spy:
    def find_spec(name, path=None, target=None):
        sys.stderr.write(f"import {name}\\n")
        sys.stderr.flush()

sys.meta_path.insert(0, Spy)
from maglev.entry import maglevd
maglevd()
"""


def imports(log: str) -> list[str]:
    """Modules that come with maglevd, not with Python."""
    names = [line.removeprefix("import ") for line in log.splitlines() if line.startswith("import ")]
    return [name for name in names if name.partition(".")[0] not in sys.stdlib_module_names]


def fetch(site: Site, **headers: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{site.metrics_port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def test_nothing_is_imported_after_the_start(site: Site, tmp_path: Path) -> None:
    maglevd = Program([sys.executable, "-c", SPY, *site.arguments], site.log)
    try:
        maglevd.until_says(" vpp-unavailable ")
        started = maglevd.output
        assert "maglev.daemon" in imports(started)

        with running("maglev.emulator", site.vpp_arguments, tmp_path / "vpp.log") as vpp:
            until(lambda: site.weight() == 42, lambda: f"the table to be written:\n{maglevd.output}", maglevd)
            site.call("CheckConfig", pb.CheckConfigRequest(), pb.CheckConfigResponse)
            site.call("GetVPPLBPlan", pb.GetVPPLBPlanRequest(), pb.VPPLBPlan)
            site.call("GetVPPLBCounters", pb.GetVPPLBCountersRequest(), pb.VPPLBCounters)
            assert b"maglev_vpp_connected 1" in gzip.decompress(fetch(site, **{"Accept-Encoding": "gzip"}))
            assert b"# EOF" in fetch(site, Accept="application/openmetrics-text")
            site.config.write_text(site.config.read_text().replace("weight: 42", "weight: 43"))
            maglevd.signal(signal.SIGHUP)
            until(lambda: site.weight() == 43, lambda: f"the reload:\n{maglevd.output}", maglevd)
            site.config.write_text("no: [configuration")
            maglevd.signal(signal.SIGHUP)
            maglevd.until_says(" config-refused ")
            vpp.signal(signal.SIGKILL)
            maglevd.until_says(" vpp-disconnect ")
    finally:
        status = maglevd.stop()

    assert status == 0
    assert imports(maglevd.output.removeprefix(started)) == []
