import contextlib
import functools
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpp_papi.vpp_papi import VPPApiJSONFiles

from maglev.emulator.definitions import served_json
from maglev.errors import ProtocolError
from maglev.vpp.codec import REQUEST_HEADER, Encoder, decoder, encoder, text
from maglev.vpp.definitions import Shape, bootstrap_definitions, read_definitions
from tests.vpp.samples import DEFINITIONS, message, module

SHAPES = read_definitions(json.dumps(DEFINITIONS))
WEIGHT = (
    "pfx.address.af", "pfx.address.un", "pfx.len", "protocol", "port", "as_address.af", "as_address.un", "weight",
    "is_flush",
)  # fmt: skip


def shape(name: str, fields: str, *header: str) -> Shape:
    head = header or ("_vl_msg_id", "context")
    return read_definitions(json.dumps([module(messages=[message(name, "1", head, fields)])]))[name]


def test_a_request_is_packed_big_endian_behind_its_header() -> None:
    encode = encoder(SHAPES["lb_as_set_weight"], *WEIGHT)

    packed = encode(0, bytes([192, 0, 2, 1]), 32, 6, 80, 1, bytes(range(16)), 100, True)

    assert packed == (
        bytes([0, 192, 0, 2, 1]) + bytes(12) + bytes([32, 6, 0, 80, 1]) + bytes(range(16)) + bytes([100, 1])
    )


def test_a_request_leaves_no_field_out() -> None:
    with pytest.raises(ProtocolError, match=r"other fields.*seen=.*is_flush.*expected="):
        encoder(SHAPES["lb_as_set_weight"], *WEIGHT[:-1])


def test_a_number_that_does_not_fit_is_a_protocol_error() -> None:
    encode = encoder(SHAPES["lb_as_set_weight"], *WEIGHT)

    with pytest.raises(ProtocolError, match="does not fit"):
        encode(0, b"", 32, 6, 65536, 0, b"", 100, True)


def test_a_string_at_the_end_of_a_request_brings_its_length() -> None:
    assert encoder(SHAPES["cli_inband"], "cmd")(b"show lb") == b"\0\0\0\x07show lb"


def test_a_request_with_another_header_is_not_ours() -> None:
    with pytest.raises(ProtocolError, match="header"):
        encoder(shape("odd", "a u8"), "a")


def test_only_the_fields_asked_for_are_decoded() -> None:
    decode = decoder(SHAPES["lb_as_v2_details"], "vip.port", "app_srv.un", "num_buckets")
    head = struct.pack(">HIB16sBBH", 1, 2, 0, b"", 32, 6, 80)
    tail = struct.pack(">B16sBIBI", 0, b"backend", 1, 0, 100, 408)

    assert decode(head + tail) == (80, b"backend".ljust(16, b"\0"), 408)


@pytest.mark.parametrize("size", [0, 5, 9, 11])
def test_a_reply_of_another_length_is_a_protocol_error(size: int) -> None:
    with pytest.raises(ProtocolError, match=rf"message=lb_conf_reply seen={size} expected=10"):
        decoder(SHAPES["lb_conf_reply"], "retval")(bytes(size))


def test_fields_that_a_reply_lacks_are_named() -> None:
    with pytest.raises(ProtocolError, match="expected=retval,weather"):
        decoder(SHAPES["lb_conf_reply"], "retval", "weather")


def test_a_string_at_the_end_of_a_reply_may_be_followed_by_a_nul() -> None:
    decode = decoder(SHAPES["cli_inband_reply"], "retval", "reply")
    head = struct.pack(">HIiI", 1, 2, -3, 4)

    assert decode(head + b"text\0") == (-3, b"text")


def test_a_string_that_is_shorter_than_it_says_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="seen=17 expected=18"):
        decoder(SHAPES["cli_inband_reply"], "reply")(struct.pack(">HIiI", 1, 2, 0, 4) + b"tex")


def test_an_array_that_nobody_asked_for_is_still_measured() -> None:
    decode = decoder(SHAPES["ip_route_lookup_reply"], "retval", "route.stats_index")
    head = struct.pack(">HIiIIB16sBB", 1, 2, 0, 0, 42, 0, b"", 32, 2)
    path = bytes(4 + 1 + 4 + 1 + 16 * 7)

    assert decode(head + 2 * path) == (0, 42)
    with pytest.raises(ProtocolError, match="wrong length"):
        decode(head + path)


def test_the_message_table_is_decoded_record_by_record() -> None:
    decode = decoder(bootstrap_definitions()["sockclnt_create_reply"], "index", "message_table", header=REQUEST_HEADER)
    head = struct.pack(">HIIiIH", 16, 0, 0, 0, 7, 2)

    assert decode(head + struct.pack(">H64sH64s", 20, b"one_1", 21, b"two_2")) == (
        7,
        ((20, b"one_1".ljust(64, b"\0")), (21, b"two_2".ljust(64, b"\0"))),
    )


def test_an_array_without_its_count_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="no count"):
        decoder(shape("odd", "n string 2, all prefix_matcher 0 n"))


def test_a_string_of_fixed_size_ends_at_the_first_nul() -> None:
    assert text(b"26.10\0\xff") == "26.10"


@given(st.sampled_from(sorted(SHAPES)), st.binary(max_size=400))
def test_any_bytes_are_a_reply_or_a_protocol_error(name: str, frame: bytes) -> None:
    one = SHAPES[name]
    if "client_index" in one.scalars[1].path:
        return
    with contextlib.suppress(ProtocolError):
        decoder(one, *[scalar.path for scalar in one.scalars[2:]])(frame)


@functools.cache
def both() -> tuple[Any, Encoder]:
    """One request as vpp_papi's own serializer has it and as ours does, out of the same definitions.

    They must be VPP's: vpp_papi keeps types in one registry per process, where the first definition of a name wins.
    """
    definitions = served_json()
    theirs, _ = VPPApiJSONFiles.process_json_array_str(definitions)
    return theirs["lb_as_set_weight"], encoder(read_definitions(definitions)["lb_as_set_weight"], *WEIGHT)


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 255), st.integers(0, 65535), st.integers(0, 255),
    st.booleans(),
)  # fmt: skip
def test_our_bytes_are_those_of_vpp_papi(
    vip: int, length: int, protocol: int, port: int, weight: int, is_flush: bool
) -> None:
    vip_bytes, backend = vip.to_bytes(4, "big"), bytes(range(16))
    papi_message, encode = both()
    theirs = papi_message.pack(
        {
            "_vl_msg_id": 7,
            "client_index": 8,
            "context": 9,
            "pfx": {"address": {"af": 0, "un": {"ip4": vip_bytes}}, "len": length},
            "protocol": protocol,
            "port": port,
            "as_address": {"af": 1, "un": {"ip6": backend}},
            "weight": weight,
            "is_flush": is_flush,
        }
    )

    ours = encode(0, vip_bytes, length, protocol, port, 1, backend, weight, is_flush)

    assert struct.pack(">HII", 7, 8, 9) + ours == bytes(theirs)
