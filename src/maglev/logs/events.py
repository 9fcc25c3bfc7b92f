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
        return fields | {"what": event.what, "before": event.before, "after": event.after, "result": event.result}
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
