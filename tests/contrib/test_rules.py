"""The alert rules: promtool takes them, each is shown to fire and to be silent, and each leads to the runbook."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from maglev.cli import words
from maglev.core import events
from tests.contrib import rules
from tests.contrib.promql import grouping_labels, selectors
from tests.contrib.rules import Alert

ALERTS = rules.alerts()
NAMES = [alert.name for alert in ALERTS]

_NUMBER = re.compile(r'"[^"]*"|\[[^]]*\]|\boffset \w+|(?<![\w.])(?P<number>\d+(?:\.\d+)?)(?![\w.])')
_MATCHERS = re.compile(r"\{[^{}]*\}")
_DURATION = re.compile(r"(\d+)([smh])")


def test_promtool_takes_the_rules_and_their_unit_tests_pass() -> None:
    checked = rules.promtool("check", "rules", str(rules.RULES))
    tested = rules.promtool("test", "rules", *map(str, rules.UNIT_TESTS))

    assert checked[0] == 0, checked[1]
    assert tested[0] == 0, tested[1]


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_a_changed_number_matcher_or_patience_fails_a_unit_test(alert: Alert, tmp_path: Path) -> None:
    """That is: what fires is just above, what is silent just below, and other series are beside them."""
    unit_tests = rules.unit_tests(alert.name)
    variants = [(alert.expr, alert.hold), *mutants(alert)]
    files = []
    for number, (expr, hold) in enumerate(variants):
        rule = {"alert": alert.name, "expr": expr} | ({"for": hold} if hold else {})
        (tmp_path / f"rules{number}.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
        files.append(tmp_path / f"tests{number}.yml")
        files[-1].write_text(yaml.safe_dump({**unit_tests, "rule_files": [f"rules{number}.yml"]}))

    # One run for all of them: it is the start of promtool that takes the time.
    _, said = rules.promtool("test", "rules", *map(str, files))
    verdicts = re.findall(r"^  (SUCCESS|FAILED)", said, re.MULTILINE)
    passed = [variant for variant, verdict in zip(variants, verdicts, strict=True) if verdict == "SUCCESS"]
    assert passed == variants[:1]


def test_who_scrapes_as_the_documents_say_has_the_job_that_the_rules_ask_for() -> None:
    asked = {job for alert in ALERTS for job in re.findall(r'\bjob="([^"]*)"', alert.expr)}
    (shown,) = re.findall(r"^scrape_configs:\n(?:[ ].*\n)+", (rules.ROOT / "docs/metrics.md").read_text(), re.MULTILINE)

    assert asked == {each["job_name"] for each in yaml.safe_load(shown)["scrape_configs"]}


def mutants(alert: Alert) -> Iterator[tuple[str, str | None]]:
    for match in _NUMBER.finditer(alert.expr):
        if match["number"] is not None:
            number = float(match["number"])
            for other in (number / 2, number * 2) if number else (-1.0, 1e6):
                yield f"{alert.expr[: match.start()]}{other:g}{alert.expr[match.end() :]}", alert.hold
    for match in _MATCHERS.finditer(alert.expr):
        yield alert.expr[: match.start()] + alert.expr[match.end() :], alert.hold
    if alert.hold is None:
        yield alert.expr, "2h"
        return
    found = _DURATION.fullmatch(alert.hold)
    assert found is not None
    for factor in (0, 2):
        yield alert.expr, f"{int(found[1]) * factor}{found[2]}"


def test_each_alert_has_a_name_of_its_own_and_unit_tests_and_nothing_else_has_them() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert rules.tested() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_unit_tests_show_it_firing_and_silent(name: str) -> None:
    seen = set()
    for each in rules.unit_tests(name)["tests"]:
        for question in each["promql_expr_test"]:
            assert f'ALERTS{{alertname="{name}",alertstate="firing"}}' in question["expr"]
            assert "below" not in str(question["exp_samples"])
            seen.add(bool(question["exp_samples"]))

    assert seen == {True, False}


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_how_urgent_it_is_what_happened_and_where_to_read_on(alert: Alert) -> None:
    path, _, anchor = alert.annotations["runbook"].partition("#")

    assert set(alert.labels) == {"severity"}
    assert alert.labels["severity"] in {"critical", "warning"}
    assert set(alert.annotations) == {"summary", "description", "runbook"}
    assert "$labels.instance" in alert.annotations["summary"]
    assert (rules.ROOT / path, anchor) == (rules.RUNBOOK, alert.name.lower())
    assert anchor in rules.anchors()


def test_the_runbook_has_no_heading_of_an_alert_that_is_none() -> None:
    headings = re.findall(r"^### (.+)$", rules.RUNBOOK.read_text(), re.MULTILINE)

    assert headings == NAMES  # and in the order of the rules, so that either can be read beside the other


def test_commands_and_log_names_that_alerts_and_runbook_give_exist() -> None:
    text = rules.RUNBOOK.read_text() + rules.RULES.read_text()
    commands = set(re.findall(r"`maglevc ([^`]+)`", text))
    log_names = {each.name for each in vars(events).values() if isinstance(each, type) and hasattr(each, "name")}
    said = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text)) - SETTINGS

    assert commands
    for command in commands:
        words.parse(re.sub(r"\{\{.*?\}\}", "NAME", command).split())
    assert said
    assert said <= log_names


# Keys of the configuration and of the unit, which look like the names of log lines.
SETTINGS = frozenset({"startup-min-delay", "startup-max-delay", "sticky-buckets-per-core", "flow-timeout"})


def test_what_an_expression_reads_is_found() -> None:
    text = 'sum by (a, b) (rate(x_total{k=~"a|b{}"}[5m] offset 1d)) > 5 and on (c) y == 1 unless z:w or absent(up)'

    assert selectors(text) == ['x_total{k=~"a|b{}"}', "y", "z:w", "up"]
    assert grouping_labels(text) == {"a", "b", "c"}
