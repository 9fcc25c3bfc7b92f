"""Figures of the API as people say them."""

from datetime import UTC, datetime
from itertools import pairwise

ABSENT = "-"
"""What stands for a figure or a name that there is none of."""

_SECOND_NS = 1_000_000_000
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_PREFIXES = ("", "k", "M", "G", "T", "P")


def duration(span_ns: int) -> str:
    """Its two greatest units: `10m30s`, `1d16h`, `5s`; a negative span (clocks differ) is `0s`."""
    seconds = max(span_ns, 0) // _SECOND_NS
    for (size, unit), (lesser, lesser_unit) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // lesser
            return f"{seconds // size}{unit}{rest}{lesser_unit}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"


def interval(seconds: float) -> str:
    """As the configuration has it, exact to three digits where it is short: `200ms`, `2.5s`, `1m30s`."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g}ms" if seconds else "0s"
    return f"{seconds:.3g}s" if seconds < 59.95 else duration(round(seconds) * _SECOND_NS)


def moment(at_ns: int) -> str:
    """A time in UTC, to the second."""
    return f"{datetime.fromtimestamp(at_ns // _SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"


def age(at_ns: int, now_ns: int) -> str:
    """How long ago that was; 0 is no time."""
    return duration(now_ns - at_ns) if at_ns else ABSENT


def when(at_ns: int, now_ns: int) -> str:
    """A time, and how long ago that was; 0 is no time."""
    return f"{moment(at_ns)} ({duration(now_ns - at_ns)} ago)" if at_ns else ABSENT


def vip(prefix: str) -> str:
    """A VIP's prefix, without the length of a single address."""
    return prefix.removesuffix("/128" if ":" in prefix else "/32")


def service(protocol: str, port: int) -> str:
    """What a VIP serves at its address."""
    return f"{protocol}/{port}" if port else "any"


def rate(per_s: float | None) -> str:
    """Packets or bytes per second: `0.4`, `12.5`, `998`, then three digits, `12.3k`, `4.56M`; None is not known."""
    if per_s is None:
        return ABSENT
    if 0 < per_s < 0.05:
        return "<0.1"
    for prefix in _PREFIXES:
        text = _three(per_s) if prefix else _few(per_s)
        if float(text) < 1000:
            return text + prefix
        per_s /= 1000
    return f"{per_s:.0f}E"


def _few(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 99.95 or figure == int(figure) else f"{figure:.1f}"


def _three(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 99.95 else f"{figure:.1f}" if figure >= 9.995 else f"{figure:.2f}"


def share(part: float) -> str:
    """A part of one, 0 to 1, in percent."""
    return f"{100 * part:.0f} %" if part >= 0.01 else f"{100 * part:.1g} %"


def yes(claim: bool) -> str:
    """A claim as people answer."""
    return "yes" if claim else "no"
