"""The dashboard's form: what Grafana wants of one that is imported, and what its reader does."""

from itertools import combinations
from typing import Any

from tests.contrib import dashboard

ROWS = ["Overview", "Frontend", "Backend", "VPP and maglevd"]


def test_it_is_one_dashboard_with_four_rows() -> None:
    found = dashboard.read()

    assert found["schemaVersion"] >= 36  # Grafana 9: data sources are objects with a uid
    assert "id" not in found  # Grafana gives one; the uid is what an import replaces
    assert [panel["title"] for panel in found["panels"] if panel["type"] == "row"] == ROWS


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    found = dashboard.read()["panels"]

    assert len({panel["id"] for panel in found}) == len(found)
    for one, other in combinations(found, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), f"{one['title']} and {other['title']}"
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in found)


def overlap(one: Any, other: Any) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def test_a_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panel in dashboard.panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_a_query_uses_variables_that_exist_and_asks_only_the_chosen_instances() -> None:
    known = {each["name"] for each in dashboard.read()["templating"]["list"]}

    assert known == {"datasource", "instance", "frontend", "backend"}
    for query in dashboard.queries():
        assert "$" not in query.expr, query.panel
    for panel in dashboard.panels():
        for target in panel["targets"]:
            if "ALERTS" not in target["expr"]:  # one of them is that nobody answers, and has no instance
                assert 'instance=~"$instance"' in target["expr"], panel["title"]


def test_what_follows_a_scrape_interval_is_left_to_grafana() -> None:
    for panel in dashboard.panels():
        for target in panel["targets"]:
            assert "rate(" not in target["expr"] or "[$__rate_interval]" in target["expr"] or "[5m]" in target["expr"]
