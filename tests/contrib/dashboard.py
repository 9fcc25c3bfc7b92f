"""The dashboard as shipped: its panels, and its queries as Grafana asks them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.contrib.rules import ROOT

FILE = ROOT / "contrib" / "grafana" / "maglev.json"

# What Grafana puts in place of variables when all of everything is shown.
_VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$frontend": ".*", "$backend": ".*"}


@dataclass(frozen=True, slots=True)
class Query:
    panel: str
    expr: str


def read() -> Any:
    return json.loads(FILE.read_text())


def panels() -> list[dict[str, Any]]:
    """All but the rows."""
    return [panel for panel in read()["panels"] if panel["type"] != "row"]


def queries() -> Sequence[Query]:
    return tuple(
        Query(f"{panel['title']}, {target['refId']}", filled_in(target["expr"]))
        for panel in panels()
        for target in panel["targets"]
    )


def variables() -> Iterator[tuple[str, str, str]]:
    """Name of the variable, the selector that it is filled from, and the label that it takes."""
    for each in read()["templating"]["list"]:
        if each["type"] == "query":
            selector, _, label = each["query"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
            yield each["name"], filled_in(selector), label


def filled_in(text: str) -> str:
    for variable, value in _VARIABLES.items():
        text = text.replace(variable, value)
    return text
