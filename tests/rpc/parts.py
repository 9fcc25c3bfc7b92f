"""Long answers come in parts."""

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def whole(parts: Iterator[M]) -> M:
    """What they are together, as a client gets it."""
    messages = list(parts)
    return type(messages[0]).FromString(b"".join(part.SerializeToString() for part in messages))
