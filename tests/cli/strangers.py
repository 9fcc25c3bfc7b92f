"""Any message of the API, whatever it means, for Hypothesis."""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from maglev.rpc._pb import maglev_pb2 as pb

SCALARS: dict[int, st.SearchStrategy[object]] = {
    FieldDescriptor.TYPE_STRING: st.text(max_size=8),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
}


@st.composite
def filled(draw: st.DrawFn, kind: str, depth: int = 0) -> Message:
    """A message of that kind with any of its fields set."""
    message: Message = getattr(pb, kind)()
    for field in message.DESCRIPTOR.fields:
        inner = field.message_type
        if draw(st.integers(0, 3)) == 0 or (depth > 3 and inner is not None):
            continue
        if inner is not None and inner.GetOptions().map_entry:
            getattr(message, field.name).update(draw(st.dictionaries(st.text(max_size=3), st.text(max_size=3))))
        elif inner is not None:
            parts = draw(st.lists(filled(inner.name, depth + 1), min_size=not field.is_repeated, max_size=2))
            if field.is_repeated:
                getattr(message, field.name).extend(parts)
            else:
                getattr(message, field.name).CopyFrom(parts[0])
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(SCALARS[field.type], max_size=3)))
        else:
            setattr(message, field.name, draw(SCALARS[field.type]))
    return message
