"""maglevc's words and options completed in bash and zsh: what their scripts, beside this file, ask of it."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maglev.cli.completion import Candidate, Names, following, may_end
from maglev.cli.line import joined
from maglev.errors import ConfigError

SHELLS = ("bash", "zsh")
FILE = Candidate("", "a file")  # which the shells know better

_ENDS = {"-h", "--help", "--version"}  # whatever else is said
_ESCAPED = '$`"\\'  # what a backslash escapes within double quotes


def script(shell: str) -> str:
    """For one of SHELLS: `eval "$(maglevc --completion bash)"`."""
    return Path(__file__).with_name(f"maglevc.{shell}").read_text()


def complete(
    words: Sequence[str], parser: argparse.ArgumentParser, names: Callable[[Sequence[str]], Names]
) -> list[str]:
    """`WORD<Tab>HELP` for each word that may come in place of the last of `words`, which are as the shell has them.

    `names` is called with the options among them. A file that may come is an empty word.
    """
    *before, begun = [_unquoted(each) for each in words] or [""]
    options = {name: each for each in _options(parser) for name in each.option_strings}
    given = _Given()
    for word in before:
        given.take(word, options)
    return [f"{each.word}\t{each.help}" for each in _candidates(given, begun, options, names)]


@dataclass(slots=True)
class _Given:
    """What a command line says: words of a command, options, and an option that lacks its value."""

    words: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    lacks: argparse.Action | None = None
    has_ended: bool = False

    def take(self, word: str, known: dict[str, argparse.Action]) -> None:
        """The next word."""
        if self.lacks is not None:
            self.options.append(word)
            self.lacks = None
        elif self.has_ended or not word.startswith("-") or word == "-":
            self.words.append(word)
        elif word == "--":
            self.has_ended = True
        else:
            self.options.append(word)
            name, equals, _ = word.partition("=")
            option = known.get(name)
            self.lacks = option if option is not None and option.nargs != 0 and not equals else None


def _candidates(
    given: _Given, begun: str, options: dict[str, argparse.Action], names: Callable[[Sequence[str]], Names]
) -> list[Candidate]:
    if not _ENDS.isdisjoint(given.options):
        return []
    if given.lacks is not None:
        return _values(given.lacks, begun)
    if begun.startswith("-") and not given.has_ended:
        name, equals, value = begun.partition("=")
        if equals:
            return [Candidate(f"{name}={each.word}", each.help) for each in _values(options.get(name), value)]
        said = {each.partition("=")[0] for each in given.options}
        left = {name: each for name, each in options.items() if not said & set(each.option_strings)}
        return [Candidate(name, str(each.help)) for name, each in left.items() if name.startswith(begun)]
    try:
        words = joined(given.words)
    except ConfigError:
        return []
    found = following(words, begun, names(given.options))
    if len(found) == 1 and not begun and may_end(words):
        return []  # the shell would put it in at once, and none needs it: `flush` behind a weight
    return found


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Those that help tells of."""
    every = parser._actions  # noqa: SLF001  argparse has no other way to ask
    return [each for each in every if each.option_strings and each.help != argparse.SUPPRESS]


def _values(option: argparse.Action | None, begun: str) -> list[Candidate]:
    if option is None:
        return []
    if option.metavar == "FILE":
        return [FILE]
    return [Candidate(each, "") for each in option.choices or () if each.startswith(begun)]


def _unquoted(raw: str) -> str:
    """The word that a shell makes of it, as far as quotes and backslashes go; the last quote may be open."""
    word, quote = "", ""
    rest = iter(raw)
    for each in rest:
        if each == "\\" and quote != "'":
            escaped = next(rest, "")
            word += escaped if not quote or escaped in _ESCAPED else each + escaped
        elif each in ("'", '"') and quote in ("", each):
            quote = "" if quote else each
        else:
            word += each
    return word
