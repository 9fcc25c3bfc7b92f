"""A typed line -> its words; pure, and knows no command."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from maglev.errors import ConfigError

PIPE = "|"

_PIECE = re.compile(r""""([^"]*)("?)|'([^']*)('?)|([^\s"']+)|(\s+)""")


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a line; `is_open`: the last one goes on with the next key, and `is_quoted`: in quotes.

    `start`: where in the text the word begins, quotes and all, that is typed at its end.
    """

    words: tuple[str, ...]
    is_open: bool
    is_quoted: bool
    start: int = field(default=0, compare=False)

    @property
    def before(self) -> tuple[str, ...]:
        """The words that are finished."""
        return self.words[:-1] if self.is_open else self.words

    @property
    def begun(self) -> str:
        """What there is of the next word."""
        return self.words[-1] if self.is_open else ""


def read(text: str) -> Line:
    """Words are set apart by blanks; quotes of either kind hold blanks together. A `|` that begins a word is a word."""
    words: list[str] = []
    is_open = is_quoted = False
    start = 0
    for match in _PIECE.finditer(text):
        double, double_end, single, single_end, bare, blank = match.groups()
        if blank is not None:
            is_open = False
            start = match.end()
            continue
        if bare is not None and not is_open and bare.startswith(PIPE):
            words.append(PIPE)
            bare = bare.removeprefix(PIPE)
            start = match.start() + len(PIPE)
            if not bare:
                is_open = False  # whatever is typed next to it is another word
                continue
        is_quoted = bare is None and not (double_end or single_end)
        piece = next(each for each in (double, single, bare) if each is not None)
        words[-1:] = [words[-1] + piece] if is_open else [*words[-1:], piece]
        is_open = True
    return Line(tuple(words), is_open, is_quoted, start)


def split(text: str) -> tuple[str, ...]:
    """The words of a whole line. Raises ConfigError for a quote without its end."""
    line = read(text)
    if line.is_quoted:
        raise ConfigError("a quote has no end", hint="close it")
    return line.words


def joined(arguments: Sequence[str]) -> tuple[str, ...]:
    """The words that a shell took apart already: only the first `|json` or `| json` is more than one."""
    words: list[str] = []
    for each in arguments:
        words += split(each) if each.lstrip().startswith(PIPE) and PIPE not in words else [each]
    return tuple(words)


def quoted(word: str) -> str:
    """As `read` takes it for one word; a word with both kinds of quotes cannot be."""
    if word and not re.search(r"""[\s"']""", word) and not word.startswith(PIPE):
        return word
    return f"'{word}'" if '"' in word else f'"{word}"'
