"""The four families of errors, and what is in a group of them; every module may import this one, it imports none.

Each error says what failed, carries the facts as fields, and ends with what to do about it. Chain with `from`.
"""

from collections.abc import Iterator
from typing import TypeVar

E = TypeVar("E", bound=Exception)


class MaglevError(Exception):
    """Base of all errors we raise on purpose: `what`, then `fields`, then an optional `hint`."""

    def __init__(self, what: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        facts = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return "".join((self.what, f" ({facts})" if facts else "", f"; {self.hint}" if self.hint else ""))


class ConfigError(MaglevError):
    """You wrote it wrong: the configuration or a flag; nothing was changed."""


class ProtocolError(MaglevError):
    """We or VPP broke the agreement: an unknown message, a short record, a corrupt segment."""


class Incapable(ProtocolError):
    """The other side lacks what we cannot do without: an upgrade helps, trying again does not."""


class Broken(ProtocolError):
    """maglevd failed where it should not have; its log has the traceback."""


class Unavailable(MaglevError):
    """The other side is not there or did not answer in time; trying again later is right."""


class Overloaded(Unavailable):
    """The other side is there and has no room for one more."""


class Refused(MaglevError):
    """We asked properly and the answer was no; `fields` carry the retval."""


class Forbidden(Refused):
    """Whoever asked may not; somebody else might."""


class NotFound(Refused):
    """There is nothing of that name."""


def leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    """The errors themselves, out of groups within groups: every nursery on their way adds one."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
