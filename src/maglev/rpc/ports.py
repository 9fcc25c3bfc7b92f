"""What the RPCs need of the rest of maglevd; whoever has it fits these shapes without importing them."""

import enum
from dataclasses import dataclass
from typing import Protocol

from maglev.core.health import Order
from maglev.core.status import BackendStatus, FrontendStatus


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the configuration file, one fault a line; `is_syntax`: it could not even be read."""

    is_syntax: bool
    text: str


class Synced(Protocol):
    """What came of a sync; times are unix nanoseconds."""

    @property
    def audited_at_ns(self) -> int:
        """When VPP's table was read."""
        ...

    @property
    def operations(self) -> int:
        """How many VPP acknowledged since."""
        ...

    @property
    def refused_vips(self) -> int:
        """How many VIPs are not as they should be."""
        ...


class Role(enum.Enum):
    """What somebody may do: nothing, ask, or ask and change."""

    NOBODY = "nobody"
    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `who` is what was proved of him, `origin` where from, `says` his own word for himself, unproved."""

    who: str
    origin: str
    role: Role
    says: str = ""


class Commands(Protocol):
    """What changes something, for whom. Each raises Forbidden, and Unavailable while maglevd starts or stops."""

    async def order(self, backend: str, order: Order, caller: Caller) -> BackendStatus:
        """Pause, resume, enable, disable. Raises NotFound, Refused."""
        ...

    async def set_weight(
        self, frontend: str, pool: str, backend: str, weight: int, caller: Caller, *, flush: bool
    ) -> FrontendStatus:
        """Set a weight, 0..100. Raises NotFound, ConfigError."""
        ...

    async def check_config(self) -> Faults | None:
        """Read the configuration file, and change nothing."""
        ...

    async def sync(self, frontend: str, caller: Caller) -> Synced:
        """Make VPP's table what it ought to be, and wait for it. Raises NotFound for a `frontend` that is not there."""
        ...

    async def reload_config(self, caller: Caller) -> Faults | None:
        """Read the configuration file, and work by it if nothing is wrong with it."""
        ...
