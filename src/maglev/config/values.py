"""One YAML node -> one typed value, judged by the text as written; must not know which key it stands under.

YAML 1.1 reads `080` as text, `010` as 8, `1:20` as 80 and `on` as true. Here an int is decimal digits, a boolean is
true or false, a string that YAML would take for something else needs quotes, and an address or a duration is taken
from its text whatever YAML makes of it.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeVar

from maglev.config.document import Mapping, Node, Scalar, Sequence
from maglev.config.faults import quoted, shown
from maglev.core.model import IPAddress

T = TypeVar("T")
Reader = Callable[[Node], T]
"""Takes a node apart or raises Wrong."""

MAX_TEXT = 1000  # characters of a free text such as a description
MAX_DURATION_S = 24 * 3600.0

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_ZEROES = re.compile(r"0+[0-9]{1,18}")
_DIGITS = re.compile(r"[0-9]{1,18}")
_DURATION = re.compile(r"(?:(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:h|ms|m|s)){1,8}")
_DURATION_PART = re.compile(r"([0-9.]+)(h|ms|m|s)")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LEADING_ZERO = re.compile(r"(?:^|\.)0[0-9]")
_NO_HEX = re.compile(r"[g-zG-Z]")
_WITH_PORT = re.compile(r"[0-9.]+:[0-9]*|\[.*\](?::[0-9]*)?")
_UNITS_S = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}


class Wrong(Exception):
    """A value is not what was expected; str() says what was, what was seen, and the remedy where one is known."""

    def __init__(self, expected: str, seen: Node, remedy: str = "") -> None:
        super().__init__(f"expected {expected}, seen {describe(seen)}" + (f": {remedy}" if remedy else ""))


def describe(node: Node) -> str:
    """The node as written, in short."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list" if node.items else "an empty list"
        case Scalar(text="", is_plain=True):
            return "nothing"
        case Scalar(text, is_plain):
            return shown(text) if is_plain else quoted(text)


def integer(low: int, high: int) -> Reader[int]:
    """A whole number from `low` to `high`, in plain decimal digits."""
    expected = f"a whole number from {low} to {high}"

    def read(node: Node) -> int:
        text = _scalar(node, expected).text
        if isinstance(node, Scalar) and not node.is_plain:
            raise Wrong(expected, node, "write it without quotes" if _DIGITS.fullmatch(text) else "")
        if _ZEROES.fullmatch(text):
            raise Wrong(expected, node, f"leading zeros mean octal in YAML, write {int(text)}")
        if not _INTEGER.fullmatch(text):
            raise Wrong(expected, node, "write it in decimal digits, nothing else")
        if not low <= int(text) <= high:
            raise Wrong(expected, node)
        return int(text)

    return read


def boolean(node: Node) -> bool:
    """True or false, in that word."""
    expected = "true or false"
    scalar = _scalar(node, expected)
    word = scalar.text.lower()
    if word in ("yes", "no", "on", "off", "y", "n"):
        raise Wrong(expected, node, f"write {'true' if word in ('yes', 'on', 'y') else 'false'}")
    if word not in ("true", "false"):
        raise Wrong(expected, node)
    if not scalar.is_plain:
        raise Wrong(expected, node, "write it without quotes")
    return word == "true"


def string(node: Node) -> str:
    """Text of up to MAX_TEXT characters; may be empty, in quotes."""
    expected = "a string"
    scalar = _scalar(node, expected)
    if not scalar.is_string:
        raise Wrong(expected, node, f"YAML reads it as something else, write {quoted(scalar.text)}")
    if _CONTROL.search(scalar.text):
        raise Wrong("a string without control characters", node)
    if len(scalar.text) > MAX_TEXT:
        raise Wrong(f"at most {MAX_TEXT} characters", node)
    return scalar.text


def matching(pattern: str, expected: str) -> Reader[str]:
    """A string that `pattern` matches as a whole."""
    compiled = re.compile(pattern)

    def read(node: Node) -> str:
        text = string(node)
        if not compiled.fullmatch(text):
            raise Wrong(expected, node)
        return text

    return read


def one_of(*words: str) -> Reader[str]:
    """One of `words`."""
    expected = " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]

    def read(node: Node) -> str:
        scalar = _scalar(node, expected)
        if scalar.text not in words:
            lower = scalar.text.lower()
            raise Wrong(expected, node, f"write {lower}" if lower in words else "")
        return scalar.text

    return read


def duration(low_s: float, *, or_zero: bool = False) -> Reader[float]:
    """Seconds from Go's way to write them, `1m30s`; from `low_s` to a day, or 0 where that means never."""
    expected = f"a duration from {seconds(low_s)} to {seconds(MAX_DURATION_S)}{', or 0s' * or_zero}"

    def read(node: Node) -> float:
        text = _scalar(node, expected).text
        if or_zero and text == "0":
            return 0.0
        if not _DURATION.fullmatch(text):
            if _DIGITS.fullmatch(text):
                raise Wrong(expected, node, f"say the unit: {text}s or {text}ms?")
            raise Wrong(expected, node, "write it like 200ms, 2s, 1m30s or 1h")
        value_s = float(sum(Decimal(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(text)))
        if not (low_s <= value_s <= MAX_DURATION_S or (or_zero and value_s == 0)):
            raise Wrong(expected, node)
        return value_s

    return read


def whole_seconds(node: Node) -> int:
    """A duration without a fraction of a second."""
    value_s = duration(1.0)(node)
    if not value_s.is_integer():
        raise Wrong("whole seconds", node, f"VPP takes no fractions, write {seconds(float(round(value_s)))}")
    return int(value_s)


def seconds(value_s: float) -> str:
    """A duration as one would write it in the configuration."""
    for unit, unit_s in (("h", 3600), ("m", 60), ("s", 1)):
        if value_s >= unit_s and value_s % unit_s == 0:
            return f"{int(value_s // unit_s)}{unit}"
    return f"{value_s:g}s" if value_s >= 1 or value_s == 0 else f"{value_s * 1000:g}ms"


def address(node: Node) -> IPAddress:
    """One IPv4 or IPv6 unicast address."""
    text = _scalar(node, "an IPv4 or IPv6 address").text
    return unicast(parsed_address(text, node), node)


def ipv4_address(node: Node) -> IPv4Address:
    """One IPv4 unicast address."""
    value = address(node)
    if not isinstance(value, IPv4Address):
        raise Wrong("an IPv4 address", node)
    return value


def ipv6_address(node: Node) -> IPv6Address:
    """One IPv6 unicast address."""
    value = address(node)
    if not isinstance(value, IPv6Address):
        raise Wrong("an IPv6 address", node)
    return value


def parsed_address(text: str, node: Node) -> IPAddress:
    """The address in `text`, which is `node`'s or part of it."""
    expected = "an IPv4 or IPv6 address"
    if "%" in text:
        raise Wrong(expected, node, "leave out the zone, from the % on")
    try:
        return ip_address(text)
    except ValueError as error:
        raise Wrong(expected, node, _address_remedy(text)) from error


def _address_remedy(text: str) -> str:
    if "/" in text:
        return "leave out the prefix length"
    if _NO_HEX.search(text):
        return "names are not looked up, write the address itself"
    if _WITH_PORT.fullmatch(text):
        return "write the address alone, a port is a key of its own"
    if _LEADING_ZERO.search(text) and ":" not in text:
        return "leave out leading zeros, some programs take them for octal"
    return ""


def unicast(value: IPAddress, node: Node) -> IPAddress:
    """`value`, unless no host can have it."""
    if value.is_unspecified:
        raise Wrong("a unicast address", node, f"{value} stands for any address")
    if value.is_multicast:
        raise Wrong("a unicast address", node, f"{value} is multicast")
    return value


def taken_for_ipv4(value: IPAddress) -> bool:
    """Whether VPP's lb plugin takes this IPv6 address for an IPv4 one: it does so where the first 96 bits are 0."""
    return value.version == 6 and int(value) < 2**32


def _scalar(node: Node, expected: str) -> Scalar:
    if not isinstance(node, Scalar) or node.is_null:
        raise Wrong(expected, node)
    return node
