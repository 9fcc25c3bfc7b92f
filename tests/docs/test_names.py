"""Names in the documents are those that the code has: metrics, events, flags, variables, files, ports."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maglev import options
from maglev.cli import options as cli_options
from maglev.demo import options as demo_options
from maglev.emulator import program as emulator_program
from tests.docs import names
from tests.docs.judges import PORTS, help_of, variables_of_ours
from tests.docs.pages import ROOT, Span, pages, spans, text

SPANS = [span for page in pages() for span in spans(page)]
SHIPPED = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "contrib").rglob("*")) if path.is_file()]

METRIC = re.compile(r"\b(maglev_[a-z0-9_]+)(\*?)")


@pytest.mark.parametrize("page", [*pages(), *SHIPPED])
def test_a_metric_that_is_named_exists(page: str) -> None:
    for name, star in METRIC.findall(text(page)):
        known = any(each.startswith(name) for each in names.metrics()) if star else name in names.metrics()
        assert known, f"{page}: {name}{star}"


HYPHENATED = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")

OF_OTHERS = frozenset(
    {
        *("ca-file", "check-sni", "check-ssl", "server-name"),  # HAProxy's
        *("python3-dev", "python3-venv", "build-essential", "vpp-maglev", "vpp-maglevd"),  # packages
        *("one-of-them", "maglev-user", "x86-64", "notify-reload"),
    }
)


def test_a_word_with_hyphens_is_an_event_a_key_or_a_column() -> None:
    """So that no event, key or column is called otherwise than it is."""
    known = {*names.events(), *names.keys(), *names.columns(), *OF_OTHERS}
    found = [span for span in SPANS if HYPHENATED.fullmatch(span.text)]

    assert len(found) > 150
    assert [f"{span.place}: {span.text}" for span in found if span.text not in known] == []


def test_an_event_that_a_filter_asks_for_exists() -> None:
    asked = [(page, name) for page in pages() for name in re.findall(r'\.event == "([\w-]+)"', text(page))]

    assert asked
    assert [each for each in asked if each[1] not in names.events()] == []
    for page in pages():
        for beginning in re.findall(r'\.event \| startswith\("([\w-]+)"\)', text(page)):
            assert any(event.startswith(beginning) for event in names.events()), page


@pytest.mark.parametrize("page", [*pages(), *SHIPPED])
def test_a_variable_of_ours_that_is_named_is_read_by_somebody(page: str) -> None:
    assert set(re.findall(r"\bMAGLEV_[A-Z_]*[A-Z]\b", text(page))) <= variables_of_ours()


def flags_of_ours() -> set[str]:
    texts = (
        cli_options.parser({}).format_help(),
        help_of(options.read_options),
        help_of(demo_options.read_options),
        help_of(emulator_program.main),
    )
    return {flag for text in texts for flag in re.findall(r"--[a-z][\w-]*", text)}


FLAGS_OF_OTHERS = {
    *("--benchmark-only", "--hypothesis-profile", "--dist"),  # pytest
    *("--now", "--purge", "--complete", "--kill", "--threshold", "--allow-downgrades"),
}


def test_a_flag_that_is_named_exists() -> None:
    known = flags_of_ours() | FLAGS_OF_OTHERS

    for span in SPANS:
        for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", span.text) if span.text.startswith("--") else ():
            assert flag in known, f"{span.place}: {span.text}"


PLACES = re.compile(
    r"/etc/(?:vpp-maglev(?:/maglev\.yaml)?|default/maglevd|systemd/system(?:/maglevd\.service\.d)?)"
    r"|/root/maglev-(?:original|before)|/var/cache/apt/archives"
    r"|/run(?:/maglev(?:/maglevd\.sock)?|/vpp(?:/(?:api|stats)\.sock)?)?"
    r"|/usr/(?:s?bin/maglev[cd]|lib/maglev|share/(?:maglev|doc/vpp-maglevd(?:/examples(?:/netns\.conf)?)?)|bin/vpp)"
    r"|/lib/systemd/system/maglevd\.service"
    r"|/opt/maglev(?:-[\d.]+)?(?:/bin(?:/maglev[cd])?)?"
    r"|/(?:tmp|proc|sys)(?:/.*)?|/metrics|/net/route/(?:to|via)|/healthz.*|/sys/.*|/32|/128|/25"
)
"""Where our packages and units put something, and where VPP does; and what only looks like a path."""


PREFIX_OR_LETTER = re.compile(r"[\d.]+/\d+|/|/s")


def paths() -> Iterator[tuple[Span, str]]:
    for span in SPANS:
        looks_like_one = re.fullmatch(r"[\w./*-]*/[\w./*-]*", span.text) and not PREFIX_OR_LETTER.fullmatch(span.text)
        if looks_like_one and span.text.removesuffix("/s") not in names.columns():
            yield span, span.text


def test_a_path_that_is_named_is_there_or_where_we_are_installed() -> None:
    found = list(paths())

    assert len(found) > 50
    assert [f"{span.place}: {path}" for span, path in found if not _exists(path, span.page)] == []


def _exists(path: str, page: str) -> bool:
    if path.startswith("/"):
        return PLACES.fullmatch(path.rstrip("/")) is not None
    if path.startswith((".venv/", "build/", "dist/")):  # made by make
        return True
    source = ROOT / "src/maglev"
    roots: tuple[Path, ...] = (ROOT, source, source / "cli", (ROOT / page).parent)
    return any(any(root.glob(path.rstrip("/"))) for root in roots)


@pytest.mark.parametrize("page", pages())
def test_a_port_of_this_machine_is_one_of_ours(page: str) -> None:
    named = set(re.findall(r"\b(?:localhost|127\.0\.0\.1):(\d+)", text(page)))

    # that of HAProxy's server, in its own words; and the quickstart's own, as a packaged maglevd may run beside it
    assert named <= ({"9191"} if page == "docs/quickstart.md" else {*PORTS, "8080"})
