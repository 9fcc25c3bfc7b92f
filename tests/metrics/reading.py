"""Pages as a scraper reads them, and prometheus_client's readers and writers, given the types that they lack."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.parser import text_string_to_metric_families

from maglev.metrics.exposition import Page

parse_text: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
parse_openmetrics: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
write_text: Callable[[CollectorRegistry], bytes] = generate_latest
write_openmetrics: Callable[[CollectorRegistry], bytes] = exposition.generate_latest


def text_of(page: Page, *, is_openmetrics: bool) -> str:
    """The whole page."""
    return b"".join(block.text for block in page.blocks(is_openmetrics=is_openmetrics)).decode()
