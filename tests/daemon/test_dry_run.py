"""maglevd --dry-run as a process: what it prints, and that it writes nothing."""

import re

from tests.daemon.site import Site
from tests.processes import Process, running, until


def dry_run(site: Site, *more: str) -> tuple[int, str]:
    log = site.directory / "dry-run.log"
    process = Process("maglev.entry", [*site.arguments, "--dry-run", *more], log)
    try:
        return process.wait(), process.output
    finally:
        process.stop()


def plan_of(output: str) -> list[tuple[str, str]]:
    """The numbered lines: effect and operation."""
    rows = re.findall(r"^\s*\d+  (\S.*?)  +(\S.*)$", output, re.MULTILINE)
    return [(effect, what) for effect, what in rows]


def test_it_prints_what_a_start_would_write_and_writes_nothing(site: Site) -> None:
    with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log") as vpp:
        vpp.until_says(str(site.api))
        for _ in range(2):  # the first one changed nothing
            status, output = dry_run(site)
            assert status == 0, output
            assert "0 VIPs there, 1 wished for" in output
            assert "backends: 1 up" in output
            assert plan_of(output)[1:] == [
                ("neutral", "add 192.0.2.1/32 tcp/80 gre4"),
                ("neutral", "add 127.0.0.1 to 192.0.2.1/32 tcp/80 with weight 42"),
            ]
            assert output.splitlines()[-1].endswith("breaking flows 0 (one may do several); nothing was written")


def test_a_table_that_is_right_needs_nothing_and_a_changed_weight_shows_its_effect(site: Site) -> None:
    with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log") as vpp:
        vpp.until_says(str(site.api))
        with running("maglev.entry", site.arguments, site.log) as maglevd:
            until(lambda: site.weight() == 42, lambda: "the table in VPP", maglevd)
        status, output = dry_run(site)
        assert (status, plan_of(output)) == (0, [])
        assert "nothing to do: VPP's table is as it should be" in output
        site.config.write_text(site.config.read_text().replace("weight: 42", "weight: 0"))
        _, output = dry_run(site)
        assert plan_of(output) == [("drops 100 % of new flows", "set 127.0.0.1 of 192.0.2.1/32 tcp/80 to weight 0")]


def test_without_a_vpp_it_says_so_in_one_line(site: Site) -> None:
    status, output = dry_run(site)

    assert status == 3
    assert "cannot reach VPP's API socket" in output.splitlines()[-1]
    assert "Traceback" not in output
    status, output = dry_run(site, "--vpp-api-addr", "")
    assert status == 3
    assert "a dry run needs a VPP to plan for; name its socket with --vpp-api-addr" in output
