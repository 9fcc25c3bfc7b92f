"""Faults to order: what the embedded VPP shall do wrong, at which request; must not know connections.

A fault is written `KIND[=VALUE][:MESSAGE][:AT]`.

| KIND        | at the request that AT names                                                                          |
|-------------|-------------------------------------------------------------------------------------------------------|
| break       | carried out and answered, then the connection ends; what the client sent behind it is not carried out |
| lose        | carried out, as all that arrived with it; answers from this one on are lost, and the connection ends  |
| stall       | not carried out, nor is anything behind it on this connection, for as long as the client stays        |
| mute        | carried out, never answered                                                                           |
| late=S      | carried out at once, answered after S seconds (1), and all behind it later still                      |
| reverse     | carried out, answered behind all that arrived with it; several such answers come last one first       |
| stray       | answered, with a message of an unknown context before each message of the answer                      |
| short=N     | answered with messages cut to N bytes (6, which leaves id and context)                                |
| long        | answered with messages that have bytes too many                                                       |
| alien       | answered with messages of an unknown id                                                               |
| huge        | answered with frames that claim 4 GB                                                                  |
| refuse=R    | not carried out, answered with this retval (-1)                                                       |
| die         | carried out, not answered: VPP is gone                                                                |

MESSAGE is `write` (the default: all that change the lb table), `any`, one of `add-vip`, `del-vip`, `add-as`, `del-as`,
or a request of VPP's API by its name. The handshake never fails.
AT counts such requests from 1, over all connections: `3` is the third alone, `3+` the third and all behind it, `3=` the
third and each that asks the same again. It is 1 by default.
"""

import enum
import logging
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from maglev.emulator.definitions import messages
from maglev.emulator.wire import FRAME, Fields

_log = logging.getLogger(__name__)

LATE_S_MAX = 3600.0

_WRITES = ("lb_conf", "lb_add_del_vip_v2", "lb_add_del_as_v2", "lb_as_set_weight", "lb_flush_vip")
_NAMES = frozenset(message.name for message in messages())
_REQUESTS = frozenset(m.name for m in messages() if "u32 client_index" in m.fields[:1] and "sockclnt" not in m.name)
_REFUSABLE = frozenset(name for name in _REQUESTS if f"{name}_reply" in _NAMES)
_WORDS: Mapping[str, tuple[str, bool]] = {
    "add-vip": ("lb_add_del_vip_v2", False),
    "del-vip": ("lb_add_del_vip_v2", True),
    "add-as": ("lb_add_del_as_v2", False),
    "del-as": ("lb_add_del_as_v2", True),
}
_OF_ONE_REQUEST = ("_vl_msg_id", "client_index", "context")
_ID_AND_CONTEXT = struct.Struct(">HI")
_UNKNOWN_ID = 0xFFFF
_AT = re.compile(r"(?P<number>[1-9]\d{0,8})(?P<again>[+=]?)", re.ASCII)


class Kind(enum.Enum):
    """What goes wrong: see the table above."""

    BREAK = "break"
    LOSE = "lose"
    STALL = "stall"
    MUTE = "mute"
    LATE = "late"
    REVERSE = "reverse"
    STRAY = "stray"
    SHORT = "short"
    LONG = "long"
    ALIEN = "alien"
    HUGE = "huge"
    REFUSE = "refuse"
    DIE = "die"


class Again(enum.Enum):
    """What becomes of the requests behind the first that a fault struck: nothing, the same to all, or to its like."""

    NEVER = ""
    ALL = "+"
    SAME = "="


_VALUES: Mapping[Kind, tuple[float, float, float]] = {  # default, least and most
    Kind.LATE: (1.0, 0.0, LATE_S_MAX),
    Kind.SHORT: (6, 0, 6),
    Kind.REFUSE: (-1, -(1 << 31), -1),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; without a `value` the kind's default. Raises ValueError for what cannot be."""

    kind: Kind
    message: str = "write"
    at: int = 1
    again: Again = Again.NEVER
    value: float | None = None

    def __post_init__(self) -> None:
        if self.message not in _REQUESTS and self.message not in ("any", "write", *_WORDS):
            raise ValueError(f"{self.message!r} is no request: say write, any, {', '.join(_WORDS)} or lb_...")
        if self.kind is Kind.REFUSE and self.message in _REQUESTS - _REFUSABLE:
            raise ValueError(f"{self.message} has no answer that could be a refusal")
        if self.at < 1:
            raise ValueError(f"{self.at} is no place: the first request is 1")
        if self.value is None:
            return
        if self.kind not in _VALUES:
            raise ValueError(f"{self.kind.value} takes no value")
        _, least, most = _VALUES[self.kind]
        if not least <= self.value <= most or (self.kind is not Kind.LATE and self.value != int(self.value)):
            raise ValueError(f"{self.value:g} is no value for {self.kind.value}: {least:g} to {most:g} are possible")

    @property
    def figure(self) -> float:
        """The value, or the kind's default."""
        return self.value if self.value is not None else _VALUES[self.kind][0]

    def concerns(self, name: str, request: Fields) -> bool:
        """Whether it counts this request."""
        match self.message:
            case "any":
                return self.kind is not Kind.REFUSE or name in _REFUSABLE
            case "write":
                return name in _WRITES
            case word if word in _WORDS:
                message, is_del = _WORDS[word]
                return name == message and bool(request["is_del"]) is is_del
            case _:
                return name == self.message

    def __str__(self) -> str:
        value = "" if self.value is None else f"={self.value:g}"
        return f"{self.kind.value}{value}:{self.message}:{self.at}{self.again.value}"


def parse_fault(text: str) -> Fault:
    """The fault that is written so. Raises ValueError with a sentence for people."""
    words = text.split(":")
    head, *rest = words
    word, has_value, number = head.partition("=")
    kinds = {kind.value: kind for kind in Kind}
    if word not in kinds:
        raise ValueError(f"{word!r} is no kind of fault: {', '.join(kinds)} are")
    if len(rest) > 2:
        raise ValueError(f"{text!r} has too many colons: KIND[=VALUE][:MESSAGE][:AT]")
    message = rest.pop(0) if rest and not _AT.fullmatch(rest[0]) else "write"
    at = _AT.fullmatch(rest[0] if rest else "1")
    if at is None or len(rest) > 1:
        raise ValueError(f"{':'.join(rest)!r} is no place: 3, 3+ and 3= are")
    return Fault(kinds[word], message, int(at["number"]), Again(at["again"]), _figure(number) if has_value else None)


class Faults:
    """The faults ordered of one VPP; counts its requests and tells which go wrong."""

    def __init__(self, *faults: Fault) -> None:
        self.order(*faults)

    def order(self, *faults: Fault) -> None:
        """From now on these and no others; the counting starts anew."""
        self._marks = [_Mark(fault) for fault in faults]
        self.struck = 0
        """How many requests went wrong."""

    def strike(self, name: str, request: Fields) -> Fault | None:
        """Count the request; the fault that it meets, if any: of several the one ordered first."""
        struck = [mark.fault for mark in self._marks if mark.meets(name, request)]
        if not struck:
            return None
        self.struck += 1
        _log.warning("fault %s strikes %s", struck[0], name)
        return struck[0]


class _Mark:
    """A fault and how far its counting has come."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._count = 0
        self._like: Fields | None = None

    def meets(self, name: str, request: Fields) -> bool:
        fault = self.fault
        if not fault.concerns(name, request):
            return False
        self._count += 1
        asked = {"": name, **{key: value for key, value in request.items() if key not in _OF_ONE_REQUEST}}
        if self._count == fault.at:
            self._like = asked
            return True
        if self._count < fault.at or fault.again is Again.NEVER:
            return False
        return fault.again is Again.ALL or asked == self._like


def mangled(fault: Fault, frame: bytes) -> Iterator[bytes]:
    """The frames to send instead of a right one."""
    payload = frame[FRAME.size :]
    number, context = _ID_AND_CONTEXT.unpack_from(payload)
    body = payload[_ID_AND_CONTEXT.size :]
    match fault.kind:
        case Kind.STRAY:
            yield _framed(_ID_AND_CONTEXT.pack(number, context ^ 0x5A5A_5A5A) + body)
            yield frame
        case Kind.SHORT:
            yield _framed(payload[: int(fault.figure)])
        case Kind.LONG:
            yield _framed(payload + bytes(64))
        case Kind.ALIEN:
            yield _framed(_ID_AND_CONTEXT.pack(_UNKNOWN_ID, context) + body)
        case Kind.HUGE:
            yield FRAME.pack(0, 0xFFFF_FFFF, 0) + payload
        case _:
            yield frame


def _framed(payload: bytes) -> bytes:
    return FRAME.pack(0, len(payload), 0) + payload


def _figure(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
