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

    async def reload_config(self, caller: Caller) -> Faults | None:
        """Read the configuration file, and work by it if nothing is wrong with it."""
        ...
