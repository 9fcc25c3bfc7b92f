"""Events and notes as log lines, `time LEVEL name field=value ...` on stderr; decides nothing."""

import dataclasses
import enum
import json
import logging
import sys
import time
from collections.abc import Sequence
from typing import assert_never

from maglev.core.events import ConfChange, ConfigReloaded, Drift, Event, Ordered, Programmed, ReloadRefused
from maglev.core.model import LbConf
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight

logger = logging.getLogger("maglev")

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
MAX_TOLD = 4  # operations of a batch, and changes of a reload are four times as many; the rest is counted


def set_up(level: str) -> None:
    """Log to stderr from `level` (a key of LEVELS) upwards."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Formatter())
    logger.handlers[:] = [stream]
    logger.propagate = False
    logger.setLevel(LEVELS[level])


def write(event: Event) -> None:
    """Log one event at its own level."""
    if logger.isEnabledFor(event.level.value):
        note(event.level.value, event.name, **_fields(event))


def note(level: int, name: str, **fields: object) -> None:
    """Log something that is no event of the core: starts, stops, what the daemon itself does."""
    logger.log(level, "%s", " ".join([name, *(f"{key}={_text(value)}" for key, value in fields.items())]))


def describe(op: Op) -> str:
    """One operation in an operator's words."""
    match op:
        case SetConf(conf):
            return f"set {describe_conf(conf)}"
        case AddVip(vip, encap):
            return f"add {vip} {encap.name.lower()}"
        case DelVip(vip, reason):
            return f"delete {vip} ({reason})"
        case AddBackend(vip, backend, weight):
            return f"add {backend} to {vip} with weight {weight}"
        case DelBackend(vip, backend):
            return f"delete {backend} from {vip}"
        case SetWeight(vip, backend, weight, flush):
            return f"set {backend} of {vip} to weight {weight}{' and flush' if flush else ''}"
        case _:
            assert_never(op)


def describe_conf(conf: LbConf | None) -> str:
    """The global parameters in an operator's words."""
    if conf is None:
        return "not known"
    return (
        f"sources {conf.ipv4_source} {conf.ipv6_source}, flow timeout {conf.flow_timeout_s} s, "
        f"{conf.sticky_buckets_per_core} sticky buckets per core"
    )


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{moment}.{int(record.msecs):03}Z {record.levelname} {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _fields(event: Event) -> dict[str, object]:
    fields: dict[str, object] = {}
    if isinstance(event, Programmed | Drift):
        told = [describe(op) for op in event.ops[:MAX_TOLD]]
        rest = len(event.ops) - len(told)
        fields = {"ops": len(event.ops), "what": "; ".join(told + ([f"and {rest} more"] if rest else []))}
        return fields | ({"hint": event.hint} if isinstance(event, Drift) else {})
    if isinstance(event, ConfigReloaded):
        return {kind: _some(getattr(event, kind)) for kind in ("added", "removed", "changed")}
    if isinstance(event, ReloadRefused):
        return {"refused": _some(event.faults), "hint": "what counted before goes on; mend the file and reload again"}
    if isinstance(event, Ordered):
        fields = {"who": event.who, "from": event.origin, "says": event.says, "action": event.action}
        fields |= {"what": event.what, "before": event.before, "after": event.after, "result": event.result}
        return {name: value for name, value in fields.items() if value}
    if isinstance(event, ConfChange):
        flows = "every flow is dropped" if event.drops_flows else "none is dropped"
        return {"from": describe_conf(event.before), "to": describe_conf(event.after), "flows": flows}
    for field in dataclasses.fields(event):
        if field.name in ("at_ns", "rank", "direction"):  # told by the line's time, its level and its name
            continue
        value = getattr(event, field.name)
        name = {"before": "from", "after": "to"}.get(field.name, field.name)
        if field.name == "op":
            fields[name] = describe(value)
        elif dataclasses.is_dataclass(value):
            inner = (part.name for part in dataclasses.fields(value) if not part.name.endswith("_ns"))
            fields |= {name: getattr(value, name) for name in inner}
        else:
            fields[name] = value
    return fields


def _some(things: Sequence[str]) -> str:
    told, rest = things[: 4 * MAX_TOLD], len(things) - 4 * MAX_TOLD
    return "; ".join((*told, f"and {rest} more") if rest > 0 else told) or "nothing"


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    plain = text.isprintable() and text and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)
