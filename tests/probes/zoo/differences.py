"""Where HAProxy 2.6 judges otherwise, and why our verdict stays as it is; the words are those of the document."""

from tests.probes.zoo.animal import L7OK, L7RSP, L7STS, Difference

_RESET = (
    "HAProxy says SOCKERR of any error on a connected socket. Here that code means that this machine could not ask, and"
    " such a probe moves nobody's health. A reset or an alert is the backend's doing, so it is a failure of the layer"
    " that was spoken: L6RSP for a refusal in TLS, L7RSP for the rest."
)
_INTERIM = (
    "HAProxy 2.6 takes the first answer for the last. A client has to read on after 1xx (RFC 9110, 15.2), and a"
    " server that sends early hints is well. What never gets past 1xx has not answered."
)
_SWITCH = (
    "HAProxy goes by the number. Nobody asked this server to switch protocols, so what follows is no HTTP answer, and"
    " 101 cannot pass even where it is expected."
)
_DIGITS = (
    "HAProxy takes any number for a status. One has three digits (RFC 9110, 15), so it is the answer that is wrong,"
    " not its status."
)
_SLOPPY = (
    "HAProxy forgives an empty line before the answer and a NUL in a header. Neither is HTTP (RFC 9112, 4; RFC 9110,"
    " 5.5), and a client may refuse it."
)
_HEADERS = (
    "HAProxy takes 100 headers at most (`tune.http.maxhdr`). Here the head is bounded by its size, 16 KiB, and a head"
    " of many short headers is fine."
)
_UNASKED = (
    "HAProxy parses what it received of a body that nobody asked about, so the verdict depends on how much came with"
    " the head. Here nothing behind the head is read unless `response-regexp` is there."
)
_EARLY = (
    "HAProxy passes as soon as the pattern matches what came so far. Here the body is read to its end, or to 16 KiB,"
    " and then searched: else `^ok$` matches `ok, but degraded` when the network cuts it behind the first word, and a"
    " server that breaks off its answers looks well."
)

RESET = Difference((False, "SOCKERR"), _RESET)
INTERIM = Difference(L7STS, _INTERIM)
SWITCH = Difference(L7STS, _SWITCH)
DIGITS = Difference(L7STS, _DIGITS)
SLOPPY = Difference(L7OK, _SLOPPY)
HEADERS = Difference(L7RSP, _HEADERS)
UNASKED = Difference(L7RSP, _UNASKED)
EARLY = Difference(L7OK, _EARLY)
