"""VPP's answer to a request -> Refused with a sentence that says what to do; knows no message and no socket.

Seen on a running VPP 26.10; the names are those of VPP's src/vnet/api_errno.h.
"""

from collections.abc import Mapping
from types import MappingProxyType

from maglev.errors import Refused

NO_SUCH_ENTRY = -6
INVALID_MEMORY_SIZE = -70
INVALID_ARGUMENT = -73
VALUE_EXIST = -81
INVALID_ADDRESS_FAMILY = -97

HINTS: Mapping[int, str] = MappingProxyType(
    {
        NO_SUCH_ENTRY: "VPP has no such VIP or backend: was the table changed by other hands? It is read again",
        INVALID_MEMORY_SIZE: "table length and bucket count must be powers of two",
        INVALID_ARGUMENT: "all VIPs of one prefix must have one encap: give their backends one address family",
        VALUE_EXIST: "it is there already, or an all-port VIP and per-port VIPs meet on one prefix: keep one kind",
        INVALID_ADDRESS_FAMILY: "the address family does not fit the encap: GRE4 takes IPv4 backends, GRE6 IPv6 ones"
        " (and VPP takes an IPv6 address below ::1:0:0 for IPv4)",
    }
)
GENERIC = "VPP's src/vnet/api_errno.h tells what this number means"


def refusal(message: str, retval: int, **asked: object) -> Refused:
    """The error for a `retval` other than 0; `asked` says about what, in words of ours."""
    return Refused(f"VPP refused {message}", retval=retval, **asked, hint=HINTS.get(retval, GENERIC))
