import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.errors import ProtocolError
from maglev.vpp.framing import MAX_FRAME, MIN_FRAME, Splitter, framed

MESSAGES = st.lists(st.binary(min_size=MIN_FRAME, max_size=60), max_size=8)


@given(MESSAGES, st.lists(st.integers(1, 50), max_size=40))
def test_messages_come_out_whole_however_the_stream_is_chopped(messages: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(framed(message) for message in messages)
    splitter = Splitter()
    found = []
    for size in [*sizes, len(stream) + 1]:
        found += splitter.feed(stream[:size])
        stream = stream[size:]

    assert found == messages
    assert splitter.is_empty


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_any_stream_gives_messages_or_a_protocol_error(chunks: list[bytes]) -> None:
    splitter = Splitter()
    try:
        for chunk in chunks:
            splitter.feed(chunk)
    except ProtocolError:
        pass


@pytest.mark.parametrize("length", [0, MIN_FRAME - 1, MAX_FRAME + 1, 2**32 - 1])
def test_an_impossible_length_is_a_protocol_error_before_anything_is_kept(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"seen={length}"):
        Splitter().feed(struct.pack(">QII", 0, length, 0))


def test_a_long_message_is_put_together_of_many_chunks() -> None:
    message = bytes(3_000_000)
    stream = framed(message)
    splitter = Splitter()
    found = [one for at in range(0, len(stream), 4096) for one in splitter.feed(stream[at : at + 4096])]

    assert found == [message]


def test_half_a_message_is_not_empty() -> None:
    splitter = Splitter()

    assert splitter.feed(framed(b"abcdef")[:-1]) == []
    assert not splitter.is_empty
