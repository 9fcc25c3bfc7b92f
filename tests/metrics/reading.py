"""prometheus_client's own readers and OpenMetrics writer, given the types that they lack."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.parser import text_string_to_metric_families

parse_text: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
parse_openmetrics: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
write_openmetrics: Callable[[CollectorRegistry], bytes] = exposition.generate_latest
