"""docs/migration.md is true: the original's file runs, the table that it left is taken over, the names are ours too."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from maglev import options
from maglev.cli import words
from maglev.config.parse import parse
from maglev.rpc._pb import maglev_pb2 as pb
from tests.config import guide
from tests.contract.target import Client
from tests.daemon.site import Site
from tests.daemon.test_dry_run import dry_run, plan_of
from tests.docs.pages import blocks, code, marked, rows, text
from tests.metrics import test_reference
from tests.processes import running

PAGE = "docs/migration.md"
(ORIGINAL,) = [block.text for block in blocks(PAGE) if block.language == "yaml"]

TCP, UDP, GRE4, GRE6 = 6, 17, 0, 1


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """With the file of the page; its backends have no health checks, as a backend without one is up."""
    site = Site(tmp_path, 0)
    site.config.write_text(re.sub(r", healthcheck: \w+", "", ORIGINAL))
    return site


@pytest.fixture
def vpp(site: Site) -> Iterator[Client]:
    """With the table that the original makes of the page's file: calls in numeric order, tables of 1024."""
    with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log") as emulator:
        emulator.until_says(str(site.api))
        with closing(Client(str(site.api), str(site.stats))) as client:
            client.configure("10.0.0.254", "2001:db8:ffff::fe", 65536, 40)
            client.add_vip("192.0.2.1/32", TCP, 80, encap=GRE4)
            for address, weight in (("198.51.100.11", 100), ("198.51.100.12", 50), ("203.0.113.80", 0)):
                client.add_as("192.0.2.1/32", address, weight, protocol=TCP, port=80)
            client.add_vip("2001:db8::53/128", UDP, 53, encap=GRE6, src_ip_sticky=True)
            for address, weight in (("2001:db8:1::53", 100), ("2001:db8:2::53", 0)):
                client.add_as("2001:db8::53/128", address, weight, protocol=UDP, port=53)
            yield client


def test_the_file_of_the_original_is_valid_and_has_all_that_it_knew() -> None:
    config = parse(ORIGINAL)

    assert len(config.frontends) == 2
    checked = [code(key)[0] for key, _, is_so in rows(marked(PAGE, "config")) if is_so.startswith(("yes", "name"))]
    assert [key for key in checked if f"{key.rpartition('.')[2]}:" not in ORIGINAL] == []


def test_a_dry_run_says_of_the_originals_table_what_is_told(site: Site, vpp: Client) -> None:
    del vpp
    status, output = dry_run(site)
    (told,) = [block.text for block in blocks(PAGE) if block.text.startswith("VPP ")]

    assert status == 0
    assert re.sub(r"VPP \S+, pid \d+:", "VPP 26.10, pid 4711:", output) == told


def test_what_else_a_dry_run_may_say_is_as_told(site: Site, vpp: Client) -> None:
    told = [code(operation) for operation, _, _ in rows(_table_behind("What else may be there"))]
    vpp.configure("10.0.0.1", "2001:db8:ffff::fe", 1024, 40)
    vpp.set_weight("192.0.2.1/32", "198.51.100.12", 77, protocol=TCP)
    vpp.set_weight("2001:db8::53/128", "2001:db8:2::53", 100, protocol=UDP, port=53)
    vpp.add_vip("203.0.113.1/32", TCP, 25)
    _, output = dry_run(site)

    found = {what: effect for effect, what in plan_of(output)}
    assert len(found) == 4, output
    for (pattern, *_), what in zip(told, sorted(found, key=_place), strict=True):
        expected = (
            re.escape(pattern).replace(r"\.\.\.", ".*").replace("weight\\ N", r"weight\ \d+").replace("VIP", ".*")
        )
        assert re.match(expected, what), (pattern, what)
    assert "breaks flows" in next(effect for what, effect in found.items() if what.startswith("set sources"))
    site.config.write_text(
        site.config.read_text().replace("    lb:\n", "    lb:\n      sticky-buckets-per-core: 1024\n")
    )
    _, output = dry_run(site)
    assert ("neutral", "set sources 10.0.0.254 2001:db8:ffff::fe, flow timeout 40 s, 1024 sticky buckets per core") in (
        plan_of(output)
    )


def _table_behind(beginning: str) -> str:
    (found,) = re.findall(rf"^{beginning}.*?\n\n(\|.*?)\n\n", text(PAGE), re.MULTILINE | re.DOTALL)
    return str(found)


def _place(what: str) -> int:
    """Of an operation among the rows of the page."""
    order = ("set sources", "and flush", "to weight", "delete")
    return next(number for number, part in enumerate(order) if part in what)


def test_every_key_of_the_configuration_is_told_with_its_default() -> None:
    told = {code(key)[0]: default for key, default, _ in rows(marked(PAGE, "config"))}
    leaves = {
        f"{row.section}.{row.key}".removeprefix("maglev."): row.default
        for row in guide.ROWS
        if row.section.count(".") and ", " not in row.section and f"{row.section}.{row.key}" != "maglev.vpp.lb"
    }

    assert told == leaves


def test_every_flag_is_told_with_its_variable_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # no line of the help is broken
    with pytest.raises(SystemExit):
        options.read_options(["--help"], {})
    shown = re.findall(r"^  (--[\w-]+)(.*(?:\n {9,}.*)*)$", capsys.readouterr().out, re.MULTILINE)
    told = {code(flag)[0]: (code(variable), default) for flag, variable, default, _ in rows(marked(PAGE, "flags"))}

    assert told.keys() == {flag for flag, _ in shown}
    for flag, text_of_it in shown:
        known = re.findall(r"\(default: (.+)\)", text_of_it)
        default = f"`{known[0]}`" if known and known[0] != "off" else "off"
        assert told[flag] == (re.findall(r"\[(MAGLEV_\w+)", text_of_it), default), flag


def test_every_rpc_is_told_with_its_messages_and_the_numbers_are_those_of_the_proto() -> None:
    service = pb.DESCRIPTOR.services_by_name["Maglev"]
    told = rows(marked(PAGE, "rpcs"))

    assert [(name, re.findall(r"\b[A-Z]\w+", messages)) for name, messages, _ in told] == [
        (name, [method.input_type.name, method.output_type.name])
        for name, _, _ in told
        for method in [service.methods_by_name[name]]
    ]
    assert {name for name, _, _ in told} == set(service.methods_by_name)
    numbers = [
        (message, *each.split("="))
        for _, _, cell in told
        for message, fields in re.findall(r"(\w+) ((?:`\w+=\d+` ?)+)", cell)
        for each in code(fields)
    ]
    assert len(numbers) > 10
    for message, field, number in numbers:
        assert pb.DESCRIPTOR.message_types_by_name[message].fields_by_name[field].number == int(number)


def test_the_metrics_are_those_of_the_original_with_their_labels() -> None:
    told = {code(name)[0]: set(filter(None, labels.split(", "))) for name, labels, _ in rows(marked(PAGE, "metrics"))}
    known = {name.removesuffix("_bucket"): labels - {"le"} for name, labels in test_reference.KNOWN.items()}

    assert told == known


def test_every_command_of_maglevc_is_told() -> None:
    told = [command for cell, _ in rows(marked(PAGE, "cli")) for command in code(cell)]
    for command in told:
        words.parse(command.split())

    beginnings = {_keywords(rule.synopsis) for rule in words.RULES}
    assert {each for each in beginnings if not any(_keywords(command).startswith(each) for command in told)} == set()


def _keywords(text: str) -> str:
    """The small words at its beginning."""
    return " ".join(re.match(r"(?:[a-z]+ ?)*", text)[0].split())  # type: ignore[index]
