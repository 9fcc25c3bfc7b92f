"""How words are understood: synopses taken apart word by word; pure, and knows no command.

A synopsis such as `set backend BACKEND pause` has keywords, arguments (in capitals) and options (in brackets), which
may come in any order, each once. What may follow some words is what is left of every synopsis that they fit: parsing,
completion and help all ask that one question (`Cursor.steps`).

A keyword may be cut to a prefix that no other keyword at its place begins with; an exact match wins. Where an argument
may stand, a word is a keyword only if it is exactly that.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from maglev.cli.line import PIPE
from maglev.errors import ConfigError

SHOWN = 64  # characters of a wrong word that an error repeats

Command = TypeVar("Command")

_PART = re.compile(r"\[|\]|[^\s\[\]]+")


@dataclass(frozen=True, slots=True)
class Argument:
    """A place for a word of the user's. `choices`: the only ones, which may be cut as keywords may.

    `check` raises ConfigError for a word that cannot stand there.
    """

    help: str
    choices: tuple[str, ...] = ()
    check: Callable[[str], object] | None = None


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word of the language."""

    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an argument stands."""

    name: str


@dataclass(frozen=True, slots=True)
class Option:
    """What may be left out: one of the `ways` if there are several. `is_last`: no other option may follow it."""

    ways: "tuple[Items, ...]"
    is_last: bool = False


Head = Keyword | Place
Items = tuple[Head | Option, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What was said: the arguments by name, and the keywords in full."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule(Generic[Command]):
    """One command: its synopsis, what it does, what to make of its words, and what may be piped behind it.

    `helps` says what keywords within it are for.
    """

    synopsis: str
    help: str
    build: Callable[[Said], Command]
    pipes: tuple[str, ...] = ()
    helps: Mapping[str, str] = field(default_factory=dict)

    @property
    def items(self) -> Items:
        """The synopsis taken apart, with its pipes."""
        ways = tuple(_items(f"{PIPE} {each}") for each in self.pipes)
        return (*_items(self.synopsis), *([Option(ways, is_last=True)] if ways else []))


@dataclass(frozen=True, slots=True)
class Cursor(Generic[Command]):
    """A rule, what is left of it, and what was said so far; `path` are the words in full."""

    rule: Rule[Command]
    rest: Items
    said: Said = Said()
    path: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing has to follow."""
        return all(isinstance(item, Option) for item in self.rest)

    def steps(self) -> Iterator[tuple[Head, Items]]:
        """What may come next, and what is left after it."""
        return _steps(self.rest)

    def after(self, head: Head, word: str, rest: Items) -> "Cursor[Command]":
        """Past `word`, which stands for `head`."""
        if isinstance(head, Keyword):
            return Cursor(self.rule, rest, Said(self.said.arguments, (*self.said.keywords, word)), (*self.path, word))
        arguments = {**self.said.arguments, head.name: word}
        return Cursor(self.rule, rest, Said(arguments, self.said.keywords), (*self.path, head.name))


@dataclass(frozen=True, slots=True)
class Offer:
    """What may come next: a keyword, or an argument that `names` wants filled in. `said` has the arguments so far."""

    head: Head
    help: str
    said: Said

    @property
    def word(self) -> str:
        """As synopses have it."""
        return self.head.text if isinstance(self.head, Keyword) else self.head.name


class Language(Generic[Command]):
    """A table of rules, and what their words are for: `helps` by a keyword and all words before it, or by it alone."""

    def __init__(
        self, rules: Iterable[Rule[Command]], arguments: Mapping[str, Argument], helps: Mapping[str, str]
    ) -> None:
        self.rules = tuple(rules)
        self.arguments = arguments
        self._helps = helps
        self._start = tuple(Cursor(rule, rule.items) for rule in self.rules)

    def parse(self, words: Sequence[str]) -> tuple[Rule[Command], Said]:
        """The command that `words` mean.

        Raises ConfigError, which names the word that is wrong, missing or too many, and what could stand there.
        """
        cursors = self._follow(words)
        for cursor in cursors:
            if cursor.is_complete:
                return cursor.rule, cursor.said
        lead = f"{_quoted(' '.join(words))} is not all" if words else "no command"
        raise ConfigError(lead, hint=f"next comes {_one_of(_words(cursors))}")

    def offers(self, words: Sequence[str]) -> tuple[list[Offer], bool]:
        """What may follow `words`, keywords first, and whether nothing has to. Raises ConfigError as `parse` does."""
        cursors = self._follow(words)
        offers: dict[Head, Offer] = {}
        for cursor in cursors:
            for head, _ in cursor.steps():
                if head not in offers:
                    offers[head] = Offer(head, self._help(cursor, head), cursor.said)
        ordered = sorted(offers.values(), key=lambda each: (isinstance(each.head, Place), each.word))
        return ordered, any(each.is_complete for each in cursors)

    def _help(self, cursor: Cursor[Command], head: Head) -> str:
        if isinstance(head, Place):
            return self.arguments[head.name].help
        phrase = " ".join((*cursor.path, head.text))
        for helps, key in ((self._helps, phrase), (cursor.rule.helps, head.text), (self._helps, head.text)):
            if key in helps:
                return helps[key]
        return cursor.rule.help

    def _follow(self, words: Sequence[str]) -> tuple[Cursor[Command], ...]:
        cursors = self._start
        for at, word in enumerate(words):
            cursors = self._past(cursors, word, words[:at])
        return cursors

    def _past(
        self, cursors: Sequence[Cursor[Command]], word: str, before: Sequence[str]
    ) -> tuple[Cursor[Command], ...]:
        steps = [(cursor, head, rest) for cursor in cursors for head, rest in cursor.steps()]
        keywords = sorted({head.text for _, head, _ in steps if isinstance(head, Keyword)})
        places = {head.name for _, head, _ in steps if isinstance(head, Place)}
        if not steps or (keywords == [PIPE] and word != PIPE and not places):
            but = f" but {PIPE}" if steps else ""
            raise ConfigError(f"nothing can follow {_quoted(' '.join(before))}{but}", hint=f"leave out {_quoted(word)}")
        if not word:  # an empty variable of a script must not become whatever is the only word left
            raise ConfigError(
                f"an empty word after {_quoted(' '.join(before))}" if before else "an empty word",
                hint="is a variable empty?",
            )
        if word not in keywords and places:
            (name,) = places
            value = self._value(name, word, before)
            return tuple(c.after(head, value, rest) for c, head, rest in steps if head == Place(name))
        full = _chosen(word, keywords, before)
        return tuple(c.after(head, full, rest) for c, head, rest in steps if head == Keyword(full))

    def _value(self, name: str, word: str, before: Sequence[str]) -> str:
        argument = self.arguments[name]
        if argument.choices:
            return _chosen(word, argument.choices, before)
        if argument.check is not None:
            argument.check(word)
        return word


def _steps(items: Items) -> Iterator[tuple[Head, Items]]:
    for at, item in enumerate(items):
        if not isinstance(item, Option):
            yield item, items[at + 1 :]
            return
        others = () if item.is_last else (*items[:at], *items[at + 1 :])
        for way in item.ways:
            for head, rest in _steps(way):
                yield head, (*rest, *others)


def _items(synopsis: str) -> Items:
    levels: list[list[Head | Option]] = [[]]
    for part in _PART.findall(synopsis):
        if part == "[":
            levels.append([])
        elif part == "]":
            inside = tuple(levels.pop())
            levels[-1].append(Option((inside,)))
        else:
            levels[-1].append(Place(part) if part.isupper() else Keyword(part))
    (whole,) = levels
    return tuple(whole)


def _words(cursors: Sequence[Cursor[Command]]) -> list[str]:
    heads = {head for cursor in cursors for head, _ in cursor.steps()}
    return sorted(head.text if isinstance(head, Keyword) else head.name for head in heads)


def _chosen(word: str, choices: Sequence[str], before: Sequence[str]) -> str:
    if word in choices:
        return word
    matches = [choice for choice in choices if choice.startswith(word)]
    if len(matches) == 1:
        return matches[0]
    where = f" after {_quoted(' '.join(before))}" if before else ""
    if matches:
        raise ConfigError(f"ambiguous word {_quoted(word)}{where}", hint=f"it may be {_one_of(matches)}")
    near = _nearest(word, choices)
    meant = f"is there no blank before the {PIPE}? " if PIPE in word else f"did you mean {near!r}? " if near else ""
    raise ConfigError(f"unknown word {_quoted(word)}{where}", hint=f"{meant}expected {_one_of(choices)}")


def _nearest(word: str, choices: Sequence[str]) -> str | None:
    import difflib  # for those who erred only: it takes a while to load

    return next(iter(difflib.get_close_matches(word[:SHOWN], choices, n=1)), None)


def _one_of(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"one of: {', '.join(words)}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
