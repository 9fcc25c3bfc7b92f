"""What a probe can find, in HAProxy's codes, and the words for it; knows no protocol and opens nothing."""

import enum
from dataclasses import dataclass

from maglev.core.model import IPAddress

MAX_DETAIL = 160  # characters; a sentence for a log line and a table, not a dump of what the peer sent


class Code(enum.Enum):
    """HAProxy's words: the layer that was reached, and what it said."""

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


class Phase(enum.Enum):
    """What a probe waits for: the code when the deadline finds it there, and the words for it."""

    CONNECT = (Code.L4TOUT, "no connection")
    HANDSHAKE = (Code.L6TOUT, "no complete TLS handshake")
    ANSWER = (Code.L7TOUT, "no complete HTTP answer")
    ECHO = (Code.L4TOUT, "no echo reply")


@dataclass(slots=True)
class Progress:
    """How far a probe came; the probe writes it, the one who holds the deadline reads it."""

    phase: Phase = Phase.CONNECT


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to probe, and the source address to bind; None leaves that to the kernel."""

    address: IPAddress
    source: IPAddress | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A code and why; `detail` may still hold anything, `sentence` makes it fit to be shown."""

    code: Code
    detail: str


class Fault(Exception):
    """The backend, the network or a missing permission failed the probe; never leaves this package."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.verdict = Verdict(code, detail)


def timed_out(phase: Phase, timeout_s: float) -> Verdict:
    """The verdict on a probe whose deadline passed in `phase`."""
    code, missing = phase.value
    return Verdict(code, f"{missing} within {timeout_s:g} s")


def sentence(detail: str) -> str:
    """`detail` in printable ASCII on one line, cut to MAX_DETAIL; what a peer sent must not reach a terminal raw."""
    ascii_only = detail.encode("ascii", "backslashreplace").decode("ascii")
    visible = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in ascii_only)
    return visible if len(visible) <= MAX_DETAIL else f"{visible[: MAX_DETAIL - 3]}..."
