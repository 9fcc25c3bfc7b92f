"""Every sentence of maglevc's language, spelled out from the synopses alone: what grammar.py is held to.

A sentence is a tuple of words; those in capitals stand for words of the user's. Options come in any order, each once,
an option within another anywhere behind it, and a pipe comes last.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from maglev.cli.words import RULES

Sentence = tuple[str, ...]

LEVELS = ["debug", "info", "warning", "error"]
VALUES = {"LEVEL": LEVELS, "WEIGHT": ["0", "100"], "NUMBER": ["1", "42"], "REGEX": ["web[12]", "a b"]}


def sentences(synopsis: str, pipes: Sequence[str]) -> Iterator[Sentence]:
    """All that one rule allows."""
    must, options = _apart(synopsis)
    for said in _orders(options, frozenset()):
        yield (*must, *said)
        for pipe in pipes:
            yield (*must, *said, "|", *pipe.split())


def _apart(synopsis: str) -> tuple[Sentence, list[tuple[Sentence, int | None]]]:
    """What has to be said, and each option with the number of the one that it is in."""
    must: list[str] = []
    options: list[tuple[Sentence, int | None]] = []
    inside: list[int] = []
    for word in synopsis.replace("[", " [ ").replace("]", " ] ").split():
        if word == "[":
            options.append(((), inside[-1] if inside else None))
            inside.append(len(options) - 1)
        elif word == "]":
            inside.pop()
        elif inside:
            words, parent = options[inside[-1]]
            options[inside[-1]] = (*words, word), parent
        else:
            assert not options, "options are at the end"
            must.append(word)
    return tuple(must), options


def _orders(options: list[tuple[Sentence, int | None]], said: frozenset[int]) -> Iterator[Sentence]:
    yield ()
    for number, (words, parent) in enumerate(options):
        if number not in said and (parent is None or parent in said):
            for rest in _orders(options, said | {number}):
                yield (*words, *rest)


ALL: list[Sentence] = [sentence for rule in RULES for sentence in sentences(rule.synopsis, rule.pipes)]

_NEXT: Mapping[Sentence, set[str]] = defaultdict(set)
for _sentence in ALL:
    for _at, _word in enumerate(_sentence):
        _NEXT[_sentence[:_at]].add(_word)


def following(start: Sentence) -> set[str]:
    """The words that may stand next."""
    return set(_NEXT.get(start, ()))


def understood(words: Sequence[str]) -> Sentence | None:
    """What `words` are the start of, prefixes made whole; None for what is no start of a sentence."""
    start: Sentence = ()
    for word in words:
        choices = following(start)
        keywords = {each for each in choices if not each.isupper()}
        places = choices - keywords
        if word in keywords:
            start = (*start, word)
        elif places:
            (place,) = places
            if not fits(place, word):
                return None
            start = (*start, place)
        else:
            meant = [each for each in keywords if each.startswith(word)]
            if len(meant) != 1 or meant == ["|"]:  # which is no word to be cut
                return None
            start = (*start, meant[0])
    return start


def fits(place: str, word: str) -> bool:
    """Whether `word` may stand for it; names are the server's business."""
    if place == "LEVEL":
        return word in LEVELS or sum(each.startswith(word) for each in LEVELS) == 1
    if place in ("WEIGHT", "NUMBER"):
        return (
            word.isascii()
            and word.isdigit()
            and len(word) < 10
            and int(word) in (range(101) if place == "WEIGHT" else range(1, 10**9))
        )
    return True
