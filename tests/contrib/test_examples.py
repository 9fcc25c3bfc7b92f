"""Each example configuration is valid, and what its comments say of it is so."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from maglev.cli import options, words
from maglev.config.model import Config
from maglev.config.parse import load
from maglev.core.desired import Effective, Resolved, resolve
from maglev.core.health import State
from maglev.core.model import ANY, Encap, HealthCheck
from tests.contrib import rules
from tests.contrib.examples import CONTRIB, FILES, FOLDER, IPV6_ONLY, NETNS, ONE_SITE, TWO_SITES, maglevd_says
from tests.core.worst import noticed_within_s


def pools(config: Config, frontend: str, down: str = "", paused: str = "") -> Resolved:
    """The frontend with all backends up, but those whose names match."""

    def state(name: str) -> State:
        if down and re.fullmatch(down, name):
            return State.DOWN
        return State.PAUSED if paused and re.fullmatch(paused, name) else State.UP

    found = config.frontends[frontend]
    return resolve(found, {name: state(name) for name in found.backend_names})


def weights(resolved: Resolved) -> Mapping[str, int]:
    """Of those that have one."""
    return {name: cell.weight for pool in resolved.pools for name, cell in pool.items() if cell.weight}


def flushed(resolved: Resolved) -> set[str]:
    return {name for pool in resolved.pools for name, cell in pool.items() if cell.flush}


def out_within_s(check: HealthCheck, failure_s: float) -> str:
    """As it is written."""
    seconds = noticed_within_s(check.policy, check.timing, passes=False, takes_s=failure_s)
    return f"out after {seconds:.1f} s at most"


@pytest.mark.parametrize("path", [CONTRIB / "maglev.yaml", *FILES], ids=lambda path: path.stem)
def test_maglevd_finds_it_valid(path: Path) -> None:
    said = maglevd_says(path)

    assert (said.stderr, said.returncode) == ("", 0)
    assert re.fullmatch(rf"{path}: valid, \d+ frontends, \d+ backends\n", said.stdout)


def test_the_index_has_every_file_and_no_other() -> None:
    linked = {CONTRIB / link for link in re.findall(r"\]\(([a-z][^)]+)\)", (CONTRIB / "README.md").read_text())}

    assert [path for path in linked if not path.exists()] == []
    assert set(FOLDER.glob("*.*")) == {path for path in linked if path.parent == FOLDER}
    assert set(FILES) == set(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_commands_and_alerts_in_its_comments_exist(path: Path) -> None:
    comments = " ".join(re.findall(r"#(.*)", path.read_text()))
    for command in re.findall(r"maglevc ((?:set|show|sync) [a-z0-9- ]+)", comments):
        words.parse(options.parse(command.split(), {}).words)

    assert set(re.findall(r"\bMaglev[A-Z]\w+", comments)) <= {alert.name for alert in rules.alerts()}


def test_one_site_tells_how_soon_a_dead_server_is_out() -> None:
    text, check = ONE_SITE.read_text(), load(ONE_SITE).healthchecks["shop-http"]

    assert out_within_s(check, 0) in text
    assert f"One that hangs is {out_within_s(check, check.timing.timeout_s)}" in text


def test_one_site_shares_by_weight_and_ends_at_the_sorry_server() -> None:
    config = load(ONE_SITE)
    for frontend, shop in (("shop", r"shop\d"), ("shop-tls", r"shop\d-tls")):
        shares = weights(pools(config, frontend))
        (third,) = [weight for name, weight in shares.items() if name.startswith("shop3")]
        without = pools(config, frontend, down=shop)

        assert third / sum(shares.values()) == 1 / 5
        assert weights(without) == {"sorry": 100}
        assert len(flushed(without)) == 3


def test_one_site_leaves_the_flows_of_a_mail_server_that_fails() -> None:
    config = load(ONE_SITE)
    failed = pools(config, "imaps", down="imap1")

    assert config.frontends["imaps"].src_ip_sticky
    assert (weights(failed), flushed(failed)) == ({"imap2": 100}, set())


def test_two_sites_goes_to_the_other_one_with_the_last_server_only() -> None:
    config = load(TWO_SITES)

    assert weights(pools(config, "shop")) == {"a1": 100, "a2": 100}
    assert weights(pools(config, "shop", down="a1")) == {"a2": 100}
    assert weights(pools(config, "shop", down="a[12]")) == {"b1": 100, "b2": 100, "b3": 100}
    assert flushed(pools(config, "shop", down="a[12]")) == {"a1", "a2"}


def test_two_sites_leaves_a_site_by_hand_without_cutting_a_flow() -> None:
    left = pools(load(TWO_SITES), "shop", paused="a[12]")

    assert (set(weights(left)), flushed(left)) == ({"b1", "b2", "b3"}, set())


def test_two_sites_shares_pictures_and_leaves_downloads() -> None:
    config = load(TWO_SITES)
    shares = weights(pools(config, "pictures"))

    assert sum(weight for name, weight in shares.items() if name.startswith("b")) / sum(shares.values()) == 1 / 5
    assert weights(pools(config, "pictures", down="a.")) == {"b1": 20, "b2": 20}
    assert flushed(pools(config, "downloads", down="a.")) == set()
    assert weights(pools(config, "downloads", down="a.")) == {"b1": 100, "b2": 100}


def test_two_sites_gives_a_site_that_comes_back_ten_seconds() -> None:
    near, far = (load(TWO_SITES).healthchecks[name] for name in ("near", "far"))

    assert near.policy.rise * near.timing.fast_interval_s == 10
    assert out_within_s(near, 0) in TWO_SITES.read_text()
    assert far.policy.fall > near.policy.fall
    assert far.timing.timeout_s > near.timing.timeout_s


def test_the_copy_for_the_other_site_is_valid_when_told_lines_are_changed(tmp_path: Path) -> None:
    text = TWO_SITES.read_text()
    marked = [line for line in text.splitlines() if "other at B" in line and not line.startswith("#")]
    for line in marked:
        text = text.replace(line, line.replace("192.0.2.101", "192.0.2.102").replace("db8::101", "db8::102"))
    path = tmp_path / "b.yaml"
    path.write_text(text)
    config = load(path)

    assert len(marked) == 5
    assert "192.0.2.101" not in text
    assert {str(check.ipv4_source) for check in config.healthchecks.values()} == {"192.0.2.102"}


def test_netns_has_a_namespace_and_more_time_to_start() -> None:
    config = load(NETNS)

    assert config.netns == "dataplane"
    assert config.lb.startup_max_delay_s == 120
    assert pools(config, "www", down="web1").pools == (
        {"web1": Effective(0, flush=True), "web2": Effective(100, flush=False)},
    )


def test_ipv6_only_has_no_ipv4_but_the_address_that_stands_for_none() -> None:
    config = load(IPV6_ONLY)
    customers = config.frontends["customers"]

    assert config.lb.conf is not None
    assert str(config.lb.conf.ipv4_source) == "192.0.0.8"
    assert {frontend.encap for frontend in config.frontends.values()} == {Encap.GRE6}
    assert {backend.address.version for backend in config.backends.values()} == {6}
    assert (customers.vip.protocol, customers.vip.prefix.prefixlen) == (ANY, 64)
    assert all(frontend.vip.prefix.network_address in customers.vip.prefix for frontend in config.frontends.values())
