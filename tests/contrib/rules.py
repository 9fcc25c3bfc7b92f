"""The alert rules, their unit tests and the runbook, read from the shipped files; and Debian's tools for them."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "contrib" / "prometheus" / "maglev.rules.yml"
UNIT_TESTS = sorted((ROOT / "contrib" / "prometheus").glob("*.test.yml"))
RUNBOOK = ROOT / "docs" / "runbook.md"


@dataclass(frozen=True, slots=True)
class Alert:
    name: str
    expr: str
    hold: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def alerts() -> Sequence[Alert]:
    return tuple(_alerts(yaml.safe_load(RULES.read_text())))


def unit_tests(alert: str) -> dict[str, Any]:
    """What stands in the file that tests it, without the tests of others."""
    (found,) = [document for document in _unit_tests() if any(each["name"] == alert for each in document["tests"])]
    return {**found, "tests": [each for each in found["tests"] if each["name"] == alert]}


def tested() -> set[str]:
    """The names of all that have unit tests."""
    return {each["name"] for document in _unit_tests() for each in document["tests"]}


def _unit_tests() -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text()) for file in UNIT_TESTS]


def _alerts(document: Any) -> Iterator[Alert]:
    for group in document["groups"]:
        for rule in group["rules"]:
            yield Alert(rule["alert"], rule["expr"], rule.get("for"), rule["labels"], rule["annotations"])


def anchors() -> set[str]:
    """Of the headings of the runbook, as pages that show Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def tool(name: str) -> str:
    """A command of Debian's package prometheus, or the test is skipped."""
    command = shutil.which(name)
    if command is None:
        pytest.skip(f"no {name} command: apt install prometheus, to have alert rules, dashboard and metrics checked")
    return command


def promtool(*arguments: str, said: str = "") -> tuple[int, str]:
    """Its exit status and all that it says, in order: what failed is on stderr, what passed on stdout."""
    ran = subprocess.run(
        [tool("promtool"), *arguments],
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return ran.returncode, ran.stdout
