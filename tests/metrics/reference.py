"""docs/metrics.md's table of families, made of a page that has each; `python -m tests.metrics.reference` writes it."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from prometheus_client.core import Metric

from maglev.core import events
from maglev.core.audits import AuditReason
from maglev.core.desired import FrontendState
from maglev.core.health import State
from maglev.core.model import ProbeResult
from maglev.core.plan import DelVip
from maglev.metrics.collector import registry_for
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Made, Page
from maglev.metrics.negotiation import Form
from tests.metrics.reading import parse_text, text_of
from tests.rpc import statuses

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- families: begin -->", "<!-- families: end -->"

ONE_OF_EACH: tuple[events.Event, ...] = (
    events.ProbeStarted("web1", "http", 0.0),
    events.ProbeDone("web1", "http", ProbeResult(True, "L7OK", "", 0.01)),
    events.ProbeDone("web2", "http", ProbeResult(None, "SOCKERR", "", 0.01)),
    events.BackendTransition("web1", ip_address("10.1.0.1"), State.UP, State.DOWN, "", "", 1),
    events.Ordered("alice", "unix", "", "PauseBackend", "backend web1", "up", "paused", events.Outcome.OK, "ok"),
    events.FrontendTransition("web", FrontendState.UP, FrontendState.DOWN, 1),
    events.VppMessage("show_version", "send", "ok"),
    events.OpApplied(DelVip(statuses.WEB, "not configured")),
    events.Audited(AuditReason.START, 0.1, 30.0, is_slower=False),
)


def full_page() -> Page:
    """With at least one series of each family."""
    counters = EventCounters()
    counters.loaded(statuses.NOW_NS)
    counters.warm_at(statuses.NOW_NS)
    for event in ONE_OF_EACH:
        counters.observe(event)
    lb = replace(statuses.LB, audited=statuses.OBSERVED)
    sample = replace(statuses.SAMPLE, unmatched_packets=33, unmatched_since_ns=statuses.NOW_NS)
    page = registry_for(lambda: replace(statuses.FULL, lb=lb, sample=sample), counters)
    page.told(Made(Form(is_openmetrics=True, is_gzip=True), 0.01, 0.01, 1000))
    return page


def table(page: Page) -> str:
    """One row for each family."""
    rows = ["| family | type | labels | what it is, and what to do |", "|---|---|---|---|"]
    rows += map(_row, sorted(parse_text(text_of(page, is_openmetrics=False)), key=lambda family: family.name))
    return "\n".join(rows)


def _row(family: Metric) -> str:
    assert family.samples, f"nothing is shown of {family.name}"
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(label for label in family.samples[0].labels if label != "le")
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


def written() -> str:
    """The table as the document has it."""
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Write it anew."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(full_page())}\n{END}{after}")


if __name__ == "__main__":
    main()
