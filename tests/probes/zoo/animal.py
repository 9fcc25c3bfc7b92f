"""What an animal of the zoo is: a misbehaving server, the check put to it, and the verdicts that it must get."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from maglev.core.model import HttpSpec, TcpSpec, Tls

TIMEOUT_S = 2.0  # of every check: ours on a clock that jumps, HAProxy's on the wall's

NAME = "www.example.org"
TRUSTING = Tls(NAME, verify=True)
NAMELESS = Tls(None, verify=True)
UNVERIFIED = Tls(None, verify=False)

Question = TcpSpec | HttpSpec
Outcome = tuple[bool, str]  # passed or up, and the code
Den = Callable[[Path], AbstractAsyncContextManager[int]]  # lives in it: the folder of certificates -> its port

L4OK: Outcome = (True, "L4OK")
L4CON: Outcome = (False, "L4CON")
L4TOUT: Outcome = (False, "L4TOUT")
L6OK: Outcome = (True, "L6OK")
L6RSP: Outcome = (False, "L6RSP")
L6TOUT: Outcome = (False, "L6TOUT")
L7OK: Outcome = (True, "L7OK")
L7RSP: Outcome = (False, "L7RSP")
L7STS: Outcome = (False, "L7STS")
L7TOUT: Outcome = (False, "L7TOUT")


@dataclass(frozen=True, slots=True)
class Difference:
    """HAProxy's outcome where it is not ours, and why ours stays as it is."""

    haproxy: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Animal:
    """`does` is a line for a table; `question` has no port yet, that comes with the den."""

    name: str
    does: str
    den: Den
    question: Question
    ours: Outcome
    difference: Difference | None = None

    @property
    def haproxy(self) -> Outcome:
        return self.difference.haproxy if self.difference else self.ours

    def question_at(self, port: int) -> Question:
        return replace(self.question, port=port)


def tcp(tls: Tls | None = None) -> TcpSpec:
    return TcpSpec(0, tls)


def http(
    *, tls: Tls | None = None, codes: tuple[tuple[int, int], ...] = ((200, 299),), body: str | None = None
) -> HttpSpec:
    return HttpSpec(0, tls, "/health", None, codes, body)


def answer(status: bytes, headers: bytes = b"Content-Length: 0\r\n", body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, headers, body)
