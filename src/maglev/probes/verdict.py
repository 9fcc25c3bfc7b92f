"""What a probe can find, in HAProxy's codes, and the words for it; knows no protocol and opens nothing."""

import enum
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from errno import EADDRINUSE, EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, EPERM, ETIMEDOUT

from maglev.core.model import IPAddress

MAX_DETAIL = 160  # characters; a sentence for a log line and a table, not a dump of what the peer sent


class Code(enum.Enum):
    """HAProxy's words: the layer that was reached, and what it said; SOCKERR: we could not even ask."""

    SOCKERR = "SOCKERR"
    L4OK = "L4OK"
    L4TOUT = "L4TOUT"
    L4CON = "L4CON"
    L6OK = "L6OK"
    L6TOUT = "L6TOUT"
    L6RSP = "L6RSP"
    L7OK = "L7OK"
    L7TOUT = "L7TOUT"
    L7RSP = "L7RSP"
    L7STS = "L7STS"


PASSING = frozenset({Code.L4OK, Code.L6OK, Code.L7OK})


# On a socket in use, what only our own kernel can say. EPERM is its firewall or its full conntrack table; EACCES is not
# here, as ICMPv6 from the network causes it too.
_OURS = frozenset({EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, EPERM})
_NO_PORT = "no local port is free: widen net.ipv4.ip_local_port_range"
_REMEDIES = {
    EADDRINUSE: _NO_PORT,
    EADDRNOTAVAIL: "no address of that family here, or no free port: see net.ipv4.ip_local_port_range",
    EMFILE: "raise maglevd's LimitNOFILE",
    ENFILE: "raise fs.file-max",
    ENOSPC: "raise fs.epoll.max_user_watches",
}


class Phase(enum.Enum):
    """What a probe waits for: the code when the deadline finds it there, and the words for it."""

    CONNECT = (Code.L4TOUT, "no connection")
    HANDSHAKE = (Code.L6TOUT, "no complete TLS handshake")
    ANSWER = (Code.L7TOUT, "no complete HTTP answer")
    ECHO = (Code.L4TOUT, "no echo reply")
    ECHO_LOST = (Code.SOCKERR, "replies were lost here, as the socket's buffer was full: raise net.core.rmem_max; none")


@dataclass(slots=True)
class Progress:
    """How far a probe came: the probe writes it, the one who holds the deadline reads it, and has it `give_up` then.

    `give_up` looks once more, as an answer may wait that we were too late to read: false if it is there. After the
    deadline nobody waits any more (`is_over`), and what a probe does after it gave up (`is_late`) counts for nothing.
    """

    phase: Phase = Phase.CONNECT
    is_over: bool = False
    is_late: bool = False
    give_up: Callable[[], bool] | None = None

    def end(self) -> None:
        """The deadline has come."""
        self.is_over = True
        self.is_late = self.give_up is None or self.give_up()


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to probe, the source address to bind and the network namespace to be in.

    None leaves the source to the kernel, and the namespace as it is.
    """

    address: IPAddress
    source: IPAddress | None
    netns: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A code and why; `detail` may still hold anything, `sentence` makes it fit to be shown."""

    code: Code
    detail: str

    @property
    def passed(self) -> bool | None:
        """None when the fault is ours."""
        return None if self.code is Code.SOCKERR else self.code in PASSING


class TooLate(Exception):
    """A probe gave up at its deadline; never leaves this package."""


class Fault(Exception):
    """The backend or the network failed the probe, or, with SOCKERR, this machine did; never leaves this package."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.verdict = Verdict(code, detail)


def our_fault(what: str, error: OSError, remedy: str | None = None) -> Fault:
    """This machine's fault, with what to do about it where that is known; names no backend, as it is told once."""
    hint = remedy or _REMEDIES.get(error.errno or 0)
    return Fault(Code.SOCKERR, f"{what}: {reason(error)}; {hint}" if hint else f"{what}: {reason(error)}")


def network_fault(what: str, error: OSError) -> Fault:
    """The fault of a socket in use: ours where our kernel lacks something, else the backend's or the network's."""
    # Addresses are numbers: all that can fail to resolve is a zone (%interface), for want of it or of a descriptor.
    if error.errno in _OURS or isinstance(error, socket.gaierror):
        return our_fault(what, error)
    return Fault(Code.L4TOUT if error.errno == ETIMEDOUT else Code.L4CON, f"{what}: {reason(error)}")


def reason(error: OSError) -> str:
    """The system's words for `error`, without the addresses that trio adds."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def timed_out(phase: Phase, timeout_s: float) -> Verdict:
    """The verdict on a probe whose deadline passed in `phase`."""
    code, missing = phase.value
    return Verdict(code, f"{missing} within {timeout_s:g} s")


def sentence(detail: str) -> str:
    """`detail` in printable ASCII on one line, cut to MAX_DETAIL; what a peer sent must not reach a terminal raw."""
    if len(detail) <= MAX_DETAIL and detail.isascii() and detail.isprintable():
        return detail
    ascii_only = detail.encode("ascii", "backslashreplace").decode("ascii")
    visible = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in ascii_only)
    return visible if len(visible) <= MAX_DETAIL else f"{visible[: MAX_DETAIL - 3]}..."
