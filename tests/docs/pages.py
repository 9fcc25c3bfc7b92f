"""The documents taken apart: blocks of code, code within sentences, headings, links, rows of tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r" *```(.*)")
_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where its text begins, the words behind its fence, the last heading and the line before it."""

    page: str
    line: int
    language: str
    text: str
    heading: str
    before: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Span:
    """Code within a sentence."""

    page: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> tuple[str, ...]:
    """Every document of the repository, by its path."""
    found = [*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md"), *ROOT.joinpath("contrib").rglob("*.md")]
    return tuple(sorted(str(path.relative_to(ROOT)) for path in found))


@cache
def text(page: str) -> str:
    return (ROOT / page).read_text()


@cache
def blocks(page: str) -> tuple[Block, ...]:
    return tuple(_blocks(page))


def _blocks(page: str) -> Iterator[Block]:
    begun: tuple[int, str, str] | None = None
    heading = before = ""
    inside: list[str] = []
    for number, line in enumerate(text(page).splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if begun is not None:
            if fence is None:
                inside.append(line)
                continue
            start, language, led_in = begun
            yield Block(page, start, language, "\n".join([*inside, ""]), heading, led_in)
            begun, inside = None, []
        elif fence is not None:
            begun = (number + 1, fence[1].strip(), before)
        elif line.startswith("#"):
            heading = line.strip("# ")
        if line.strip() and fence is None:
            before = line
    assert begun is None, f"{page}: a block that begins at line {begun} has no end"


@cache
def prose(page: str) -> str:
    """The text with its blocks blanked out, so that lines keep their numbers."""
    lines = text(page).splitlines()
    for block in blocks(page):
        for number in range(block.line - 2, block.line + block.text.count("\n")):
            lines[number] = ""
    return "\n".join(lines)


@cache
def spans(page: str) -> tuple[Span, ...]:
    """`Code` within sentences, also where it goes on in the next line; `\\|` is how a table has a pipe."""
    found = []
    for match in re.finditer(r"`((?:[^`\n]|\n(?!\n))+)`", prose(page)):
        line = prose(page).count("\n", 0, match.start()) + 1
        found.append(Span(page, line, " ".join(match[1].replace(r"\|", "|").split())))
    return tuple(found)


@cache
def anchors(page: str) -> frozenset[str]:
    """Of its headings, as GitHub makes them."""
    found: list[str] = []
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        again = sum(each == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", each) is not None for each in found)
        found.append(f"{slug}-{again}" if again else slug)
    return frozenset(found)


def links(page: str) -> Iterator[tuple[int, str]]:
    """Line and target of each link."""
    for number, line in enumerate(_HIDDEN.sub("", prose(page)).splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            yield number, target


def marked(page: str, name: str) -> str:
    """What stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""
    (found,) = re.findall(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", text(page), re.DOTALL)
    return str(found)


def rows(table: str) -> list[list[str]]:
    """Of a table in Markdown, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
