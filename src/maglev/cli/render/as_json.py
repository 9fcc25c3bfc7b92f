"""Messages -> JSON, by one rule: the answer of the RPC as the .proto has it; must not know what any message means.

Its names, every field of it: what is absent is null, an empty list is []. Only of a oneof what is not set is left out,
as one member at most can be. Integers are numbers, those of 64 bits too; maps are objects, sorted. Pure ASCII, so that
it is valid JSON whatever the terminal's encoding.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import attrgetter

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_AS_THEY_ARE = frozenset(
    getattr(FieldDescriptor, f"TYPE_{name}")
    for name in ("DOUBLE", "FLOAT", "INT32", "INT64", "UINT32", "UINT64", "BOOL", "STRING")
)


def document(answer: Message | Mapping[str, object]) -> str:
    """One document, indented, without a line end."""
    return _indented(answer, "\n") if isinstance(answer, Message) else json.dumps(answer, indent=2, allow_nan=False)


def line(answer: Message | Mapping[str, object]) -> str:
    """One document in one line."""
    return json.dumps(_plain(answer), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return {name: _plain(each) for name, each in _items(value)}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _indented(message: Message, end: str) -> str:
    """What json.dumps makes of it with an indent of 2; `end` is a line end and the blanks before the closing brace.

    For a large site that takes three times as long: it is written in Python, of millions of objects made before, which
    are looked through for garbage again and again. Here C writes what holds no other, and at once.
    """
    inner = f"{end}  "
    pieces: list[str] = []
    flat: dict[str, object] = {}
    for name, value in _items(message):
        if not isinstance(value, Message | list | dict):
            flat[name] = value
            continue
        if flat:
            pieces.append(_flat(inner).encode(flat)[1:-1])
            flat = {}
        pieces.append(f'"{name}": {_container(value, inner)}')
    if flat:
        pieces.append(_flat(inner).encode(flat)[1:-1])
    return f"{{{inner}{f',{inner}'.join(pieces)}{end}}}" if pieces else "{}"


def _container(value: object, end: str) -> str:
    if isinstance(value, Message):
        return _indented(value, end)
    if isinstance(value, list) and value and isinstance(value[0], Message):
        inner = f"{end}  "
        return f"[{inner}{f',{inner}'.join([_indented(each, inner) for each in value])}{end}]"
    return json.dumps(value, indent=2, allow_nan=False).replace("\n", end)


@cache
def _flat(inner: str) -> json.JSONEncoder:
    return json.JSONEncoder(allow_nan=False, separators=(f",{inner}", ": "))


def _items(message: Message) -> Iterator[tuple[str, object]]:
    """Its fields as they are written; messages inside are still messages."""
    for name, is_choice, read in _fields(message.DESCRIPTOR):
        if not is_choice or message.HasField(name):
            yield name, read(message)


@cache
def _fields(descriptor: Descriptor) -> tuple[tuple[str, bool, Callable[[Message], object]], ...]:
    """Of each field its name, whether it is one of a oneof's, and how it is read."""
    return tuple((field.name, _is_choice(field), _reader(field)) for field in descriptor.fields)


def _is_choice(field: FieldDescriptor) -> bool:
    oneof = field.containing_oneof
    return oneof is not None and oneof.name != f"_{field.name}"  # as the compiler calls the one of an `optional`


def _reader(field: FieldDescriptor) -> Callable[[Message], object]:
    inner = field.message_type
    read = attrgetter(field.name)
    if inner is None and field.type not in _AS_THEY_ARE:
        raise TypeError(f"{field.full_name}: JSON of this type is not decided")
    if inner is not None and inner.GetOptions().map_entry:
        return lambda message: dict(sorted(read(message).items()))
    if field.is_repeated:
        return lambda message: list(read(message))
    if field.has_presence:
        return lambda message: read(message) if message.HasField(field.name) else None
    return read
