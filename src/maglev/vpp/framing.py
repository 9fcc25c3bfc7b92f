"""The stream of VPP's API socket <-> frames; pure, knows neither messages nor sockets.

Each message is preceded by 16 bytes: a pointer, the length, a timestamp. Only the length means anything to the other
side; VPP sends its own pointer and timestamp along.
"""

import struct

from maglev.errors import ProtocolError

MAX_FRAME = 16 * 1024 * 1024
"""The largest message we take; VPP's API definitions are 1.3 MB, a listing of 10,000 VIPs is 5 MB."""
MIN_FRAME = 6
"""Message id and context: no message is shorter."""

_HEADER = struct.Struct(">QII")


def framed(message: bytes) -> bytes:
    """`message` as it goes on the wire."""
    return _HEADER.pack(0, len(message), 0) + message


class Splitter:
    """Cuts a stream into messages, however it was chopped; holds at most one incomplete message."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = _HEADER.size

    @property
    def is_empty(self) -> bool:
        """Whether the stream stands between two messages."""
        return not self._rest

    def feed(self, chunk: bytes | bytearray) -> list[bytes]:
        """The messages that `chunk` completes. Raises ProtocolError for a length that no message has."""
        rest = self._rest
        rest += chunk
        if len(rest) < self._needed:  # a long message comes in many chunks: do not look at each
            return []
        messages: list[bytes] = []
        at = 0
        with memoryview(rest) as view:
            while len(rest) - at >= _HEADER.size:
                _, length, _ = _HEADER.unpack_from(view, at)
                if not MIN_FRAME <= length <= MAX_FRAME:
                    raise ProtocolError(
                        "VPP's API socket sent a frame of an impossible length",
                        seen=length,
                        expected=f"{MIN_FRAME} to {MAX_FRAME}",
                        hint="is this VPP's API socket?",
                    )
                end = at + _HEADER.size + length
                if end > len(rest):
                    break
                messages.append(bytes(view[at + _HEADER.size : end]))
                at = end
        del rest[:at]
        self._needed = _HEADER.size
        if len(rest) >= _HEADER.size:
            self._needed += _HEADER.unpack_from(rest)[1]
        return messages
