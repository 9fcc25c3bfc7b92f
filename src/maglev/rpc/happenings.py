"""What happens -> messages of the event stream, serialized, plain functions; must not know who gets them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from maglev.core.events import (
    BackendAdded,
    BackendTransition,
    Event,
    FrontendAdded,
    FrontendRemoved,
    FrontendTransition,
)
from maglev.core.level import Level
from maglev.core.record import Record, Value
from maglev.core.status import BackendStatus, HealthStatus
from maglev.errors import ConfigError
from maglev.rpc._pb import maglev_pb2 as pb

_LEVELS = {level.name.lower(): level for level in Level}
_WORDS = {level: word for word, level in _LEVELS.items()}
_REMOVED = "removed"
"""Of a frontend, which has no such state: what is not configured has none."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What a watcher wants: log records from level `log` upwards, None for none; with `batch`, many in one message."""

    log: Level | None
    backend: bool
    frontend: bool
    batch: bool = False

    @property
    def parts(self) -> Sequence["Wants"]:
        """The same in two: the log, and states."""
        log = (Wants(self.log, backend=False, frontend=False),) if self.log is not None else ()
        states = (Wants(None, self.backend, self.frontend),) if self.backend or self.frontend else ()
        return log + states


TOLD = (Record, BackendTransition, BackendAdded, FrontendTransition, FrontendAdded, FrontendRemoved)
"""All that anybody can want."""


class Present:
    """The present states as messages, made once for all who get them, as they are read; until it is outdated.

    From then on whoever still reads makes its own, so that only the newest ones are ever kept.
    """

    def __init__(self, health: HealthStatus) -> None:
        self.health = health
        self._made: dict[tuple[bool, bool], tuple[list[bytes], Iterator[bytes]]] | None = {}

    def is_outdated(self) -> None:
        """There is a newer one."""
        self._made = None

    def messages(self, wants: Wants) -> Iterator[bytes]:
        """Those that are wanted, in the order of the configuration."""
        for place in count():
            if self._made is None:
                yield from islice(present(self.health, wants), place, None)
                return
            message = self._shared(self._made, wants, place)
            if message is None:
                return
            yield message

    def _shared(
        self, kept: dict[tuple[bool, bool], tuple[list[bytes], Iterator[bytes]]], wants: Wants, place: int
    ) -> bytes | None:
        """The message at that place, made if nobody has read so far yet; None behind the last."""
        kinds = wants.backend, wants.frontend
        if kinds not in kept:
            kept[kinds] = [], present(self.health, wants)
        made, rest = kept[kinds]
        if place == len(made) and (message := next(rest, None)) is not None:
            made.append(message)
        return made[place] if place < len(made) else None


def wants(request: pb.WatchRequest) -> Wants:
    """What is not set is wanted. Raises ConfigError for an unknown level."""
    level = request.log_level or "debug"
    if level not in _LEVELS:
        raise ConfigError(f"{level[:64]!r} is no log level", hint=f"it is one of {', '.join(_LEVELS)}")
    return Wants(
        log=_LEVELS[level] if request.log or not request.HasField("log") else None,
        backend=request.backend or not request.HasField("backend"),
        frontend=request.frontend or not request.HasField("frontend"),
        batch=request.batch,
    )


def is_wanted(happening: Event | Record, wants: Wants) -> bool:
    """Whether it is to be sent to whoever wants this."""
    match happening:
        case Record(level=level):
            return wants.log is not None and level.value >= wants.log.value
        case BackendTransition() | BackendAdded():
            return wants.backend
        case FrontendTransition() | FrontendAdded() | FrontendRemoved():
            return wants.frontend
        case _:
            return False  # what else happens is told as a record


def present(health: HealthStatus, wants: Wants) -> Iterator[bytes]:
    """The present state of every backend and frontend, in the order of the configuration."""
    if wants.backend:
        for status in health.backends.values():
            yield pb.Event(backend=_standing(status)).SerializeToString()
    if wants.frontend:
        for name, frontend in health.frontends.items():
            word = frontend.resolved.state.word
            yield _frontend(frontend.changed_at_ns, name, word, word)


def message(happening: Event | Record) -> bytes:
    """The message of what `is_wanted` by somebody."""
    match happening:
        case Record():
            return _log(happening)
        case BackendTransition(name, address, before, after, code, detail, at_ns):
            return _backend(at_ns, name, str(address), before.word, after.word, code, detail)
        case BackendAdded(name, address, state, at_ns):
            return _backend(at_ns, name, str(address), state.word, state.word, "", "")
        case FrontendTransition(name, old, new, at_ns):
            return _frontend(at_ns, name, old.word, new.word)
        case FrontendAdded(name, stands, at_ns):
            return _frontend(at_ns, name, stands.word, stands.word)
        case FrontendRemoved(name, stood, at_ns):
            return _frontend(at_ns, name, stood.word, _REMOVED)
        case _:
            raise TypeError(f"nobody can want {happening!r}")


def resync(lost: int, *, log_only: bool) -> bytes:
    """The word for a watcher that lost this many messages."""
    return pb.Event(resync=pb.ResyncEvent(lost=lost, log_only=log_only)).SerializeToString()


def batch(messages: Sequence[bytes]) -> bytes:
    """Several messages in one, as `Event.batch`: protobuf writes a message within another as its length and itself."""
    inner = b"".join(_EVENTS + _varint(len(each)) + each for each in messages)
    return _BATCH + _varint(len(inner)) + inner


def _tag(number: int) -> bytes:
    return bytes([number << 3 | 2])  # a field that has a length


_BATCH = _tag(pb.Event.DESCRIPTOR.fields_by_name["batch"].number)
_EVENTS = _tag(pb.EventBatch.DESCRIPTOR.fields_by_name["events"].number)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _standing(status: BackendStatus) -> pb.BackendEvent:
    latest = status.transitions[0] if status.transitions else None
    word = status.health.state.word
    return pb.BackendEvent(
        at_ns=status.changed_at_ns,
        backend=status.backend.name,
        address=str(status.backend.address),
        **{"from": word},  # a keyword of Python
        to=word,
        code=latest.code if latest else "",
        detail=latest.detail if latest else "",
    )


def _backend(at_ns: int, name: str, address: str, before: str, after: str, code: str, detail: str) -> bytes:
    words = {"from": before, "to": after}
    return pb.Event(
        backend=pb.BackendEvent(at_ns=at_ns, backend=name, address=address, code=code, detail=detail, **words)
    ).SerializeToString()


def _frontend(at_ns: int, name: str, before: str, after: str) -> bytes:
    words = {"from": before, "to": after}
    return pb.Event(frontend=pb.FrontendEvent(at_ns=at_ns, frontend=name, **words)).SerializeToString()


def _log(record: Record) -> bytes:
    event = pb.Event()
    log = event.log
    log.at_ns, log.level, log.name = record.at_ns, _WORDS[record.level], record.name
    fields = log.fields
    for key, value in record.fields.items():
        fields[key] = _text(value)
    return event.SerializeToString()


def _text(value: Value) -> str:
    """As JSON writes it, but texts without quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return repr(value)
