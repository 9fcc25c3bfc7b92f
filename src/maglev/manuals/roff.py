"""Lines of roff for man(7), out of plain text in which what stands in backquotes is bold; knows no program."""

import argparse
import re
from collections.abc import Iterable, Iterator

import maglev

# What roff would take for its own, or show as another character than the one that can be typed.
_SPELLED = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha", '"': r"\(dq"}
)


def head(program: str, section: int, what: str) -> tuple[str, ...]:
    """The title and the line by which whatis(1) and apropos(1) know the page."""
    release = maglev.__version__.partition(".dev")[0]  # one page for a version and all that leads to it
    return (
        f'.TH {program.upper()} {section} "" "maglev {release}" "maglev"',
        ".ad l",  # blanks that only fill a line would be copied with the commands
        ".nh",  # and so would hyphens that nobody wrote
        *heading("Name"),
        rf"{program} \- {text(what)}",
    )


def heading(words: str) -> tuple[str, ...]:
    """Of a section."""
    return (f".SH {words.upper()}",)


def subheading(words: str) -> tuple[str, ...]:
    """Of a part of a section."""
    return (f".SS {text(words)}",)


def synopsis(*usages: str) -> Iterator[str]:
    """Ways to call a program, one a line."""
    for number, usage in enumerate(usages):
        program, _, rest = usage.partition(" ")
        yield from (*([".br"] if number else []), rf"\fB{text(program)}\fR {text(rest)}")


def paragraphs(prose: str) -> Iterator[str]:
    """As they are parted by empty lines; where else a line ends does not count."""
    for paragraph in prose.strip().split("\n\n"):
        yield from (".PP", text(" ".join(paragraph.split())))


def entries(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Words, and below each what it is."""
    for what, meaning in pairs:
        yield from (".TP", bold(what), text(meaning))


def verbatim(lines: str) -> Iterator[str]:
    """Line by line as it is written; hyphens are off behind it too, which the end of an example would turn on."""
    yield from (".PP", ".RS 4", ".EX", *map(text, lines.rstrip("\n").split("\n")), ".EE", ".nh", ".RE")


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """All that is not hidden, in the parser's own words."""
    for action in parser._actions:  # noqa: SLF001  argparse has no other way to ask
        if action.help == argparse.SUPPRESS:
            continue
        value = str(action.metavar or "|".join(action.choices or ()))
        names = ", ".join(bold(name) for name in action.option_strings)
        yield from (".TP", f"{names} {_italic(value)}" if value else names, text(str(action.help)))


def see_also(*pages: tuple[str, int]) -> tuple[str, ...]:
    """The last section: other pages with theirs."""
    return (*heading("See also"), ",\n".join(rf"{bold(page)}({section})" for page, section in pages))


def bold(words: str) -> str:
    """As it has to be typed."""
    return rf"\fB{words.translate(_SPELLED)}\fR"


def text(words: str) -> str:
    """One line of the page, of which none begins with a command of roff's."""
    spelled = "".join(
        bold(piece[1:-1]) if piece.startswith("`") and len(piece) > 1 else piece.translate(_SPELLED)
        for piece in re.split(r"(`[^`]+`)", words)
    )
    return rf"\&{spelled}" if spelled.startswith(".") else spelled


def _italic(words: str) -> str:
    return rf"\fI{words.translate(_SPELLED)}\fR"
