"""The fields of events, in an operator's words; must not know how they are shown."""

import dataclasses
from collections.abc import Sequence
from typing import assert_never

from maglev.core.events import ConfChange, ConfigReloaded, Drift, Event, Ordered, Programmed, ReloadRefused
from maglev.core.model import LbConf
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight

MAX_TOLD = 4  # operations of a batch, and changes of a reload are four times as many; the rest is counted


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


def fields_of(event: Event) -> dict[str, object]:
    """All that an event has to say but its name, level and time."""
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
        fields |= {"what": event.what, "before": event.before, "after": event.after}
        return fields | {"result": event.result, "times": event.times}
    if isinstance(event, ConfChange):
        flows = "every flow is dropped" if event.drops_flows else "none is dropped"
        return {"from": describe_conf(event.before), "to": describe_conf(event.after), "flows": flows}
    for attribute, name in _names(type(event)):
        value = getattr(event, attribute)
        if attribute == "op":
            fields[name] = describe(value)
        elif inner := _inner_names(type(value)):
            for part in inner:
                fields[part] = getattr(value, part)
        else:
            fields[name] = value
    return fields


_KEPT: dict[type, Sequence[tuple[str, str]]] = {}  # at debug these are asked for thousands of times a second
_KEPT_INNER: dict[type, Sequence[str]] = {}


def _names(kind: type[Event]) -> Sequence[tuple[str, str]]:
    """The attributes that are told, and as what."""
    if kind not in _KEPT:
        words = {"before": "from", "after": "to"}
        # The rest is told by the line's time, its level and its name.
        told = [each.name for each in dataclasses.fields(kind) if each.name not in ("at_ns", "rank", "direction")]
        _KEPT[kind] = [(name, words.get(name, name)) for name in told]
    return _KEPT[kind]


def _inner_names(kind: type) -> Sequence[str]:
    """Of a value within an event, what is told of it in its stead; nothing if it is told itself."""
    if kind not in _KEPT_INNER:
        parts = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
        _KEPT_INNER[kind] = [part.name for part in parts if not part.name.endswith("_ns")]
    return _KEPT_INNER[kind]


def _some(things: Sequence[str]) -> str:
    told, rest = things[: 4 * MAX_TOLD], len(things) - 4 * MAX_TOLD
    return "; ".join((*told, f"and {rest} more") if rest > 0 else told) or "nothing"
