import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.errors import ProtocolError
from maglev.vpp.definitions import MAX_SCALARS, Records, Scalar, Shape, Text, bootstrap_definitions, read_definitions
from tests.vpp.samples import DEFINITIONS, message, module, rows

HEADER = ("_vl_msg_id", "context")


def shape(fields: str, **changed: Any) -> Shape:
    only = module(messages=[message("it", "0badcafe", HEADER, fields)], **changed)
    return read_definitions(json.dumps([only]))["it"]


def body(fields: str, **changed: Any) -> list[tuple[str, str]]:
    return [(scalar.path, scalar.code) for scalar in shape(fields, **changed).scalars[2:]]


def test_nested_types_are_flattened_to_scalars_with_their_paths() -> None:
    assert body("vip lb_vip") == [
        ("vip.pfx.address.af", "B"),
        ("vip.pfx.address.un", "16s"),
        ("vip.pfx.len", "B"),
        ("vip.protocol", "B"),
        ("vip.port", "H"),
    ]


def test_an_enum_without_a_stated_type_is_u32() -> None:
    assert body("a lb_srv_type, b fib_path_type, c ip_proto") == [("a", "I"), ("b", "I"), ("c", "B")]


def test_strings_and_bytes_of_fixed_size_stay_bytes() -> None:
    assert body("name string 64, raw u8 3, is_it bool") == [("name", "64s"), ("raw", "3s"), ("is_it", "?")]


def test_a_fixed_array_of_records_is_flattened_one_by_one() -> None:
    assert body("pair prefix_matcher 2, n u16 2") == [
        ("pair.0.le", "B"),
        ("pair.0.ge", "B"),
        ("pair.1.le", "B"),
        ("pair.1.ge", "B"),
        ("n.0", "H"),
        ("n.1", "H"),
    ]


def test_a_string_at_the_end_is_a_tail() -> None:
    assert shape("cmd string 0").tail == Text("cmd")


def test_an_array_with_a_count_is_a_tail_also_when_nested() -> None:
    tail = shape("route ip_route").tail

    assert isinstance(tail, Records)
    assert (tail.path, tail.count) == ("route.paths", "route.n_paths")
    assert sum(scalar.size for scalar in tail.record) == 4 + 1 + 4 + 1 + 16 * 7


def test_name_and_crc_are_spelled_as_in_the_message_table() -> None:
    assert shape("").name_crc == "it_0badcafe"


def test_each_module_is_read_with_its_own_types() -> None:
    old = module(types=[["thing", *rows("a u8")]], messages=[message("old", "1", HEADER, "it thing")])
    new = module(types=[["thing", *rows("a u32, b u8")]], messages=[message("new", "2", HEADER, "it thing")])

    found = read_definitions(json.dumps([old, new]))

    assert found["old"].scalars[2:] == (Scalar("it.a", "B"),)
    assert found["new"].scalars[2:] == (Scalar("it.a", "I"), Scalar("it.b", "B"))


def test_all_our_messages_have_a_shape() -> None:
    found = read_definitions(json.dumps(DEFINITIONS))

    assert len(found) == 20
    assert all(found[name].name == name for name in found)


def test_the_bootstrap_messages_come_from_vpp_papi() -> None:
    found = bootstrap_definitions()

    assert found["sockclnt_create"].name_crc == "sockclnt_create_455fb9c4"
    assert isinstance(found["sockclnt_create_reply"].tail, Records)


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ("it nobody_knows", {}),
        ("it itself", {"types": [["itself", *rows("again itself")]]}),
        ("it round", {"aliases": {"round": {"type": "vl_api_round_t"}}}),
        ("it hollow", {"types": [["hollow"]]}),
        ("it void", {"unions": [["void"]]}),
        ("cmd string 0, more u8", {}),
        ("it ip_route, more u8", {}),
        ("it ip_route 2", {}),
        ("it ip_route 0 n", {}),
        ("n u8, it u32 n", {}),
        ("it open", {"unions": [["open", *rows("cmd string 0")]]}),
        (f"it u32 {MAX_SCALARS + 1}", {}),
        (f"a u32 {MAX_SCALARS - 1}, b u32 2", {}),
        ("it odd", {"enums": [["odd", ["A", 1], {"enumtype": "u3"}]]}),
    ],
)
def test_a_definition_that_makes_no_sense_is_a_protocol_error(fields: str, changed: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="message=it"):
        shape(fields, **changed)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"types": []}]', '[{"messages": [[]]}]', "[" * 100_000, b"\xff"])
def test_a_text_that_is_no_definitions_is_a_protocol_error(text: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        read_definitions(text)


@given(st.text() | st.binary())
def test_any_text_is_definitions_or_a_protocol_error(text: str | bytes) -> None:
    with contextlib.suppress(ProtocolError):
        read_definitions(text)


WORDS = st.sampled_from(
    ["u8", "string", "vl_api_a_t", "vl_api_b_t", "a", "b", "type", "length", "crc", "enumtype", "_vl_msg_id", "context"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 5) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=20,
)
ROWS = st.lists(st.tuples(WORDS, WORDS) | st.tuples(WORDS, WORDS, st.integers(-1, 3), WORDS) | ANYTHING, max_size=3)
NAMED = st.lists(st.tuples(WORDS, ROWS).map(lambda pair: [pair[0], *pair[1]]) | ANYTHING, max_size=3)
MODULES = st.fixed_dictionaries(
    {},
    optional={
        "types": NAMED | ANYTHING,
        "unions": NAMED | ANYTHING,
        "enums": NAMED | ANYTHING,
        "enumflags": ANYTHING,
        "aliases": st.dictionaries(WORDS, st.fixed_dictionaries({"type": WORDS}, optional={"length": ANYTHING})),
        "messages": NAMED,
    },
)


@given(st.lists(MODULES | ANYTHING, max_size=3) | ANYTHING)
def test_any_json_gives_shapes_or_protocol_errors(found: Any) -> None:
    try:
        shapes = read_definitions(json.dumps(found))
    except ProtocolError:
        return
    for name in shapes:
        with contextlib.suppress(ProtocolError):
            assert isinstance(shapes[name], Shape)
