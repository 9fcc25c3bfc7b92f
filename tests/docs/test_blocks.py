"""Every block of code in the documents is tested: here by its kind, or by the test elsewhere that claims it."""

import ast
import configparser
import json
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import maglev
from maglev import options
from maglev.config.parse import ConfigFaults, parse
from maglev.core.model import HttpSpec
from tests.contrib import rules
from tests.contrib.promql import selectors
from tests.docs import claims, names
from tests.docs.claims import ELSEWHERE, Elsewhere
from tests.docs.pages import ROOT, Block, blocks, pages
from tests.probes.zoo import haproxy

EVERY = [block for page in pages() for block in blocks(page)]


def of(kind: str) -> pytest.MarkDecorator:
    found = [block for block in EVERY if claims.claimed(block) == kind]
    assert found, f"there is no block that is {kind}"
    return pytest.mark.parametrize("block", found, ids=lambda block: block.place)


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.place)
def test_somebody_tests_it(block: Block) -> None:
    assert claims.claimed(block) is not None, (
        f"{block.place}: nothing tests this block; give it a language (sh, yaml, yaml wrong, ini, promql, json, text "
        f"of the log), or a test of its own and a place in {claims.__name__}.ELSEWHERE:\n{block.text}"
    )


@pytest.mark.parametrize("claim", ELSEWHERE, ids=lambda claim: f"{claim.page} {claim.begins[:20]}")
def test_the_test_that_claims_a_block_is_there_and_so_is_the_block(claim: Elsewhere) -> None:
    path, _, name = claim.test.partition("::")
    tree = ast.parse((ROOT / path).read_text())

    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions or name == ""
    assert any(claim.is_for(block) for block in EVERY)


@of(claims.CONFIG)
def test_a_configuration_is_valid(block: Block) -> None:
    assert parse(block.text).frontends


@of(claims.WRONG)
def test_a_wrong_configuration_is_wrong(block: Block) -> None:
    with pytest.raises(ConfigFaults):
        parse(block.text)


def test_every_configuration_that_is_shipped_is_valid() -> None:
    shipped = [path for path in (ROOT / "contrib").rglob("*.y*ml") if "\nmaglev:" in path.read_text()]

    assert shipped
    for path in shipped:
        assert parse(path.read_text()).frontends, path


@of(claims.PROMETHEUS)
def test_prometheus_takes_it(block: Block, tmp_path: Path) -> None:
    """Within the file that it is a part of."""
    part = yaml.safe_load(textwrap.dedent(block.text))
    if "metric_relabel_configs" in part:
        part = {"scrape_configs": [{"job_name": "maglevd", **part}]}
    part["rule_files"] = [str(rules.RULES) for _ in part.get("rule_files", ())]
    whole = tmp_path / "prometheus.yml"
    whole.write_text(yaml.safe_dump(part))

    status, said = rules.promtool("check", "config", str(whole))
    assert status == 0, said


@of(claims.PROMQL)
def test_a_question_to_prometheus_can_be_put(block: Block, tmp_path: Path) -> None:
    assert {name for selector in selectors(block.text) for name in re.findall(r"^\w+", selector)} <= names.metrics()
    rule = {"record": "asked", "expr": block.text}
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "documents", "rules": [rule]}]}))

    status, said = rules.promtool("check", "rules", str(file))
    assert status == 0, said


@of(claims.UNIT)
def test_a_part_of_a_unit_is_one(block: Block) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # it would make them lower case
    unit.read_string(block.text)
    shipped = configparser.ConfigParser(strict=False, interpolation=None)
    shipped.optionxform = str  # type: ignore[assignment,method-assign]
    shipped.read(ROOT / "contrib/systemd/maglevd.service")

    for section in unit.sections():
        assert set(unit[section]) <= set(shipped[section]), "a setting that our unit does not have"


@of(claims.LOG)
def test_a_line_of_the_log_is_of_an_event_with_its_level_and_fields(block: Block) -> None:
    for line in block.text.splitlines():
        event, level, fields = _read(line)
        known = names.events()[event]
        assert level in known.levels
        assert fields == known.fields, event


@of(claims.JSON)
def test_an_entry_of_the_journal_is_as_maglevd_makes_it(block: Block) -> None:
    entry = json.loads(block.text)
    event, level, fields = _read(entry["MESSAGE"])

    assert names.events()[event].fields == fields
    assert names.priority(level) == int(entry["PRIORITY"])
    assert entry["SYSLOG_IDENTIFIER"] == "maglevd"


def _read(line: str) -> tuple[str, str, frozenset[str]]:
    """Event, level and fields of a line in either form."""
    if line.startswith("{"):
        said = json.loads(line)
        return said["event"], said["level"], frozenset(said) - {"time", "level", "event"}
    found = re.match(r"(?:\S+Z )?([A-Z]+) (\S+)((?: \S+=(?:\"[^\"]*\"|\S*))*)$", line)
    assert found, line
    return found[2], found[1].lower(), frozenset(re.findall(r" ([\w-]+)=(?:\"[^\"]*\"|\S*)", found[3]))


@of(claims.FLAGS)
def test_flags_are_understood(block: Block) -> None:
    options.read_options(block.text.split(), {})


def _the(test: str) -> Block:
    (found,) = [
        block
        for block in EVERY
        if isinstance(claim := claims.claimed(block), Elsewhere) and claim.test.endswith(f"::{test}")
    ]
    return found


def test_haproxy_is_asked_as_the_page_says() -> None:
    question = HttpSpec(8080, None, "/health", None, ((200, 299),), "hello")
    asked = haproxy.section("one", question, 8080, Path())
    told = _the("test_haproxy_is_asked_as_the_page_says").text

    assert [line.strip() for line in asked.splitlines()[1:]] == told.splitlines()


def test_the_audit_record_has_its_fields() -> None:
    event, level, fields = _read(_the("test_the_audit_record_has_its_fields").text.rstrip("\n"))

    assert (event, fields) == ("audit", names.events()["audit"].fields)
    assert level in names.events()["audit"].levels


def test_the_rooms_of_the_picture_exist() -> None:
    source = Path(maglev.__file__).parent
    rooms = set(re.findall(r"\b([a-z]+\.[a-z_]+)\b", _the("test_the_rooms_of_the_picture_exist").text))

    assert len(rooms) > 5
    for room in rooms:
        path = source / room.replace(".", "/")
        assert path.with_suffix(".py").exists() or path.is_dir(), room


def blocks_of_sh() -> Iterator[Block]:
    return (block for block in EVERY if claims.claimed(block) == claims.COMMANDS)


@pytest.mark.parametrize("block", list(blocks_of_sh()), ids=lambda block: block.place)
def test_a_shell_can_read_it(block: Block) -> None:
    ran = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
