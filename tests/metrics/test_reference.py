"""What docs/metrics.md says of the families is what the page says, which has all that users of the original know."""

import shutil
import subprocess

import pytest

from tests.metrics import reference
from tests.metrics.reading import parse_openmetrics, parse_text, text_of

KNOWN = {
    "maglev_backend_state": {"backend", "state"},
    "maglev_backend_health": {"backend"},
    "maglev_backend_enabled": {"backend"},
    "maglev_frontend_pool_backend_weight": {"frontend", "pool", "backend"},
    "maglev_probe_total": {"backend", "type", "result", "code"},
    "maglev_probe_duration_seconds_bucket": {"backend", "type", "le"},
    "maglev_backend_transitions_total": {"backend", "from", "to"},
    "maglev_vpp_connected": set(),
    "maglev_vpp_uptime_seconds": set(),
    "maglev_vpp_connected_seconds": set(),
    "maglev_vpp_info": {"version", "build_date", "pid"},
    "maglev_vpp_api_total": {"msg", "direction", "result"},
    "maglev_vpp_lbsync_total": {"scope", "kind"},
    "maglev_vpp_vip_packets_total": {"prefix", "protocol", "port", "kind"},
    "maglev_vpp_vip_route_packets_total": {"prefix", "protocol", "port"},
    "maglev_vpp_vip_route_bytes_total": {"prefix", "protocol", "port"},
}
"""The metrics of vpp-maglev."""


def test_the_document_has_every_family_as_it_is_shown() -> None:
    assert reference.written() == reference.table(reference.full_page()), "python -m tests.metrics.reference"


def test_metrics_of_the_original_are_there_by_name_and_labels() -> None:
    shown: dict[str, set[str]] = {}
    for family in parse_text(text_of(reference.full_page(), is_openmetrics=False)):
        shown |= {sample.name: set(sample.labels) for sample in family.samples}

    assert KNOWN.items() <= shown.items()


def test_a_full_page_passes_the_strict_reader_of_openmetrics_and_says_the_same_as_text() -> None:
    page = reference.full_page()
    strict = {f.name: f for f in parse_openmetrics(text_of(page, is_openmetrics=True))}
    plain = {f.name: f for f in parse_text(text_of(page, is_openmetrics=False))}

    assert {name.removesuffix("_info") for name in plain} == set(strict)
    for name, family in plain.items():
        assert family.documentation == strict[name.removesuffix("_info")].documentation
        assert not any(sample.name.endswith("_created") for sample in family.samples)


def test_help_says_more_than_the_name_and_is_no_other_familys() -> None:
    families = parse_text(text_of(reference.full_page(), is_openmetrics=False))
    texts = [family.documentation for family in families if family.name.startswith("maglev_")]

    assert len(set(texts)) == len(texts)
    assert all(len(text) > 15 and not text.endswith(".") for text in texts)


def test_what_has_no_labels_has_no_braces_so_that_it_is_found_by_name_and_number() -> None:
    for is_openmetrics in (False, True):
        assert "{}" not in text_of(reference.full_page(), is_openmetrics=is_openmetrics)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is not here")
def test_promtool_finds_nothing_wrong_with_the_text() -> None:
    text = text_of(reference.full_page(), is_openmetrics=False)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
