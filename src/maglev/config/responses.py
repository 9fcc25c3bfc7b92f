"""What an HTTP response must be to pass, status codes and body; must not know how it is fetched.

A regular expression must compile. The rule against patterns whose cost explodes: a group that is repeated (`*`, `+`,
`{...}`) may itself hold neither a repeat nor an alternative. So `(a+)+`, `(a*b?)*` and `(a|ab)+` are refused;
`ok (yes|no)`, `[a-z]+=[0-9]+` and `(ab)+` are not. The rule is blunt on purpose: it is easy to say, and a health check
needs no more. What it lets through is at worst polynomial in the length of the body, which the probe has to bound.
"""

import re
import warnings

from maglev.config.document import Node, Scalar, Sequence
from maglev.config.values import Wrong, string

MAX_PATTERN = 255  # characters

MAX_RANGES = 50
DEFAULT_CODES: tuple[tuple[int, int], ...] = ((200, 299),)

_EXPECTED = "a regular expression"
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
    """A pattern in Python's syntax that is safe to search for."""
    text = string(node)
    if not 0 < len(text) <= MAX_PATTERN:
        raise Wrong(f"{_EXPECTED} of 1 to {MAX_PATTERN} characters", node)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a future Python may read otherwise, told only the first time
        try:
            re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise Wrong(_EXPECTED, node, str(error) or "too deeply nested") from error
    if _repeats_what_varies(text):
        remedy = "a repeated group may hold neither a repeat nor an alternative, that can take for ever"
        raise Wrong(_EXPECTED, node, remedy)
    return text


def _repeats_what_varies(pattern: str) -> bool:
    """The rule above, for a pattern that compiles."""
    groups = [False]  # for each open group: whether anything in it varies
    closed_varies = False  # whether the token before is a group that varies
    position = 0
    while position < len(pattern):
        character = pattern[position]
        step, varies = 1, False
        match character:
            case "\\":
                step = 2
            case "[":
                step = _class_length(pattern, position)
            case "(":
                groups.append(False)
                step = 2 if pattern.startswith("?", position + 1) else 1  # that `?` is no repeat
            case ")" if len(groups) > 1:
                varies = groups.pop()
                groups[-1] |= varies
            case "*" | "+" | "{":
                if closed_varies:
                    return True
                groups[-1] = True
            case "?" | "|":
                groups[-1] = True
        closed_varies = varies
        position += step
    return False


def _class_length(pattern: str, start: int) -> int:
    position = start + 1
    position += pattern.startswith("^", position)
    position += pattern.startswith("]", position)  # a bracket in first place is a member
    while position < len(pattern) and pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    return position + 1 - start
