"""What an HTTP response must be to pass, status codes and body; must not know how it is fetched.

A regular expression is RE2's (https://github.com/google/re2/wiki/Syntax), which never tries again what it has read: a
search costs at most the length of the body times the size of the compiled pattern, and that size is bounded here.
"""

import re

import re2

from maglev.config.document import Node, Scalar, Sequence
from maglev.config.faults import shown
from maglev.config.values import Wrong, string

MAX_PATTERN = 255  # characters
# Instructions of the compiled pattern: any 255 characters written out, or one class as large as \pL. In the worst case
# each is tried at each byte, about 10 ns, and maglevd does nothing else meanwhile: some 0.3 s for 16 KiB, and
# three times that when none of it is UTF-8.
MAX_PROGRAM = 1500
MAX_MEMORY = 1024 * 1024  # bytes; a search that needs more goes on without its cache, at the cost above

MAX_RANGES = 50
DEFAULT_CODES: tuple[tuple[int, int], ...] = ((200, 299),)

_EXPECTED = "a regular expression in RE2's syntax"
_TOO_LARGE = "it is too large when compiled: repeat less, or fewer kinds of characters"
_OPTIONS = re2.Options()  # those of the probe
_OPTIONS.log_errors = False  # RE2 would write to stderr by itself
_OPTIONS.never_capture = True
_OPTIONS.max_mem = MAX_MEMORY
_CODES_EXPECTED = "status codes from 100 to 599, such as 200, 200-299 or 200,301-302"
_CODES = re.compile(r" *([0-9]{3})(?:-([0-9]{3}))? *")


def response_codes(node: Node) -> tuple[tuple[int, int], ...]:
    """Inclusive ranges of status codes from `200`, `200-299`, `200,301-302`, or a list of such."""
    items = node.items if isinstance(node, Sequence) else (node,)
    if not 0 < len(items) <= MAX_RANGES:
        raise Wrong(f"from 1 to {MAX_RANGES} ranges of status codes", node)
    return tuple(codes for item in items for codes in _ranges(item))


def _ranges(node: Node) -> list[tuple[int, int]]:
    if not isinstance(node, Scalar) or len(node.text) > MAX_PATTERN:
        raise Wrong(_CODES_EXPECTED, node)
    ranges = []
    for part in node.text.split(","):
        found = _CODES.fullmatch(part)
        if not found:
            raise Wrong(_CODES_EXPECTED, node)
        low, high = int(found[1]), int(found[2] or found[1])
        if not 100 <= low <= high <= 599:
            raise Wrong(_CODES_EXPECTED, node)
        ranges.append((low, high))
    return ranges


def regexp(node: Node) -> str:
    """A pattern in RE2's syntax, whose search takes time linear in the text."""
    text = string(node)
    if not 0 < len(text) <= MAX_PATTERN:
        raise Wrong(f"{_EXPECTED} of 1 to {MAX_PATTERN} characters", node)
    try:
        size = re2.compile(text, _OPTIONS).programsize
    except re2.error as error:
        raise Wrong(_EXPECTED, node, _remedy(error.args[0].decode("utf-8", "replace"))) from error
    if size > MAX_PROGRAM:
        raise Wrong(_EXPECTED, node, _TOO_LARGE)
    return text


def _remedy(reason: str) -> str:
    if reason.startswith("pattern too large"):
        return _TOO_LARGE
    is_of_others = reason.startswith(("invalid perl operator", "invalid escape sequence", "bad repetition operator"))
    return shown(reason) + "; RE2 has no lookahead, lookbehind, backreference or possessive repeat" * is_of_others
