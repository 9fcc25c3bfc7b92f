"""The example configurations, as they are and moved to this machine: addresses of loopback, one port, short times."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CONTRIB = Path(__file__).parents[2] / "contrib"
FOLDER = CONTRIB / "examples"
ONE_SITE, TWO_SITES, NETNS, IPV6_ONLY = (
    FOLDER / f"{name}.yaml" for name in ("one-site", "two-sites", "netns", "ipv6-only")
)
FILES = (ONE_SITE, TWO_SITES, NETNS, IPV6_ONLY)
GENERATOR = FOLDER / "ten_thousand.py"

_AT_ONCE = {"startup-min-delay": "0s", "startup-max-delay": "30s", "stats-interval": "100ms"}
_QUICK = {"interval": "100ms", "fast-interval": "50ms", "timeout": "5s"}


def moved(path: Path, addresses: Mapping[str, str], port: int) -> str:
    """Backends at `addresses`, by those of the file, all asked for a page on `port`; the rest as it is."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    site = document["maglev"]
    site["vpp"]["lb"] |= _AT_ONCE
    for name, check in site["healthchecks"].items():
        counts = {key: check[key] for key in ("rise", "fall") if key in check}
        site["healthchecks"][name] = {"type": "http", "port": port, **_QUICK, **counts}
    for backend in site["backends"].values():
        backend["address"] = addresses.get(backend["address"], backend["address"])
    return yaml.safe_dump(document, sort_keys=False)


def generated(*words: str) -> "subprocess.CompletedProcess[str]":
    """By a Python that has no packages, as an operator's may be."""
    command = [sys.executable, "-I", "-S", str(GENERATOR), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def maglevd_says(path: Path) -> "subprocess.CompletedProcess[str]":
    """Of a file, asked as one does."""
    command = [sys.executable, "-m", "maglev.entry", "--check", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
