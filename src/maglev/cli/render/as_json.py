"""Messages -> JSON, by one rule: the answer of the RPC as the .proto has it; must not know what any message means.

Its names, every field of it: what is absent is null, an empty list is []. Only of a oneof what is not set is left out,
as one member at most can be. Integers are numbers, those of 64 bits too; maps are objects, sorted. Pure ASCII, so that
it is valid JSON whatever the terminal's encoding.
"""

import json
from collections.abc import Callable, Iterable, Mapping
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
    return json.dumps(_plain(answer), indent=2, allow_nan=False)


def line(answer: Message | Mapping[str, object]) -> str:
    """One document in one line."""
    return json.dumps(_plain(answer), allow_nan=False)


def _plain(answer: Message | Mapping[str, object]) -> Mapping[str, object]:
    return _object(answer) if isinstance(answer, Message) else answer


def _object(message: Message) -> dict[str, object]:
    return {
        name: read(message)
        for name, is_choice, read in _fields(message.DESCRIPTOR)
        if not is_choice or message.HasField(name)
    }


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
        return (lambda message: list(read(message))) if inner is None else (lambda message: _objects(read(message)))
    if inner is not None:
        return lambda message: _object(read(message)) if message.HasField(field.name) else None
    if field.has_presence:
        return lambda message: read(message) if message.HasField(field.name) else None
    return read


def _objects(messages: Iterable[Message]) -> list[dict[str, object]]:
    return [_object(each) for each in messages]
