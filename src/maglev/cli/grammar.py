"""Words -> a command, or an error that names the word; pure, and all in one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maglev.errors import ConfigError

_SHOWN = 64  # characters of a wrong word that an error repeats


@dataclass(frozen=True, slots=True)
class Help:
    """All commands and options."""


@dataclass(frozen=True, slots=True)
class ShowVersion:
    """The version of maglevc itself."""


@dataclass(frozen=True, slots=True)
class ShowFrontends:
    """All frontends, or the one called `name`."""

    name: str | None


@dataclass(frozen=True, slots=True)
class ShowBackends:
    """All backends, or the one called `name`."""

    name: str | None


@dataclass(frozen=True, slots=True)
class ShowVppInfo:
    """The VPP that maglevd is connected to."""


@dataclass(frozen=True, slots=True)
class ShowLbState:
    """VPP's load-balancer table."""


@dataclass(frozen=True, slots=True)
class ShowLbCounters:
    """VPP's counters of VIPs and backends."""


Question = ShowVersion | ShowFrontends | ShowBackends | ShowVppInfo | ShowLbState | ShowLbCounters
Command = Help | Question


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the grammar: keywords, perhaps one optional argument, and what they build."""

    keywords: tuple[str, ...]
    build: Callable[[str | None], Command]
    help: str
    argument: str | None = None

    @property
    def synopsis(self) -> str:
        """As usage texts print it."""
        return " ".join((*self.keywords, f"[{self.argument}]" if self.argument else "")).rstrip()


RULES = (
    Rule(("help",), lambda _: Help(), "this text"),
    Rule(("show", "version"), lambda _: ShowVersion(), "version of maglevc"),
    Rule(("show", "frontends"), ShowFrontends, "frontends with their state; one with its pools", "NAME"),
    Rule(("show", "backends"), ShowBackends, "backends with their health; one with its history", "NAME"),
    Rule(("show", "vpp", "info"), lambda _: ShowVppInfo(), "the VPP that maglevd is connected to"),
    Rule(("show", "vpp", "lb", "state"), lambda _: ShowLbState(), "VPP's load-balancer table"),
    Rule(("show", "vpp", "lb", "counters"), lambda _: ShowLbCounters(), "packets and bytes of VIPs and backends"),
)


def parse(words: Sequence[str]) -> Command:
    """The command that `words` mean; keywords may be cut to a unique prefix, and an exact match wins.

    Raises ConfigError, which names the word that is wrong, missing or too many, and what could stand there.
    """
    rules: list[Rule] = list(RULES)
    for depth, word in enumerate(words):
        complete = [rule for rule in rules if len(rule.keywords) == depth]
        if complete:
            return _finish(complete[0], words, depth)
        keyword = _keyword(word, sorted({rule.keywords[depth] for rule in rules}), words[:depth])
        rules = [rule for rule in rules if rule.keywords[depth] == keyword]
    for rule in rules:
        if len(rule.keywords) == len(words):
            return rule.build(None)
    choices = ", ".join(sorted({rule.keywords[len(words)] for rule in rules}))
    so_far = " ".join(rules[0].keywords[: len(words)])
    raise ConfigError(f"{so_far!r} is not all" if words else "no command", hint=f"next comes one of: {choices}")


def _keyword(word: str, choices: list[str], before: Sequence[str]) -> str:
    if word in choices:
        return word
    matches = [choice for choice in choices if choice.startswith(word)]
    if len(matches) == 1:
        return matches[0]
    where = f" after {_quoted(' '.join(before))}" if before else ""
    if matches:
        raise ConfigError(f"ambiguous word {_quoted(word)}{where}", hint=f"it may be: {', '.join(matches)}")
    raise ConfigError(f"unknown word {_quoted(word)}{where}", hint=f"expected one of: {', '.join(choices)}")


def _finish(rule: Rule, words: Sequence[str], depth: int) -> Command:
    taken = 1 if rule.argument else 0
    surplus = words[depth + taken :]
    if surplus:
        raise ConfigError(f"nothing can follow {rule.synopsis!r}", hint=f"leave out {_quoted(surplus[0])}")
    return rule.build(words[depth])


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
