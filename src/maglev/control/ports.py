"""What the loops need of the world; adapters fit these shapes without importing them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from maglev.core.counters import Figures, Indexes
from maglev.core.events import Event
from maglev.core.model import HealthCheck, IPAddress, ProbeResult
from maglev.core.plan import Observed, Op
from maglev.errors import Refused

Emit = Callable[[Event], None]
"""Tells what happened; returns at once and never raises."""

Settled = Callable[[], None]
"""What was made up to now is no garbage, and much of it: whoever looks for garbage may leave it alone."""


def unheeded() -> None:
    """For those whom that does not concern."""


Probe = Callable[[HealthCheck, IPAddress], Awaitable[ProbeResult]]
"""One probe under the check's timeout; every fault of the backend, the network or this machine is a result."""


class Audit(Protocol):
    """One reading of VPP's LB table; `indexes` is None when VPP's listing could not be understood."""

    @property
    def observed(self) -> Observed:
        """The live table."""
        ...

    @property
    def indexes(self) -> Indexes | None:
        """Where VPP counts what."""
        ...

    @property
    def cost_s(self) -> float:
        """How long VPP was kept busy, at most."""
        ...


class Dataplane(Protocol):
    """VPP's LB table. Both calls raise Unavailable or ProtocolError when the session is lost or makes no sense."""

    async def audit(self, begun: Callable[[], None]) -> Audit:
        """Read the whole table; stops VPP's workers for milliseconds, so it is to be rare.

        What is streamed after `begun` was called is done after the table was read.
        """
        ...

    def stream(self, ops: Iterable[Op]) -> AsyncGenerator[Sequence[tuple[Op, Refused | None]], None]:
        """Send `ops` in order, pipelined; yields each op with its answer, None for done, in order, some at a time.

        Ops are taken from the iterable a few at a time, while those before are on their way.
        """
        ...


class Stats(Protocol):
    """VPP's counters."""

    def read(self, indexes: Indexes, now_ns: int) -> Figures:
        """Read all counters under one epoch. Raises Unavailable (raced, gone) or ProtocolError (corrupt)."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time in unix nanoseconds, and a random number in [0, 1); both replaced by tests."""

    now_ns: Callable[[], int]
    chance: Callable[[], float]
