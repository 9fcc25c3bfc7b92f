"""The transcript in docs/user-guide.md, played anew: `python -m tests.cli.transcript` writes it there.

A scene stands between `<!-- played: NAME -->` and `<!-- end -->`. What differs from run to run (times, counters, pids)
is masked where two transcripts are compared; all else has to be the same.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.cli.scenes import Scenes, play

GUIDE = Path(__file__).parents[2] / "docs/user-guide.md"

_SCENE = re.compile(r"<!-- played: (\S+) -->\n```\n(.*?)```\n<!-- end -->\n", re.DOTALL)
_OF, _WHAT = ("fib", "fwd", "direct"), ("packets", "bytes")
_LIVE = {"for", "ago", "flows"} | {
    f"{figure}{unit}"
    for figure in ("first", "next", "untracked", "no-server", *(f"{of}-{what}" for of in _OF for what in _WHAT))
    for unit in ("", "/s")
}
"""Columns whose figures are never the same twice."""
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \([0-9dhms]+ ago\)"), "TIME (SPAN ago)"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r'(_ns": )\d+'), r"\1TIME"),
    (re.compile(r"\b[0-9dhms]+ ago\b"), "SPAN ago"),
    (re.compile(r"(about |~)\d+"), r"\1COUNT"),
    (re.compile(r"^(pid|unmatched-packets|over): .*"), r"\1: FIGURE"),
    (re.compile(r"^audit-cost: .*, every .*"), "audit-cost: SPAN, every SPAN"),
    (re.compile(r"^((?:maglev[cd]|version|build-date|build-directory):|\"maglev[cd]\":) .*"), r"\1 VERSION"),
)
_FIGURE = re.compile(r"<?[0-9][0-9.]*[a-zA-Z0-9]*")
_WRAPPED = 60  # a complaint's line with so many characters goes on in the next one
_GAP = re.compile(r" {2,}")


def told(guide: str) -> Scenes:
    """The scenes as the guide has them."""
    return {name: text.splitlines() for name, text in _SCENE.findall(guide)}


def with_scenes(guide: str, scenes: Scenes) -> str:
    """The guide with these in place of those that it has. Raises KeyError for one that is not played."""

    def scene(match: re.Match[str]) -> str:
        name = match[1]
        text = "".join(f"{line}\n" for line in scenes[name])
        return f"<!-- played: {name} -->\n```\n{text}```\n<!-- end -->\n"

    return _SCENE.sub(scene, guide)


def without_scenes(guide: str) -> str:
    """What was written by hand."""
    return _SCENE.sub("", guide)


def masked(lines: list[str]) -> list[str]:
    """The same of every run: figures that live are masked, and blanks do not count."""
    found: list[str] = []
    titles: list[str] = []
    for line in _unwrapped(lines):
        cells = _GAP.split(line.strip())
        if not line.strip() or "> " in line:
            titles = []
        elif _LIVE & set(cells):
            titles = cells
        elif len(cells) <= len(titles):  # what is empty at the end is not there
            cells = [
                _FIGURE.sub("FIGURE", cell) if title in _LIVE else cell
                for cell, title in zip(cells, titles, strict=False)
            ]
        found.append(_masked("  ".join(cells)))
    return found


def _unwrapped(lines: list[str]) -> Iterator[str]:
    """A complaint in one line: where it wraps depends on the figures in it."""
    complaint = ""
    is_wrapped = False
    for line in lines:
        if not is_wrapped and complaint:
            yield complaint
            complaint = ""
        if is_wrapped or (line.startswith("maglevc: ") and "> " not in line):
            complaint = f"{complaint} {line}".lstrip()
            is_wrapped = len(line) >= _WRAPPED
        else:
            yield line
    if complaint:
        yield complaint


def _masked(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def main() -> None:
    """Write it."""
    with tempfile.TemporaryDirectory() as scratch:
        scenes = play(Path(scratch))
    GUIDE.write_text(with_scenes(GUIDE.read_text(), scenes))


if __name__ == "__main__":
    main()
