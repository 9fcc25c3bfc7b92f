"""What Tab and `?` offer, against the sentences that the synopses allow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.cli.completion import MOST_NAMES, candidates, explain, extended, in_columns, listed, may_end
from maglev.cli.grammar import Said
from maglev.cli.line import quoted, split
from maglev.cli.words import parse
from maglev.errors import ConfigError
from tests.cli import sentences
from tests.cli.sentences import ALL, Sentence

KEYWORDS = {word for sentence in ALL for word in sentence if not word.isupper()}
ODD = ["web", "web1", "wet", "two words", 'say "hi"', "it's", "a|b", "|", "-", "\u00fc", "pause", "#1"]


def names(place: str, said: Said) -> list[str]:
    """Names that tell for what they were asked, and odd ones."""
    if place in sentences.VALUES:
        return []
    return [f"{place}/{'/'.join(said.arguments.values())}", *ODD]


def typed(words: list[str]) -> str:
    return "".join(f"{word if word == '|' else quoted(word)} " for word in words)


@st.composite
def starts(draw: st.DrawFn) -> tuple[list[str], Sentence]:
    """The first words of a sentence as they may be typed, and what they stand for."""
    sentence = draw(st.sampled_from(ALL))
    start = sentence[: draw(st.integers(0, len(sentence)))]
    words = []
    for at, word in enumerate(start):
        if word.isupper():
            words.append(draw(st.sampled_from(sentences.VALUES.get(word, ["web", "two words"]))))
            continue
        choices = sentences.following(start[:at])
        is_alone = not any(each.isupper() for each in choices)
        cuts = [word[:cut] for cut in range(1, len(word)) if sum(each.startswith(word[:cut]) for each in choices) == 1]
        words.append(draw(st.sampled_from([word, *(cuts if is_alone else [])])))
    return words, start


def offered_by_synopses(words: list[str], start: Sentence) -> set[str]:
    """Keywords, choices and names, by brute force."""
    choices = sentences.following(start)
    found = {each for each in choices if not each.isupper()}
    arguments = {at_word: word for at_word, word in zip(start, words, strict=True) if at_word.isupper()}
    for place in choices - found:
        if place == "LEVEL":
            found |= set(sentences.LEVELS)
        else:
            found |= set(names(place, Said(arguments)))
    return found


@given(starts())
def test_exactly_the_legal_next_words_are_offered(given_: tuple[list[str], Sentence]) -> None:
    words, start = given_
    offered = [split(each.word)[0] for each in candidates(typed(words), names)]

    assert set(offered) == offered_by_synopses(words, start)
    assert len(offered) == len(set(offered))


@settings(max_examples=50)
@given(starts())
def test_a_word_is_offered_if_a_command_can_be_made_with_it(given_: tuple[list[str], Sentence]) -> None:
    words, start = given_
    offered = {split(each.word)[0] for each in candidates(typed(words), names)}
    rests = {tuple(sentence[len(start) + 1 :]) for sentence in ALL if sentence[: len(start)] == start}
    others = {each for each in KEYWORDS if not any(word.startswith(each) for word in offered)}
    if any(each.isupper() for each in sentences.following(start)):
        others = set()  # each of them may be a name that the server has not
    for word in offered:
        assert any(is_command([*words, word, *values(rest)]) for rest in rests)
    for word in others:
        assert not any(is_command([*words, word, *values(rest)]) for rest in sorted(rests, key=len)[:4])


def values(rest: Sentence) -> list[str]:
    return [sentences.VALUES.get(each, [each])[0] for each in rest]


def is_command(words: list[str]) -> bool:
    try:
        parse(words)
    except ConfigError:
        return False
    return True


@given(starts(), st.data())
def test_a_begun_word_leaves_those_that_go_on_as_it_does(
    given_: tuple[list[str], Sentence], data: st.DataObject
) -> None:
    whole = typed(given_[0])
    every = [split(each.word)[0] for each in candidates(whole, names)]
    begun = data.draw(st.sampled_from([word[:cut] for word in every for cut in range(1, len(word))] or ["x"]))
    mark = data.draw(st.sampled_from([each for each in ("", "'", '"') if each not in begun or not each]))
    if not mark and quoted(begun) != begun:
        mark = "'" if '"' in begun else '"'

    left = candidates(whole + mark + begun, names)

    assert [split(each.word)[0] for each in left] == [word for word in every if word.startswith(begun)]


@given(starts(), st.text("webtior \"'|", max_size=6))
def test_tab_adds_only_what_all_have_in_common(given_: tuple[list[str], Sentence], begun: str) -> None:
    text = typed(given_[0]) + begun
    found = candidates(text, names)
    longer = extended(text, found)

    if longer != text and not longer.endswith(" "):
        assert candidates(longer, names) == found
        assert extended(longer, found) == longer
    elif longer != text:
        assert len(found) == 1
        assert split(longer)[-1] == split(found[0].word)[0]


@pytest.mark.parametrize(
    "text", ["shwo ", "quit ", "show backends web1 x ", "show backends | ", "shov", "show vpp lb x y"]
)
def test_nothing_is_offered_behind_wrong_words(text: str) -> None:
    assert [each.word for each in candidates(text, names)] == (["json", "match"] if text.endswith("| ") else [])


@pytest.mark.parametrize(
    ("text", "longer"),
    [
        ("sh", "show "),
        ("s", "s"),
        ("show v", "show v"),
        ("show ve", "show version "),
        ("show backends we", "show backends we"),
        ("show backends tw", 'show backends "two words" '),
        ('show backends "tw', 'show backends "two words" '),
        ("show backends 'two w", 'show backends "two words" '),
        ("show backends sa", "show backends 'say \"hi\"' "),
        ("show backends it", 'show backends "it\'s" '),
        ("show version ", "show version "),  # a pipe may follow, and need not
        ("show version |", "show version |"),
        ("show version |j", "show version |json "),
        ("set frontend web pool web backend web weight 0 ", "set frontend web pool web backend web weight 0 "),
        ("set frontend web pool web backend web weight 0 f", "set frontend web pool web backend web weight 0 flush "),
        ("nonsense ", "nonsense "),
    ],
)
def test_tab(text: str, longer: str) -> None:
    assert extended(text, candidates(text, names)) == longer


def test_tab_opens_quotes_for_what_is_common() -> None:
    def two(_: str, __: Said) -> list[str]:
        return ["a house", "a home"]

    for begun in ("", "a", '"a', '"a h'):
        assert extended(f"set backend {begun}", candidates(f"set backend {begun}", two)) == 'set backend "a ho'
    assert extended("set backend 'a", candidates("set backend 'a", two)) == "set backend 'a ho"


def test_names_that_cannot_be_typed_are_not_offered() -> None:
    def strange(_: str, __: Said) -> list[str]:
        return ["", "\x1b[2J", "both\"'", "fine", "fine"]

    assert [each.word for each in candidates("set backend ", strange)] == ["fine"]


def test_names_are_asked_for_with_what_was_said() -> None:
    asked = []

    def told(place: str, said: Said) -> list[str]:
        asked.append((place, dict(said.arguments)))
        return []

    candidates("set f web p main b ", told)

    assert asked == [("BACKEND", {"FRONTEND": "web", "POOL": "main"})]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "show vpp lb counters ",
            [
                "  rate     per second, between two samples",
                "  |        json, or match REGEX",
                "  <Enter>  run it",
            ],
        ),
        (
            "watch events log level w",
            ["  LEVEL    log records of this level and above", "    warning", "  <Enter>  run it"],
        ),
        ("sh ve", ["  version  versions of maglevc and maglevd", "  <Enter>  run it"]),
        ("show ve", ["  version  versions of maglevc and maglevd", "  <Enter>  run it"]),
        ("quit ", ["  <Enter>  run it"]),
        ("quit x", ["nothing can follow 'quit'; leave out 'x'"]),
        ("quit x ", ["nothing can follow 'quit'; leave out 'x'"]),
        ("set frontend a pool b backend c weight 101", ["'101' is no whole number from 0 to 100"]),
        ("set frontend a pool b backend c weight ", ["  WEIGHT  0 to 100"]),
        ("show backends 'tw", ["  BACKEND  name of a backend", "    two words"]),
        ("watch frontends | j", ["unknown word 'j' after 'watch frontends |'; expected match"]),
    ],
)  # fmt: skip
def test_explanations(text: str, lines: list[str]) -> None:
    assert explain(text, names) == lines


def test_an_explanation_has_so_many_names_and_says_how_many_more() -> None:
    lines = explain("set backend ", lambda _, __: [f"web{number:03}" for number in range(1000)])

    assert lines[0] == "  BACKEND  name of a backend"
    assert sum(line.count("web") for line in lines) == MOST_NAMES
    assert lines[-1] == f"    ... and {1000 - MOST_NAMES} more"


@given(st.lists(st.sampled_from([*KEYWORDS, *ODD, "'", '"', " ", "?", "|"]), max_size=8), st.integers(1, 200))
def test_anything_can_be_explained(parts: list[str], width: int) -> None:
    for text in ("".join(parts), " ".join(parts)):
        lines = explain(text, names, width)
        assert lines
        assert all(line.isprintable() for line in lines)


@given(starts(), st.integers(20, 100))
def test_an_explanation_fits_its_width(given_: tuple[list[str], Sentence], width: int) -> None:
    lines = explain(typed(given_[0]), lambda _, __: ["a", "b"], width)

    assert all(len(line) <= width for line in lines)


@given(starts())
def test_an_explanation_says_when_the_line_may_end(given_: tuple[list[str], Sentence]) -> None:
    words, start = given_
    ends = any(line.startswith("  <Enter>") for line in explain(typed(words), names))

    assert ends == may_end(words) == (start in ALL)


@given(st.lists(st.text("ab", min_size=1, max_size=30), max_size=100), st.integers(1, 80), st.integers(1, 30))
def test_columns_hold_all_words_in_order_and_fit(words: list[str], width: int, height: int) -> None:
    lines = in_columns(words, width)
    assert sorted(word for line in lines for word in line.split()) == sorted(words)
    assert [line.split()[0] for line in lines] == words[: len(lines)]
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)

    shown = listed(words, width, height)
    assert len(shown) <= max(height, 2)
    if shown != lines:
        assert shown[-1] == f"... and {len(words) - sum(len(line.split()) for line in shown[:-1])} more"
