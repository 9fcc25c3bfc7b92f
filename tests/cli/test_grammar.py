"""Parsing of maglevc's words; `sentences` knows the language from its synopses, by other means than grammar.py."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maglev.cli.commands import (
    Command,
    Help,
    Line,
    Quit,
    SetBackend,
    SetWeight,
    ShowBackends,
    ShowFrontends,
    ShowLbCounters,
    ShowLbState,
    ShowVersion,
    ShowVppInfo,
    SyncLbState,
    WatchEvents,
)
from maglev.cli.grammar import Argument, Language, Rule
from maglev.cli.words import LANGUAGE, RULES, parse
from maglev.errors import ConfigError
from tests.cli import sentences
from tests.cli.sentences import ALL, Sentence

TOP = "config, exit, help, quit, set, show, sync, watch"
SHOW = "backends, frontends, healthchecks, version, vpp"
KEYWORDS = sorted({word for sentence in ALL for word in sentence if not word.isupper()})
PREFIXES = [word[:cut] for word in KEYWORDS for cut in range(1, len(word) + 1)]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("help", Help()),
        ("h", Help()),
        ("q", Quit()),
        ("exit", Quit()),
        ("show version", ShowVersion()),
        ("show frontends", ShowFrontends(None)),
        ("show frontend web", ShowFrontends("web")),
        ("show backends show", ShowBackends("show")),
        ("sh f", ShowFrontends(None)),
        ("sh b web1", ShowBackends("web1")),
        ("sh ve", ShowVersion()),
        ("sho vp l c", ShowLbCounters(is_rate=False)),
        ("sho vp l c r", ShowLbCounters(is_rate=True)),
        ("sh vpp l s", ShowLbState()),
        ("sh vp i", ShowVppInfo()),
        ("sy v l s", SyncLbState(None)),
        ("se b web1 p", SetBackend("web1", "pause")),
        ("set backend pause pause", SetBackend("pause", "pause")),
        ("set f web p a b c w 7 f", SetWeight("web", "a", "c", 7, flush=True)),
        ("w e", WatchEvents(None, log=True, level="info", backend=True, frontend=True)),
        ("w e b n 5", WatchEvents(5, log=False, level="info", backend=True, frontend=False)),
        ("w e l f l d", WatchEvents(None, log=True, level="debug", backend=False, frontend=True)),
    ],
)
def test_words_and_unique_prefixes_are_understood(line: str, command: Command) -> None:
    said = parse(line.split())
    assert said == Line(command)
    assert type(said.command) is type(command)  # named tuples of two classes may be equal


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shw", f"unknown word 'shw'; did you mean 'show'? expected one of: {TOP}"),
        ("zzz", f"unknown word 'zzz'; expected one of: {TOP}"),
        ("show frobs", f"unknown word 'frobs' after 'show'; expected one of: {SHOW}"),
        ("show frontens", f"unknown word 'frontens' after 'show'; did you mean 'frontends'? expected one of: {SHOW}"),
        ("show vpp lb nothing", "unknown word 'nothing' after 'show vpp lb'; expected one of: counters, plan, state"),
        ("s", "ambiguous word 's'; it may be one of: set, show, sync"),
        ("sh v", "ambiguous word 'v' after 'sh'; it may be one of: version, vpp"),
        ("show", f"'show' is not all; next comes one of: {SHOW}"),
        ("sh vp", "'sh vp' is not all; next comes one of: info, lb"),
        ("set backend web1", "'set backend web1' is not all; next comes one of: disable, enable, pause, resume"),
        ("quit now", "nothing can follow 'quit'; leave out 'now'"),
        ("show version 1", "nothing can follow 'show version' but |; leave out '1'"),
        ("show frontends a b", "nothing can follow 'show frontends a' but |; leave out 'b'"),
        ("show backends | json web1", "nothing can follow 'show backends | json'; leave out 'web1'"),
        ("set backend b pause | json", "nothing can follow 'set backend b pause'; leave out '|'"),
        ("watch frontends | json", "unknown word 'json' after 'watch frontends |'; expected match"),
        ("SHOW version", f"unknown word 'SHOW'; expected one of: {TOP}"),
        ("set frontend f pool p backend b weight 101", "'101' is no whole number from 0 to 100"),
        ("set frontend f pool p backend b weight -1", "'-1' is no whole number from 0 to 100"),
        ("watch events num 0", "'0' is no whole number from 1 to 999999999"),
        ("w e n 5 num", "unknown word 'num' after 'w e n 5'; expected one of: backend, frontend, log"),
        ("", f"no command; next comes one of: {TOP}"),
    ],
)  # fmt: skip
def test_wrong_words_are_named_with_what_could_stand_there(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(line.split())

    assert str(refused.value) == said


def test_a_very_long_word_is_cut() -> None:
    with pytest.raises(ConfigError) as refused:
        parse(["x" * 10_000])

    assert str(refused.value) == f"unknown word '{'x' * 64}...'; expected one of: {TOP}"


@pytest.mark.parametrize("before", [[], ["show"], ["show", "version"], ["show", "frontends"], ["sync", "vpp", "lb"]])
def test_an_empty_word_is_none_whatever_could_stand_there(before: list[str]) -> None:
    with pytest.raises(ConfigError):
        parse([*before, ""])


def test_an_exact_match_wins_over_a_longer_word() -> None:
    rules = [Rule(synopsis, "", lambda _: None) for synopsis in ("show vpp info", "show vppcfg")]
    language = Language(rules, {}, {})

    assert language.parse(["show", "vpp", "info"])[0] is rules[0]
    with pytest.raises(ConfigError, match="ambiguous word 'vp' after 'show'; it may be one of: vpp, vppcfg"):
        language.parse(["show", "vp", "info"])


def test_where_a_name_may_stand_only_a_whole_keyword_is_none() -> None:
    rules = [Rule("show [NAME] [long]", "", lambda said: said)]
    language = Language(rules, {"NAME": Argument("a name")}, {})

    assert language.parse(["show", "long"])[1].keywords == ("show", "long")
    assert language.parse(["show", "lo"])[1].arguments == {"NAME": "lo"}
    assert language.parse(["show", "lo", "lo"])[1].keywords == ("show", "long")


@given(st.lists(st.sampled_from([*KEYWORDS, *PREFIXES]) | st.text(max_size=100), max_size=8))
@example(["show", "frontends", "\x1b[2J", "\n"])
def test_any_words_are_a_command_or_one_clear_line(words: list[str]) -> None:
    try:
        assert isinstance(parse(words), Line)
        said = ""
    except ConfigError as refused:
        said = str(refused)
    assert said.isprintable()
    assert len(said) < 700
    assert not said or "; " in said or "is no whole number" in said  # what could stand there instead


@given(st.lists(st.sampled_from([*KEYWORDS, *PREFIXES, "5", "web", ""]), max_size=8))
def test_words_are_a_command_when_the_synopses_have_such_a_sentence(words: list[str]) -> None:
    try:
        parse(words)
    except ConfigError:
        assert sentences.understood(words) not in ALL
    else:
        assert sentences.understood(words) in ALL


def unique_prefixes(word: str, siblings: set[str]) -> list[str]:
    """Where an argument may stand, only the whole word is a keyword."""
    if any(each.isupper() for each in siblings):
        return [word]
    starts = [word[:cut] for cut in range(1, len(word) + 1)]
    return [each for each in starts if sum(other.startswith(each) for other in siblings) == 1]


@given(st.sampled_from(ALL), st.data())
def test_every_sentence_is_understood_by_each_of_its_unique_prefixes(sentence: Sentence, data: st.DataObject) -> None:
    cut: list[str] = []
    whole: list[str] = []
    for at, word in enumerate(sentence):
        if word.isupper():
            whole.append(data.draw(st.sampled_from(sentences.VALUES.get(word, ["web", "two words"]))))
            cut.append(whole[-1])
        else:
            whole.append(word)
            cut.append(data.draw(st.sampled_from(unique_prefixes(word, sentences.following(sentence[:at])))))

    assert repr(parse(cut)) == repr(parse(whole))  # named tuples of two classes may be equal


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.synopsis)
def test_every_rule_is_the_one_that_its_own_words_mean(rule: Rule[Command]) -> None:
    for sentence in sentences.sentences(rule.synopsis, rule.pipes):
        words = [sentences.VALUES.get(word, [word])[0] for word in sentence]
        assert LANGUAGE.parse(words)[0] is rule
