"""Lines for a POSIX shell taken apart into the simple commands that they run; nothing is run here."""

import re
import shlex
from collections.abc import Iterator

_OPERATORS = frozenset("|&;<>()")
_WORDS_OF_ITS_OWN = frozenset({"do", "done", "then", "fi", "else", "if", "while", "until", "!", "{", "}"})
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """Each command with its words, assignments in front included; what `$(...)` runs comes as one of its own."""
    for line in text.replace("\\\n", " ").splitlines():
        yield from _of_line(line)


def _of_line(line: str) -> Iterator[list[str]]:
    for inner in _SUBSTITUTION.findall(line):
        yield from _of_line(inner)
    words: list[str] = []
    is_target = False  # of a redirection
    for piece in _pieces(_SUBSTITUTION.sub("SUBSTITUTED", line)):
        if piece and set(piece) <= _OPERATORS:
            is_target = "<" in piece or ">" in piece
            if not is_target:
                yield from _told(words)
                words = []
            elif words and words[-1].isdigit():
                words.pop()  # the descriptor
        elif is_target:
            is_target = False
        else:
            words.append(piece)
    yield from _told(words)


def _pieces(line: str) -> list[str]:
    pieces = shlex.shlex(line, posix=True, punctuation_chars=True)
    pieces.whitespace_split, pieces.commenters = True, "#"
    return list(pieces)


def _told(words: list[str]) -> Iterator[list[str]]:
    while words and words[0] in _WORDS_OF_ITS_OWN:
        words = words[1:]
    if words:
        yield words


def without_assignments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The variables set in front of a command, and the rest."""
    variables: dict[str, str] = {}
    for number, word in enumerate(words):
        if not _ASSIGNMENT.fullmatch(word):
            return variables, words[number:]
        name, _, value = word.partition("=")
        variables[name] = value
    return variables, []
