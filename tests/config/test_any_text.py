"""Any text is a configuration or an error that says where; nothing else may come out, and not late either."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from maglev.config import document
from maglev.config.faults import Faults
from maglev.config.parse import Config, ConfigFaults, load, parse
from tests.config.samples import VALID

LINES = VALID.splitlines()
SCRAPS = st.sampled_from(
    [
        *("", "{}", "[]", "~", "- ", "? ", ": ", "a: ", "&a ", "*a", "!!str ", "! ", "<<: ", "---", "...", "%YAML 1.2"),
        *("|", ">", '"', "'", "#", "\t", "080", "on", "0x1", "1:20", ".inf", "2024-01-01", "=", "::1", "1" * 5000, "{"),
        *("}", "[", ",", '"\\ud800"', '"\\UFFFFFFFF"', "\ud800", "\ufeff", "\u2028", "\x85", "\x00", "maglev"),
        *("maglev:", "(a+)+", "é", "🎉"),
    ]
)
LOADERS = pytest.mark.parametrize("loader", [yaml.SafeLoader, document._LOADER], ids=["python", "libyaml"])


def accept(text: str) -> Config | None:
    """Parse, holding parse to its promise."""
    try:
        return parse(text)
    except ConfigFaults as refused:
        error = refused
    lines = len(text.splitlines()) + 1
    assert error.faults
    assert all(fault.line is not None and 1 <= fault.line <= lines for fault in error.faults)
    assert all(fault.message for fault in error.faults)
    assert len(str(error).splitlines()) == len(error.faults)
    assert str(error).encode()
    return None


@LOADERS
@given(text=st.text() | st.text("maglev: -{}[]&*!|>'\"%@`#,?\n\t", max_size=60))
def test_any_text_at_all(loader: type, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_LOADER", loader)
        accept(text)


@LOADERS
@given(data=st.data())
def test_a_valid_configuration_with_any_scrap_in_it(loader: type, data: st.DataObject) -> None:
    text = VALID
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(SCRAPS | st.text(max_size=3)) + text[end:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_LOADER", loader)
        accept(text)


@given(index=st.integers(0, len(LINES) - 1), value=SCRAPS)
@example(index=0, value="[]")
def test_a_valid_configuration_with_any_value_replaced(index: int, value: str) -> None:
    key, colon, _ = LINES[index].partition(":")
    assume(colon)
    accept("\n".join([*LINES[:index], f"{key}: {value}", *LINES[index + 1 :]]))


@given(indexes=st.sets(st.integers(0, len(LINES) - 1), max_size=4), order=st.randoms(use_true_random=False))
def test_a_valid_configuration_with_lines_missing_or_moved(indexes: set[int], order: object) -> None:
    del order
    kept = [line for index, line in enumerate(LINES) if index not in indexes]
    accept("\n".join(kept))
    accept("\n".join([*kept, *(LINES[index] for index in indexes)]))


@given(raw=st.binary() | st.text().map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_bytes_at_all(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigFaults):
        load(path)


@LOADERS
@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{" * 1_000_000,
        "- " * 500_000,
        "? " * 500_000,
        "".join(" " * depth + "a:\n" for depth in range(1000)),
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]\n" for p, c in zip("abcdefghij", "bcdefghijk", strict=True)
        ),
        "x" * (document.MAX_CHARACTERS + 1),
    ],
    ids=["lists", "mappings", "dashes", "complex keys", "indents", "alias bomb", "too long"],
)
def test_what_is_made_to_hurt_is_refused_at_once(loader: type, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_LOADER", loader)
    start = time.process_time()
    with pytest.raises(ConfigFaults) as caught:
        parse(text)

    assert caught.value.is_syntax
    assert time.process_time() - start < 2


@LOADERS
@pytest.mark.parametrize(
    "text",
    [
        f"%YAML {'9' * 5000}.1\n--- a",
        '"\\UFFFFFFFF"',
        'maglev: "\\ud800"',
        'maglev: {backends: {"\\ud800": {}}}',
        'maglev: {"\\u2028": 1}',
        'maglev: {"\\n": {}}',
        "maglev: {? [a, b] : c}",
        "&a maglev: {*a : *a}",
    ],
)
def test_what_one_of_the_parsers_lets_through(loader: type, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_LOADER", loader)

    assert accept(text) is None


def test_the_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_NODES", 10)
    with pytest.raises(ConfigFaults, match="more than 10 values") as caught:
        parse("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]")

    assert caught.value.is_syntax


@pytest.mark.parametrize("field", ["key", "value"])
def test_a_thousand_unknown_references_cost_no_more_than_they_should(field: str) -> None:
    names = "".join(f"    backend{number}: {{address: 10.0.0.1}}\n" for number in range(5000))
    wrong = ", ".join(f"backed{number}: {{}}" for number in range(5000))
    key = "address" if field == "key" else "backends"
    text = f"maglev:\n  backends:\n{names}  frontends:\n    x:\n      pools: [{{name: a, {key}: {{{wrong}}}}}]\n"
    start = time.process_time()

    assert accept(text) is None
    assert time.process_time() - start < 5


def test_loading_names_what_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"maglev:\n  # caf\xe9\n")
    for path, line, message in (
        (tmp_path / "none.yaml", None, "^cannot read .*none.yaml: No such file or directory$"),
        (tmp_path, None, "^cannot read .*: Is a directory$"),
        (Path("a\0b"), None, "^cannot read"),
        (latin, 2, "^line 2: the byte 0xe9 is not UTF-8"),
    ):
        with pytest.raises(ConfigFaults, match=message) as caught:
            load(path)
        assert caught.value.is_syntax
        assert [fault.line for fault in caught.value.faults] == [line]


def test_loading_takes_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_text(VALID, encoding="utf-8-sig")

    assert load(path) == parse(VALID)


def test_a_forbidden_character_far_down_is_told_with_its_place() -> None:
    text = "a: b\n" * 200_000 + "c: d\x07"

    with pytest.raises(ConfigFaults) as caught:
        document.read(text, Faults())

    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == (200_001, 5)
    assert "U+0007" in fault.message


def test_a_dissolved_tree_is_empty_also_where_aliases_share_nodes() -> None:
    root = document.read("a: &x {b: [{c: d}, e]}\nf: *x\n", Faults())
    assert isinstance(root, document.Mapping)
    (first, second) = (entry.value for entry in root.entries.values())
    assert first is second
    assert isinstance(first, document.Mapping)

    document.dissolve(root)

    assert (root.entries, first.entries) == ({}, {})
