"""What a request's headers ask for -> the form of the page; knows HTTP's q-values and the names of the formats.

prometheus_client's own functions take the first form that is named, and gzip even where `q=0` forbids it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_TEXT, _OPENMETRICS = "text/plain", "application/openmetrics-text"
_RANGES = {"*/*": (_TEXT, _OPENMETRICS), "text/*": (_TEXT,), "application/*": (_OPENMETRICS,)}
_VERSIONS = {_TEXT: ("0.0.4", "1.0.0"), _OPENMETRICS: ("1.0.0",)}  # the first one where none is named
_UNESCAPED = "0.0.4"  # the version that has no word for how names are escaped
_ESCAPINGS = ("underscores", "allow-utf-8")  # in which names like ours stay as they are


@dataclass(frozen=True, slots=True)
class Form:
    """How a page is wanted."""

    is_openmetrics: bool
    is_gzip: bool


@dataclass(frozen=True, slots=True)
class _Wish:
    what: str
    parameters: dict[str, str]
    q: float


def is_gzip_wanted(accept_encoding: str) -> bool:
    """Whether gzip is named, not forbidden, and not less welcome than no encoding."""
    welcome = {wish.what: wish.q for wish in _wishes(accept_encoding)}
    return welcome.get("gzip", 0.0) > 0 and welcome["gzip"] >= welcome.get("identity", 0.0)


def media_type(accept: str) -> tuple[bool, str]:
    """Whether OpenMetrics is wanted, and what the answer's Content-Type says.

    The most welcome format wins, of equal ones the first that is named. Who names none that we write gets plain text,
    as from any Prometheus client.
    """
    wishes = list(_wishes(accept))
    refused = {wish.what for wish in wishes if not wish.q}
    best = _Wish(_TEXT, {}, 0.0)
    for wish in wishes:
        kinds = [kind for kind in _RANGES.get(wish.what, (wish.what,)) if kind in _VERSIONS and kind not in refused]
        if kinds and wish.q > best.q and wish.parameters.get("version") in (None, *_VERSIONS[kinds[0]]):
            best = _Wish(kinds[0], wish.parameters, wish.q)
    version = best.parameters.get("version", _VERSIONS[best.what][0])
    escaping = best.parameters.get("escaping", "")
    named = "" if version == _UNESCAPED else f"; escaping={escaping if escaping in _ESCAPINGS else _ESCAPINGS[0]}"
    return best.what == _OPENMETRICS, f"{best.what}; version={version}; charset=utf-8{named}"


def _wishes(header: str) -> Iterator[_Wish]:
    for part in header.split(","):
        what, *parameters = (word.strip().lower() for word in part.split(";"))
        named = {
            key.strip(): value.strip().strip('"') for key, _, value in (word.partition("=") for word in parameters)
        }
        yield _Wish(what, named, _quality(named.get("q", "1")))


def _quality(text: str) -> float:
    """From 0 to 1; what is no number forbids nothing and is worth nothing more than the rest."""
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 1.0
