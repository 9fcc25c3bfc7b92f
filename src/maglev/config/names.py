"""What users may call their things; must not know what the things are."""

from maglev.config.document import Node
from maglev.config.fields import Fields
from maglev.config.values import Wrong, string

MAX_NAME = 128

_EXPECTED = f"a name of 1 to {MAX_NAME} printable characters without spaces"


def name(node: Node) -> str:
    """A name given as a value."""
    text = string(node)
    if not _is_name(text):
        raise Wrong(_EXPECTED, node)
    return text


def check_name(section: Fields, key: str) -> None:
    """Note it when a name given as a key is none."""
    if not _is_name(key):
        section.fault(key, f"expected {_EXPECTED} as key")


def netns(node: Node) -> str:
    """The name of a network namespace, as `ip netns` lists it."""
    text = string(node)
    if not _is_name(text) or "/" in text or text in (".", ".."):
        raise Wrong("the name of a network namespace, not a path", node, "`ip netns` lists them")
    return text


def _is_name(text: str) -> bool:
    # One word of the command line, and short enough for a table.
    return 0 < len(text) <= MAX_NAME and text.isprintable() and " " not in text
