"""A table of VIPs becomes the configuration that it says, and always the same one."""

import csv
import random
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import pytest

from maglev.config.model import Config
from maglev.config.parse import parse
from maglev.core.model import ANY, TCP, UDP, HttpSpec, IcmpSpec, TcpSpec
from tests.contrib.examples import CONTRIB, generated, maglevd_says

README = (CONTRIB / "README.md").read_text()
TABLE = README.partition("```csv\n")[2].partition("```")[0]
MADE = README.partition("```yaml\n")[2].partition("```")[0]
COLUMNS = ("name", "vip", "protocol", "port", "backend", "weight", "pool", "check")


def of_table(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    done = generated("--csv", str(path))
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def faults_of(path: Path, text: str) -> list[str]:
    """What is said of a table that is no good, without its name."""
    path.write_text(text)
    done = generated("--csv", str(path))
    assert (done.stdout, done.returncode) == ("", 2)
    return done.stderr.replace(f"{path}: ", "").splitlines()


def written(rows: Sequence[Mapping[str, str]]) -> str:
    text = StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def shown(config: Config) -> dict[str, list[tuple[str, dict[str, int]]]]:
    """Frontends with their pools, backends by address."""
    return {
        name: [
            (pool.name, {str(config.backends[backend].address): weight for backend, weight in pool.weights.items()})
            for pool in frontend.pools
        ]
        for name, frontend in config.frontends.items()
    }


def test_the_index_shows_a_table_and_what_becomes_of_it(tmp_path: Path) -> None:
    assert of_table(tmp_path / "vips.csv", TABLE) == MADE


def test_the_configuration_is_that_of_the_table(tmp_path: Path) -> None:
    config = parse(of_table(tmp_path / "vips.csv", TABLE))
    checks = {str(backend.address): backend.check for backend in config.backends.values()}

    assert shown(config) == {
        "www": [("primary", {"198.51.100.11": 100, "198.51.100.12": 50}), ("sorry", {"203.0.113.80": 100})],
        "dns": [("primary", {"198.51.100.53": 100})],
    }
    assert [(frontend.vip.protocol, frontend.vip.port) for frontend in config.frontends.values()] == [
        (TCP, 80),
        (UDP, 53),
    ]
    assert {address: type(check.spec) if check else None for address, check in checks.items()} == {
        "198.51.100.11": HttpSpec,
        "198.51.100.12": HttpSpec,
        "203.0.113.80": None,
        "198.51.100.53": IcmpSpec,
    }


def test_what_is_left_out_is_taken_as_the_help_says(tmp_path: Path) -> None:
    table = "vip,backend,protocol,port,owner\n192.0.2.1,198.51.100.1,tcp,25,me\n2001:db8::/64,2001:db8:1::1,,,\n"
    config = parse(of_table(tmp_path / "vips.csv", "\ufeff" + table))
    mail, prefix = config.frontends.values()

    assert (mail.name, prefix.name) == ("192.0.2.1-tcp-25", "2001:db8::/64-any")
    assert prefix.vip.protocol == ANY
    assert shown(config) == {
        mail.name: [("primary", {"198.51.100.1": 100})],
        prefix.name: [("primary", {"2001:db8:1::1": 100})],
    }
    assert [check.spec for check in config.healthchecks.values()] == [IcmpSpec(), TcpSpec(25, None)]


def test_a_server_of_many_vips_is_one_backend_for_each_check_and_port(tmp_path: Path) -> None:
    rows = [
        {"vip": f"192.0.2.{vip}", "protocol": "tcp", "port": port, "backend": "198.51.100.1"}
        for vip in range(1, 9)
        for port in ("80", "443")
    ]
    config = parse(of_table(tmp_path / "vips.csv", written(rows)))

    assert len(config.frontends) == 16
    assert sorted(config.backends) == ["198.51.100.1-tcp-443", "198.51.100.1-tcp-80"]


def test_the_order_of_the_vips_in_the_table_does_not_matter(tmp_path: Path) -> None:
    rows = [
        {"vip": f"192.0.2.{vip}", "protocol": "tcp", "port": "80", "backend": f"198.51.100.{backend}"}
        for vip in range(1, 30)
        for backend in (vip, vip + 100)
    ]
    sorted_one = of_table(tmp_path / "vips.csv", written(rows))
    random.Random(1).shuffle(rows)

    assert of_table(tmp_path / "vips.csv", written(rows)) == sorted_one
    assert list(parse(sorted_one).frontends)[8:11] == [f"192.0.2.{vip}-tcp-80" for vip in (9, 10, 11)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["192.0.2.x,tcp,80,198.51.100.1"], "line 2: vip '192.0.2.x': '192.0.2.x' does not appear to be"),
        (["192.0.2.1/24,tcp,80,198.51.100.1"], "line 2: vip '192.0.2.1/24': 192.0.2.1/24 has host bits set"),
        (["", "192.0.2.1,tcp,80,web1"], "line 3: backend 'web1' is no address"),
        (["192.0.2.1,tcp,http,198.51.100.1"], "line 2: port 'http' is no whole number"),
        (["192.0.2.1,tcp,80,198.51.100.1,-1"], "line 2: weight '-1' is no whole number"),
        (["192.0.2.1,tcp,80,198.51.100.1,1,ping"], "line 2: check 'ping' is none of tcp, http, https, icmp, none"),
        (["192.0.2.1,,,198.51.100.1,1,tcp"], "line 2: check tcp needs a port, and the VIP is for all: "),
        (["192.0.2.1,tcp,80,198.51.100.1"] * 2, "line 3: backend 198.51.100.1 stands twice in pool primary of "),
        (
            ["192.0.2.1,tcp,80,198.51.100.1,1,tcp,a", "192.0.2.1,tcp,80,198.51.100.2,1,tcp,b"],
            "line 3: VIP 192.0.2.1 tcp 80 is called a above, and here b",
        ),
        (
            ["192.0.2.1,tcp,80,198.51.100.1,1,tcp,a", "192.0.2.2,tcp,80,198.51.100.2,1,tcp,a"],
            "line 3: a is the name of 192.0.2.1 above",
        ),
    ],
    ids=lambda value: value.partition(": ")[2][:30] if isinstance(value, str) else "",
)
def test_a_line_that_is_wrong_is_told(lines: list[str], said: str, tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "vips.csv", "\n".join(["vip,protocol,port,backend,weight,check,name", *lines]))

    assert fault.startswith(said)


def test_a_table_without_the_columns_is_told(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "a.csv", "vip;backend\n1;2\n") == [
        "line 1: there is no column vip and none backend; commas part the columns"
    ]
    assert faults_of(tmp_path / "b.csv", "") == faults_of(tmp_path / "a.csv", "one,two\n")


def test_faults_are_told_twenty_at_most(tmp_path: Path) -> None:
    faults = faults_of(tmp_path / "vips.csv", "vip,backend\n" + "nowhere,nobody\n" * 300)

    assert (len(faults), faults[-1]) == (21, "and 280 more")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    done = generated("--csv", str(tmp_path / "none.csv"))

    assert (done.stderr, done.returncode) == (f"{tmp_path}/none.csv: No such file or directory\n", 2)
    (tmp_path / "latin.csv").write_bytes(b"vip,backend\n\xe4,\n")
    assert generated("--csv", str(tmp_path / "latin.csv")).stderr == f"{tmp_path}/latin.csv: this is not UTF-8\n"


@pytest.mark.parametrize(
    "words", ["--vips 0", "--vips 65536", "--backends 65536", "--per-vip 5 --backends 4", "--vips x"]
)
def test_a_site_that_cannot_be_made_up_is_told(words: str) -> None:
    done = generated(*words.split())

    assert (done.stdout, done.returncode) == ("", 2)
    assert "ten_thousand.py: error: " in done.stderr


def test_a_site_is_always_made_up_in_the_same_way() -> None:
    one, other = (generated("--vips", "30", "--backends", "7", "--per-vip", "3").stdout for _ in range(2))
    config = parse(one)

    assert one == other
    assert len(config.frontends) == 30
    assert {len(frontend.pools[0].weights) for frontend in config.frontends.values()} == {3}
    assert len(config.backends) == 7


def test_ten_thousand_vips_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "maglev.yaml"
    path.write_text(generated().stdout)
    said = maglevd_says(path)

    assert said.stderr == ""
    assert said.stdout == f"{path}: valid, 10000 frontends, 2000 backends\n"


def test_the_help_names_every_column() -> None:
    shown_help = generated("--help").stdout

    assert {column for column in COLUMNS if not re.search(rf"^ .*\b{column} ", shown_help, re.MULTILINE)} == set()
