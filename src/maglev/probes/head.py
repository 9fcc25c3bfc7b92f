"""Reads the status out of the head of an answer that leaves no doubt; whatever is less plain is left to h11.

h11 takes as much CPU for a head as the kernel does for the whole connection, and most answers are plain. What is read
here h11 would read alike: tests/probes/test_head.py holds one to the other.
"""

import re

_TEXT = rb"[\t \x21-\x7e\x80-\xff]*"
_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PLAIN = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: (%b))?\r\n(?:%b:%b\r\n)*\r\n" % (_TEXT, _NAME, _TEXT))
# Headers that say where the body ends: one of them at most, and with such a value.
_FRAMING = re.compile(rb"\r\n(?:content-length|transfer-encoding)", re.IGNORECASE)
_PLAIN_FRAMING = re.compile(
    rb"\r\n(?:content-length:[\t ]*[0-9]{1,18}|transfer-encoding:[\t ]*chunked)[\t ]*\r\n", re.IGNORECASE
)


def plain_status(data: bytes) -> tuple[int, bytes] | None:
    """Status code and reason of an answer whose whole head begins `data`; None where h11 is to judge."""
    head = _PLAIN.match(data)
    if head is None:
        return None
    framing = len(_FRAMING.findall(data, 0, head.end()))
    if framing > 1 or (framing and not _PLAIN_FRAMING.search(data, 0, head.end())):
        return None
    return int(head[1]), head[2] or b""
