"""Every metric and label that alerts, dashboard and runbook name is there when Prometheus scrapes a real maglevd."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contrib import dashboard, rules, scene
from tests.contrib.promql import grouping_labels, selectors
from tests.contrib.rules import Alert
from tests.contrib.scene import Scene
from tests.docs.pages import Block, blocks, pages

ALERTS = rules.alerts()
QUERIES = dashboard.queries()
ASKED = [block for page in pages() for block in blocks(page) if block.language == "promql"]

FIRING = {"MaglevFrontendDown", "MaglevFrontendOnFallback", "MaglevVipNoServer", "MaglevVppRefuses"}

# What may be so for a moment, on a busy machine or while VPP is asked again for what it refused: the rules wait for it
# to pass, those in the scene do not.
PASSING = {
    "MaglevdLate",
    "MaglevdProbesLate",
    "MaglevdScrapeSlow",
    "MaglevdProbesInconclusive",
    "MaglevVppInDoubt",
    "MaglevVppCountersOld",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    for command in ("prometheus", "promtool"):
        rules.tool(command)
    directory: Path = tmp_path_factory.mktemp("live")
    with scene.played(directory) as played:
        yield played


def test_promtool_has_nothing_to_say_of_a_scrape(live: Scene) -> None:
    assert rules.promtool("check", "metrics", said=live.site.metrics()) == (0, "")


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
def test_what_an_alert_reads_is_there(alert: Alert, live: Scene) -> None:
    labels = set()
    for selector in selectors(alert.expr):
        found = live.prometheus.query(f"last_over_time({selector}[1h])")
        assert found, f"nothing was ever scraped for {selector}"
        labels |= {label for series in found for label in series["metric"]}

    assert grouping_labels(alert.expr) <= labels


def test_prometheus_evaluates_every_rule(live: Scene) -> None:
    found = [rule for group in live.prometheus.api("rules")["groups"] for rule in group["rules"]]

    assert {rule["name"]: (rule["health"], rule.get("lastError")) for rule in found} == {
        alert.name: ("ok", None) for alert in ALERTS
    }


def test_alerts_of_the_scene_fire_and_read_well_and_no_others_do(live: Scene) -> None:
    for name in sorted(FIRING):
        live.until_seen(f'ALERTS{{alertname="{name}",alertstate="firing"}}')
    alerts = live.prometheus.api("alerts")["alerts"]

    assert {alert["labels"]["alertname"] for alert in alerts} - PASSING == FIRING
    for alert in alerts:
        text = " ".join(alert["annotations"].values())
        assert f"127.0.0.1:{live.site.metrics_port}" in text
        assert not re.search(r"<no value>|<error|\{\{|\$value", text), text
    (down,) = [alert for alert in alerts if alert["labels"]["alertname"] == "MaglevFrontendDown"]
    assert down["annotations"]["summary"].startswith("Frontend goes-down is down on ")


@pytest.mark.parametrize("query", QUERIES, ids=[query.panel for query in QUERIES])
def test_a_query_of_the_dashboard_has_something_to_show(query: dashboard.Query, live: Scene) -> None:
    if "ALERTS" in query.expr:
        live.until_seen(query.expr)
    found = live.prometheus.query(f"last_over_time(({query.expr})[2m:1s])")  # some figures rest while a VIP is written

    assert any(series["value"][1] != "NaN" for series in found)
    seen = [live.prometheus.query(f"last_over_time({selector}[1h])") for selector in selectors(query.expr)]
    labels = {label for each in seen for series in each for label in series["metric"]}
    assert grouping_labels(query.expr) <= labels


@pytest.mark.parametrize("block", ASKED, ids=lambda block: block.place)
def test_what_the_documents_ask_has_an_answer(block: Block, live: Scene) -> None:
    found = live.prometheus.query(f"last_over_time(({block.text})[2m:1s])")

    assert found or "offset" in block.text  # nothing of this is an hour old
    assert all(live.prometheus.query(f"last_over_time({selector}[1h])") for selector in selectors(block.text))


def test_variables_of_the_dashboard_are_filled(live: Scene) -> None:
    for name, selector, label in dashboard.variables():
        values = {series["metric"].get(label) for series in live.prometheus.query(selector)}
        assert values, name
        assert None not in values, name


def test_metrics_that_the_runbook_names_exist(live: Scene) -> None:
    named = set(re.findall(r"\b(?:maglev|process)_[a-z_]+", rules.RUNBOOK.read_text()))
    scraped = set(live.prometheus.api("label/__name__/values"))

    assert named
    assert {name for name in named if not {name, f"{name}_bucket"} & scraped} == set()
