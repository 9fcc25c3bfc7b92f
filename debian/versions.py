"""Debian's version and changelog, of the two places that tell ours: pyproject.toml and the headings of CHANGELOG.md.

X.Y.Z.dev0 becomes X.Y.Z~dev.TIME.gCOMMIT: later than any build of an earlier commit, earlier than X.Y.Z itself.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_RELEASE = re.compile(r"(\d+\.\d+\.\d+)(\.dev\d+)?")
_HEADING = re.compile(r"## (?P<version>\d+\.\d+\.\d+) \((?:unreleased|(?P<date>\d{4}-\d\d-\d\d))\)")


@dataclass(frozen=True, slots=True)
class Source:
    """What is built: its version, the time of its last change, its commit as maglev.version tells it, "" for none."""

    version: str
    changed_at: datetime
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one heading of CHANGELOG.md has below it; the date is None while that is not released."""

    version: str
    date: datetime | None
    changes: tuple[str, ...]


def debian_version(source: Source) -> str:
    """Raises ValueError for a version that is neither X.Y.Z nor X.Y.Z.devN."""
    match = _RELEASE.fullmatch(source.version)
    if match is None:
        raise ValueError(f"pyproject.toml: version {source.version!r}: must be X.Y.Z, or X.Y.Z.dev0 before that is out")
    release, dev = match.groups()
    if dev is None:
        return str(release)
    commit = f".g{source.commit}" if source.commit else ""
    return f"{release}~dev.{source.changed_at.astimezone(UTC):%Y%m%d%H%M%S}{commit}"


def changelog(text: str, source: Source, maintainer: str) -> str:
    """debian/changelog, made of CHANGELOG.md: its first heading is what is built, those below were released."""
    first, *released = entries(text)
    blocks = [_block(debian_version(source), first.changes, source.changed_at, maintainer)]
    blocks += [_block(old.version, old.changes, old.date, maintainer) for old in released if old.date is not None]
    return "\n".join(blocks)


def entries(text: str) -> list[Entry]:
    """The headings of CHANGELOG.md with their items. Raises ValueError if it has none of ours."""
    found = list(_entries(text))
    if not found or not found[0].changes:
        raise ValueError("CHANGELOG.md: needs a heading `## X.Y.Z (unreleased)`, or with a date, and items below it")
    return found


def _entries(text: str) -> Iterator[Entry]:
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        match = _HEADING.fullmatch(heading.rstrip())
        if match is None:
            raise ValueError(f"CHANGELOG.md: {heading!r}: needs a heading `## X.Y.Z (unreleased)`, or with its date")
        date = datetime.fromisoformat(match["date"]).replace(tzinfo=UTC) if match["date"] else None
        items = re.findall(r"^- (.+(?:\n(?!- |#).*)*)", body, re.MULTILINE)
        yield Entry(match["version"], date, tuple(" ".join(item.split()) for item in items))


def _block(version: str, changes: tuple[str, ...], date: datetime, maintainer: str) -> str:
    lines = [f"vpp-maglev ({version}) unstable; urgency=medium", ""]
    for change in changes:
        lines += textwrap.wrap(change, 78, initial_indent="  * ", subsequent_indent="    ", break_long_words=False)
    return "\n".join([*lines, "", f" -- {maintainer}  {date:%a, %d %b %Y %H:%M:%S %z}", ""])
