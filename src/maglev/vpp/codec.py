"""Shapes -> compiled encoders and decoders of one message each; knows what bytes mean, not what they are for.

All integers are big endian. A request starts with message id, client index and context, a reply with message id and
context (but for the handshake, where it is the other way round): those belong to the transport, so an encoder makes
what follows them and a decoder skips them.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from maglev.errors import ProtocolError
from maglev.vpp.definitions import Records, Scalar, Shape, Text

REQUEST_HEADER = ("_vl_msg_id", "client_index", "context")
REPLY_HEADER = ("_vl_msg_id", "context")

Value = int | bytes
"""What a scalar holds: integers and booleans as int, addresses, unions and strings as bytes of their full size."""
Encoder = Callable[..., bytes]
Decoder = Callable[[bytes], tuple[Any, ...]]

_LENGTH = struct.Struct(">I")


def encoder(shape: Shape, *paths: str, header: Sequence[str] = REQUEST_HEADER) -> Encoder:
    """A function from values, in this order, to the request's bytes behind the header.

    `paths` must be all fields in their order on the wire: VPP applies no default values, so none may be left out. A
    string at the end takes bytes. The function raises ProtocolError for a number that does not fit its field; bytes
    are filled up with NUL or cut.
    """
    _, scalars = _split(shape, header)
    expected = [scalar.path for scalar in scalars]
    if isinstance(shape.tail, Text):
        expected.append(shape.tail.path)
    if isinstance(shape.tail, Records) or expected != list(paths):
        raise ProtocolError(
            "a request has other fields than we send", message=shape.name, seen=_list(expected), expected=_list(paths)
        )
    packed = struct.Struct(_format(scalars))

    def encode(*values: Value) -> bytes:
        try:
            return packed.pack(*values)
        except struct.error as error:
            raise ProtocolError("a value does not fit its field", message=shape.name, seen=str(error)) from error

    def encode_with_text(*values: Any) -> bytes:
        *fixed, string = values
        return encode(*fixed) + _LENGTH.pack(len(string)) + bytes(string)

    return encode_with_text if isinstance(shape.tail, Text) else encode


def decoder(shape: Shape, *paths: str, header: Sequence[str] = REPLY_HEADER) -> Decoder:
    """A function from a whole reply to the values of `paths`, which must be in their order on the wire.

    Fields that are not asked for cost nothing. A string at the end comes as bytes, an array at the end as a tuple of
    tuples. The function raises ProtocolError when the reply is shorter or longer than its own counts say; behind a
    string VPP may add bytes (get_api_json_reply brings a NUL).
    """
    start, scalars = _split(shape, header)
    tail = shape.tail
    known = [scalar.path for scalar in scalars] + ([tail.path] if tail else [])
    if [path for path in known if path in paths] != list(paths):
        raise ProtocolError(
            "a reply lacks fields that we read", message=shape.name, seen=_list(known), expected=_list(paths)
        )
    head = struct.Struct(f">{start}x{_wanted(scalars, paths)}")
    match tail:
        case None:
            return _fixed(shape.name, head)
        case Text(path):
            return _with_text(shape.name, head, path in paths)
        case Records():
            count = _count(shape.name, tail.count, start, scalars)
            return _with_records(shape.name, head, count, struct.Struct(_format(tail.record)), tail.path in paths)


def text(field: bytes) -> str:
    """A fixed-size string of VPP: what stands before the first NUL."""
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _fixed(name: str, head: struct.Struct) -> Decoder:
    size, unpack = head.size, head.unpack

    def decode(frame: bytes) -> tuple[Any, ...]:
        if len(frame) != size:
            raise _wrong_length(name, frame, size)
        return unpack(frame)

    return decode


def _with_text(name: str, head: struct.Struct, is_wanted: bool) -> Decoder:
    size = head.size + _LENGTH.size

    def decode(frame: bytes) -> tuple[Any, ...]:
        if len(frame) < size:
            raise _wrong_length(name, frame, size)
        (length,) = _LENGTH.unpack_from(frame, head.size)
        if len(frame) < size + length:
            raise _wrong_length(name, frame, size + length)
        values = head.unpack_from(frame)
        return (*values, frame[size : size + length]) if is_wanted else values

    return decode


def _count(name: str, path: str, start: int, scalars: Sequence[Scalar]) -> struct.Struct:
    at = start
    for scalar in scalars:
        if scalar.path == path and scalar.code in "BHIQ":
            return struct.Struct(f">{at}x{scalar.code}")
        at += scalar.size
    raise ProtocolError("an array has no count", message=name, expected=path)


def _with_records(
    name: str, head: struct.Struct, count: struct.Struct, record: struct.Struct, is_wanted: bool
) -> Decoder:
    def decode(frame: bytes) -> tuple[Any, ...]:
        if len(frame) < head.size:
            raise _wrong_length(name, frame, head.size)
        expected = head.size + count.unpack_from(frame)[0] * record.size
        if len(frame) != expected:
            raise _wrong_length(name, frame, expected)
        values = head.unpack_from(frame)
        return (*values, tuple(record.iter_unpack(memoryview(frame)[head.size :]))) if is_wanted else values

    return decode


def _split(shape: Shape, header: Sequence[str]) -> tuple[int, tuple[Scalar, ...]]:
    first, rest = shape.scalars[: len(header)], shape.scalars[len(header) :]
    seen = [scalar.path for scalar in first]
    if seen != list(header):
        raise ProtocolError(
            "a message has a header that we do not know", message=shape.name, seen=_list(seen), expected=_list(header)
        )
    return sum(scalar.size for scalar in first), rest


def _wanted(scalars: Iterable[Scalar], paths: Sequence[str]) -> str:
    return "".join(scalar.code if scalar.path in paths else f"{scalar.size}x" for scalar in scalars)


def _format(scalars: Iterable[Scalar]) -> str:
    return ">" + "".join(scalar.code for scalar in scalars)


def _list(paths: Sequence[str]) -> str:
    return ",".join(paths) or "none"


def _wrong_length(name: str, frame: bytes, expected: int) -> ProtocolError:
    return ProtocolError("a message has the wrong length", message=name, seen=len(frame), expected=expected)
