"""The names that documents may use, as the code has them: metrics, events of the log, keys, columns."""

import re
from functools import cache

from maglev.cli.render import counters
from maglev.core.level import Level
from maglev.logs import forms
from tests.config.keys import KEYS
from tests.docs.pages import ROOT
from tests.logs import test_logs_doc
from tests.logs.test_logs_doc import Said
from tests.metrics import reference
from tests.metrics.reading import text_of


@cache
def metrics() -> frozenset[str]:
    """Families, and what their series are called."""
    found: set[str] = set()
    for is_openmetrics in (False, True):
        for line in text_of(reference.full_page(), is_openmetrics=is_openmetrics).splitlines():
            name = line.split()[2] if line.startswith("#") and len(line.split()) > 2 else re.split(r"[{ ]", line)[0]
            found.add(name)
    return frozenset(found)


@cache
def events() -> dict[str, Said]:
    """By name, with levels and fields; docs/logs.md is held to the code by a test of its own."""
    return test_logs_doc.documented()


def priority(level: str) -> int:
    """Of the journal."""
    return forms._PRIORITIES[Level[level.upper()]]


@cache
def keys() -> frozenset[str]:
    """Of the configuration."""
    return frozenset(key for section in KEYS.values() for key in section)


@cache
def columns() -> frozenset[str]:
    """Words that maglevc shows: titles of tables and fields, what an operation waits for, what a user types."""
    found = {title.replace("_", "-") for title in counters._VIP_FIGURES}
    for path in (ROOT / "src/maglev/cli").rglob("*.py"):
        found |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text()))
    return frozenset(found)
