"""The guide cannot go stale: its examples load, its tables are what the parser does, maglevd says what it shows."""

import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import maglev.config
from maglev.config.document import Scalar
from maglev.config.parse import Config, load, parse
from maglev.config.values import MAX_DURATION_S, duration, seconds
from maglev.core.model import ANY, HttpSpec, TcpSpec, Tls, probe_type
from maglev.core.pacing import FIRST_PROBE_WITHIN_S
from maglev.probes import http
from tests.config.guide import (
    BACKEND,
    EXAMPLES,
    FRONTEND,
    GUIDE,
    HTTP_PARAMS,
    ROWS,
    SHOWN,
    TCP_PARAMS,
    WEB,
    Row,
    literal_default,
    literals,
    with_key,
    written,
)
from tests.config.keys import KEYS
from tests.config.samples import faults_of


def each(rows: list[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: f"{row.section.partition('.')[2]}.{row.key}")


def milliseconds(literal: str) -> int:
    return round(duration(0.0)(Scalar(literal, is_plain=True, line=1, column=1)) * 1000)


def test_every_key_that_the_parser_knows_is_in_the_tables_and_no_other() -> None:
    assert {section: tuple(row.key for row in ROWS if row.section == section) for section in KEYS} == KEYS
    assert {row.section for row in ROWS} == set(KEYS)


@each(ROWS)
def test_the_example_of_a_key_is_valid(row: Row) -> None:
    (example,) = literals(row.example)

    assert parse(with_key(row, example))
    assert example != literal_default(row)


@each([row for row in ROWS if literal_default(row) is not None])
def test_the_default_of_a_key_is_what_the_parser_takes_when_it_is_left_out(row: Row) -> None:
    assert parse(with_key(row, literal_default(row))) == parse(with_key(row, None))
    assert parse(with_key(row, literal_default(row))) != parse(with_key(row, literals(row.example)[0]))


@each([row for row in ROWS if row.default == "required"])
def test_a_required_key_is_missed(row: Row) -> None:
    error = faults_of(with_key(row, None))

    assert error is not None
    assert all("missing: add " in fault.message for fault in error.faults)


def test_defaults_in_words() -> None:
    words = {(row.section, row.key): row.default for row in ROWS if not row.default.startswith(("`", "required"))}
    config = parse(written({WEB: {"interval": "7s"}, HTTP_PARAMS: {"host": "www.example.org:8443"}}))
    web, mail = (config.healthchecks[name] for name in ("web", "mail"))
    bare = parse(written()).healthchecks["web"].spec
    assert isinstance(web.spec, HttpSpec)
    assert isinstance(bare, HttpSpec)
    assert isinstance(mail.spec, TcpSpec)
    assert words == {
        ("maglev.healthchecker", "netns"): "none" if config.netns is None else "",
        (WEB, "fast-interval"): "as `interval`" if web.timing.fast_interval_s == 7 else "",
        (WEB, "down-interval"): "as `interval`" if web.timing.down_interval_s == 7 else "",
        (WEB, "probe-ipv4-src"): "the kernel's choice" if web.ipv4_source is None else "",
        (WEB, "probe-ipv6-src"): "the kernel's choice" if web.ipv6_source is None else "",
        (HTTP_PARAMS, "host"): "the backend's address" if bare.host is None else "",
        (HTTP_PARAMS, "response-regexp"): "none" if web.spec.body_regexp is None else "",
        (HTTP_PARAMS, "server-name"): "the host without its port"
        if (web.spec.tls, bare.tls) == (Tls("www.example.org", verify=True), Tls(None, verify=True))
        else "",
        (TCP_PARAMS, "server-name"): "none" if mail.spec.tls == Tls(None, verify=True) else "",
        (BACKEND, "healthcheck"): "none" if config.backends["one"].check is None else "",
        (FRONTEND, "protocol"): "none" if config.frontends["www"].vip.protocol == ANY else "",
    }


@each([row for row in ROWS if " to `" in row.range])
def test_a_range_ends_where_the_parser_says(row: Row) -> None:
    low, high, *more = literals(row.range)
    if row.type == "duration":
        below, above = f"{milliseconds(low) - 1}ms", f"{milliseconds(high) + 1}ms"
    else:
        below, above = str(int(low) - 1), str(int(high) + 1)

    for inside in (low, high, *more):
        assert faults_of(with_key(row, inside)) is None, inside
    for outside in (below, above):
        error = faults_of(with_key(row, outside))
        assert error is not None, outside
        assert [fault.path.rpartition(".")[2] for fault in error.faults] == [row.key]


@each([row for row in ROWS if row.type == "word" or row.type == "true or false"])
def test_the_words_of_a_key_are_all_there_are(row: Row) -> None:
    words = literals(row.range.partition(";")[0])
    error = faults_of(with_key(row, "sometimes"))

    assert error is not None
    assert error.faults[0].message.startswith(f"expected {', '.join(words[:-1])} or {words[-1]}, seen sometimes")
    for word in words:
        assert faults_of(with_key(row, word)) is None, word


def test_every_type_is_explained() -> None:
    types = re.findall(r"^\| ([a-z ]+) \|", GUIDE.partition("| type | how")[2].partition("\n\n")[0], re.MULTILINE)

    assert {word for row in ROWS for word in row.type.split(" or list")} - {"", *types} == set()


def test_the_reload_table_names_every_key() -> None:
    table = GUIDE.partition("## What a reload does")[2].partition("## Whole")[0]
    patterns = [p for line in table.splitlines() if line.startswith("| ") for p in literals(line.split("|")[1])]
    leaves = {
        f"{row.section.partition(',')[0]}.{row.key}".removeprefix("maglev.") for row in ROWS if row.type != "mapping"
    }

    assert {leaf for leaf in leaves if not any(fnmatchcase(leaf, p.replace("[]", "[[]]")) for p in patterns)} == set()
    assert {p for p in patterns if not any(fnmatchcase(leaf, p.replace("[]", "[[]]")) for leaf in leaves)} == {
        "frontends.NAME.pools[].backends"
    }


def test_every_bound_of_the_parser_is_told() -> None:
    bounds = {
        name: value
        for path in Path(maglev.config.__path__[0]).glob("*.py")
        for name, value in vars(__import__(f"maglev.config.{path.stem}", fromlist=["x"])).items()
        if name.startswith("MAX_")
    }
    bounds |= {name: getattr(http, name) for name in ("MAX_BODY", "MAX_HEAD", "MAX_INTERIM")}
    assert bounds.pop("MAX_DURATION_S") == MAX_DURATION_S == milliseconds("24h") / 1000

    limits = re.findall(r"^\| .* \| ([0-9]+)[a-z ]* \| .* \|$", GUIDE, re.MULTILINE)
    told = {int(number) for number in (*limits, *re.findall(r"[0-9]+", " ".join(row.range for row in ROWS)))}
    missing = {name: value for name, value in bounds.items() if value not in told}

    assert len(bounds) > 15
    assert not missing
    assert f"the shorter of `fast-interval` and {seconds(FIRST_PROBE_WITHIN_S)}, plus `timeout`" in GUIDE


@pytest.mark.parametrize("heading", EXAMPLES)
def test_a_whole_example_loads(heading: str, tmp_path: Path) -> None:
    path = tmp_path / "maglev.yaml"
    path.write_text(EXAMPLES[heading])
    config = load(path)

    assert config.frontends
    assert SHOWS[heading](config)


def families(config: Config) -> set[tuple[int, int]]:
    return {
        (frontend.vip.prefix.version, config.backends[name].address.version)
        for frontend in config.frontends.values()
        for name in frontend.backend_names
    }


SHOWS = {
    "The smallest file": lambda c: len(c.frontends) == 1,
    "One site, all four types of check": lambda c: (
        {probe_type(check.spec) for check in c.healthchecks.values()} == {"icmp", "tcp", "http", "https"}
        and {b.check for b in c.backends.values()} == set(c.healthchecks.values())
    ),
    "Two pools with failover": lambda c: len(c.frontends["www"].pools) > 1,
    "IPv6 in front of IPv4 backends, and the other way round": lambda c: families(c) == {(6, 4), (4, 6)},
    "Prefixes and all ports": lambda c: {f.vip.prefix.prefixlen for f in c.frontends.values()} == {28, 32, 64},
    "Probes from a network namespace": lambda c: c.netns is not None,
    "Two frontends on one address": lambda c: len({f.vip.prefix for f in c.frontends.values()}) == 1,
    "Source addresses": lambda c: all(k.ipv4_source and k.ipv6_source for k in c.healthchecks.values()),
}


def test_there_is_an_example_of_each_kind() -> None:
    assert list(EXAMPLES) == list(SHOWS)


@pytest.mark.parametrize(("text", "session"), SHOWN, ids=["three faults", "no YAML", "valid"])
def test_maglevd_says_what_the_guide_shows(text: str, session: str, tmp_path: Path) -> None:
    (tmp_path / "maglev.yaml").write_text(text)
    asked, *said = session.splitlines()
    status = 0
    if said[-2:-1] == ["$ echo $?"]:
        status = int(said[-1])
        del said[-2:]
    program, *words = asked.removeprefix("$ ").split()
    assert program == "maglevd"

    ended = subprocess.run(
        [sys.executable, "-m", "maglev.entry", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (ended.stdout + ended.stderr).splitlines() == said
    assert ended.returncode == status
