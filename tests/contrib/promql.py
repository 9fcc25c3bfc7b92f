"""What a PromQL expression reads: its selectors and the labels that it groups or joins by. Enough for ours."""

import re
from collections.abc import Iterator

_GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_ASIDE = re.compile(r"\[[^]]*\]|\boffset\s+\w+")
_SELECTOR = re.compile(r"""(?P<name>[a-zA-Z_:][\w:]*)\s*(?P<matchers>\{(?:"[^"]*"|[^{}"])*\})?(?P<call>\s*\()?""")
_KEYWORDS = frozenset({"and", "or", "unless", "bool", "inf", "nan"})


def selectors(expression: str) -> list[str]:
    """Every `name{matchers}` in it, as written."""
    bare = _ASIDE.sub("", _GROUPED.sub("", expression))
    return list(dict.fromkeys(_found(bare)))


def grouping_labels(expression: str) -> set[str]:
    """The labels that it groups or joins by."""
    return {label.strip() for labels in _GROUPED.findall(expression) for label in labels.split(",") if label.strip()}


def _found(bare: str) -> Iterator[str]:
    for match in _SELECTOR.finditer(bare):
        if match["call"] is None and match["name"].lower() not in _KEYWORDS:
            yield match["name"] + (match["matchers"] or "")
