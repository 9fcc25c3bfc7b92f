import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli import grammar
from maglev.cli.grammar import (
    RULES,
    Command,
    Help,
    ShowBackends,
    ShowFrontends,
    ShowLbCounters,
    ShowLbState,
    ShowVersion,
    ShowVppInfo,
)
from maglev.errors import ConfigError

KEYWORDS = sorted({keyword for rule in RULES for keyword in rule.keywords})
PREFIXES = [keyword[:cut] for keyword in KEYWORDS for cut in range(1, len(keyword) + 1)]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("help", Help()),
        ("h", Help()),
        ("show version", ShowVersion()),
        ("show frontends", ShowFrontends(None)),
        ("show frontends web", ShowFrontends("web")),
        ("show backends", ShowBackends(None)),
        ("show backends show", ShowBackends("show")),
        ("show vpp info", ShowVppInfo()),
        ("show vpp lb state", ShowLbState()),
        ("show vpp lb counters", ShowLbCounters()),
        ("s f", ShowFrontends(None)),
        ("s b web1", ShowBackends("web1")),
        ("sh ve", ShowVersion()),
        ("sho vp l c", ShowLbCounters()),
        ("s vpp l s", ShowLbState()),
        ("s vp i", ShowVppInfo()),
    ],
)
def test_words_and_unique_prefixes_are_understood(line: str, command: Command) -> None:
    assert grammar.parse(line.split()) == command


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shw", "unknown word 'shw'; expected one of: help, show"),
        ("show frobs", "unknown word 'frobs' after 'show'; expected one of: backends, frontends, version, vpp"),
        ("show vpp lb nothing", "unknown word 'nothing' after 'show vpp lb'; expected one of: counters, state"),
        ("s v", "ambiguous word 'v' after 's'; it may be: version, vpp"),
        ("show", "'show' is not all; next comes one of: backends, frontends, version, vpp"),
        ("s vp", "'show vpp' is not all; next comes one of: info, lb"),
        ("show version 1", "nothing can follow 'show version'; leave out '1'"),
        ("show frontends a b c", "nothing can follow 'show frontends [NAME]'; leave out 'b'"),
        ("SHOW version", "unknown word 'SHOW'; expected one of: help, show"),
        ("", "no command; next comes one of: help, show"),
    ],
)
def test_wrong_words_are_named_with_what_could_stand_there(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        grammar.parse(line.split())

    assert str(refused.value) == said


def test_a_very_long_word_is_cut() -> None:
    with pytest.raises(ConfigError) as refused:
        grammar.parse(["x" * 10_000])

    assert str(refused.value) == f"unknown word '{'x' * 64}...'; expected one of: help, show"


def test_an_empty_word_is_ambiguous_unless_only_one_can_be_meant() -> None:
    with pytest.raises(ConfigError, match="ambiguous word '' after 'show'"):
        grammar.parse(["show", ""])


def test_an_exact_match_wins_over_a_longer_word(monkeypatch: pytest.MonkeyPatch) -> None:
    longer = grammar.Rule(("show", "vppcfg"), lambda _: ShowVersion(), "")
    monkeypatch.setattr(grammar, "RULES", (*RULES, longer))

    assert grammar.parse(["show", "vpp", "info"]) == ShowVppInfo()
    with pytest.raises(ConfigError, match="ambiguous word 'vp' after 'show'; it may be: vpp, vppcfg"):
        grammar.parse(["show", "vp", "info"])


@given(st.lists(st.sampled_from([*KEYWORDS, *PREFIXES]) | st.text(max_size=100), max_size=6))
def test_any_words_are_a_command_or_one_clear_line(words: list[str]) -> None:
    said = "; "
    try:
        assert isinstance(grammar.parse(words), Command)
    except ConfigError as refused:
        said = str(refused)
    assert "; " in said  # what could stand there instead
    assert said.isprintable()
    assert len(said) < 700


@given(st.sampled_from(RULES), st.data())
def test_every_command_can_be_cut_to_unique_prefixes(rule: grammar.Rule, data: st.DataObject) -> None:
    words = []
    for depth, keyword in enumerate(rule.keywords):
        siblings = {
            other.keywords[depth]
            for other in RULES
            if other.keywords[:depth] == rule.keywords[:depth] and len(other.keywords) > depth
        }
        unique = [
            keyword[:cut]
            for cut in range(1, len(keyword) + 1)
            if sum(sibling.startswith(keyword[:cut]) for sibling in siblings) == 1
        ]
        words.append(data.draw(st.sampled_from(unique)))

    assert grammar.parse(words) == rule.build(None)
    if rule.argument:
        assert grammar.parse([*words, "any thing"]) == rule.build("any thing")
