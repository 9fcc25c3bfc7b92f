"""Every command in the documents can be typed: in blocks, within sentences, and in what contrib/ says of itself."""

import re
from collections.abc import Iterator

import pytest

from tests.docs import claims, shell
from tests.docs.judges import JUDGES, judge
from tests.docs.pages import ROOT, Span, blocks, pages, spans

MEANT_AS_COMMANDS = frozenset(JUDGES) - {"install", "read", "export", "echo"}
"""Programs; other first words of code are verbs of maglevc, keys, or words of others."""


def in_blocks() -> Iterator[tuple[str, list[str]]]:
    for page in pages():
        for block in blocks(page):
            for line, text in claims.shell_lines(block):
                yield f"{page}:{line}", text.split("\n")


def in_sentences() -> Iterator[Span]:
    for page in pages():
        yield from (span for span in spans(page) if _is_command(span.text))


def in_contrib() -> Iterator[Span]:
    """Code within comments, annotations and texts of what is shipped."""
    for path in sorted((ROOT / "contrib").rglob("*")):
        if path.is_file() and path.suffix != ".md":
            name = str(path.relative_to(ROOT))
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield from (Span(name, number, text) for text in re.findall(r"`([^`]+)`", line) if _is_command(text))


def _is_command(text: str) -> bool:
    first, _, rest = text.partition(" ")
    return bool(rest) and first.rpartition("/")[2] in MEANT_AS_COMMANDS and "..." not in text


@pytest.mark.parametrize(("place", "lines"), list(in_blocks()), ids=lambda each: each if isinstance(each, str) else "")
def test_a_block_of_commands_can_be_typed(place: str, lines: list[str]) -> None:
    del place  # it is in the test's own name
    found = list(shell.commands("\n".join(lines)))
    assert found
    for words in found:
        judge(words)


@pytest.mark.parametrize("span", [*in_sentences(), *in_contrib()], ids=lambda span: f"{span.place} {span.text[:40]}")
def test_a_command_in_a_sentence_can_be_typed(span: Span) -> None:
    for words in shell.commands(span.text):
        judge(words)
