"""An order and a server -> what came of it; tells first what it would do to flows, and goes on if that is agreed to."""

from collections.abc import Callable
from typing import assert_never

from maglev.cli.client import Client
from maglev.cli.commands import Change, ConfigCheck, ConfigReload, SetBackend, SetWeight, SyncLbState
from maglev.cli.render import vpp
from maglev.cli.render.layout import Page, Text
from maglev.cli.render.units import age
from maglev.errors import Refused, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb

Agree = Callable[[str], bool]
"""Puts a question to the user. Raises ConfigError where nobody can be asked."""
Write = Callable[[Page], None]

_FAULTS = pb.CheckConfigResponse | pb.ReloadConfigResponse


def change(order: Change, client: Client, now_ns: Callable[[], int], agree: Agree, write: Write) -> None:
    """Carry it out and write what came of it. Raises Refused, Unavailable, and what `agree` raises."""
    breaks = flows_cut(order, client, now_ns())
    if breaks is not None and not agree(breaks):
        raise Refused("nothing was changed")
    match order:
        case SetBackend(name, word):
            _tell_state(word, client.order(word, name), write)
        case SetWeight():
            info = client.set_weight(order.frontend, order.pool, order.backend, order.weight, flush=order.flush)
            write(_said(_weight(order, info)))
        case SyncLbState(name):
            write(vpp.synced(client.sync(name or ""), now_ns()))
        case ConfigCheck():
            _judge(client.check_config(), write, "a reload would take nothing of it over")
            write(_said("the configuration file is valid"))
        case ConfigReload():
            _judge(client.reload_config(), write, "nothing of it was taken over, maglevd goes on as before")
            write(_said("the configuration file was taken over"))
        case _:
            assert_never(order)


def flows_cut(order: Change, client: Client, now_ns: int) -> str | None:
    """What `order` would cut, as a sentence; None if nothing. Raises Refused for a name that does not exist."""
    match order:
        case SetBackend(name, "disable"):
            backend = client.backend(name)
            return f"this cuts the flows of {name}{_flows_of(backend, client, now_ns)}" if backend.enabled else None
        case SetWeight(flush=True):
            info = client.frontend(order.frontend)
            place = _place(order, info)
            if place is None:  # which is for maglevd to say: it offers what there is
                return None
            about = (
                f": about {place.flows}, counted {age(info.audited_at_ns, now_ns)} ago"
                if place.HasField("flows")
                else ""
            )
            return f"this cuts the flows of {order.backend} in {order.frontend}{about}"
        case _:
            return None


def _flows_of(backend: pb.BackendInfo, client: Client, now_ns: int) -> str:
    """How many there are in VIPs that it is in by this name, as far as VPP's table is known."""
    try:
        state = client.lb_state()
    except (Refused, Unavailable):
        return ""
    its = {
        (info.address, info.protocol, info.port)
        for info in client.frontends()
        if any(each.name == backend.name for pool in info.pools for each in pool.backends)
    }
    found = [
        server
        for vip in state.vips
        if (vip.prefix, vip.protocol, vip.port) in its
        for server in vip.application_servers
        if server.address == backend.address
    ]
    where = f"{len(found)} VIP{'' if len(found) == 1 else 's'}"
    if not all(server.HasField("flows") for server in found):  # a write since the reading: no number would be true
        return f" in {where}; `sync vpp lb state` counts them"
    return f": about {sum(server.flows for server in found)} in {where}, counted {age(state.audited_at_ns, now_ns)} ago"


def _tell_state(word: str, info: pb.BackendInfo, write: Write) -> None:
    """Raises Refused where the order was for another state, so that nothing came of it."""
    if word == "enable" and info.state == "paused":
        raise Refused(f"backend {info.name} is paused, not disabled", hint="resume it")
    write(_said(f"backend {info.name} is {info.state}"))


def _weight(order: SetWeight, info: pb.FrontendInfo) -> str:
    where = f"frontend {order.frontend} pool {order.pool} backend {order.backend}"
    place = _place(order, info)
    if place is None:
        return f"{where} has weight {order.weight}"
    of_file = f" (in the file {place.file_weight})" if place.HasField("file_weight") else ""
    return f"{where} has weight {place.weight}{of_file}, effective weight {place.effective_weight}"


def _place(order: SetWeight, info: pb.FrontendInfo) -> pb.PoolBackendInfo | None:
    members = (each for pool in info.pools if pool.name == order.pool for each in pool.backends)
    return next((each for each in members if each.name == order.backend), None)


def _judge(found: _FAULTS, write: Write, so: str) -> None:
    """Write every fault. Raises Refused if there is any."""
    faults = [line for text in (found.parse_error, found.semantic_error) for line in text.splitlines()]
    if found.ok and not faults:
        return
    write((Text(tuple(faults)),))
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise Refused(f"{count} in the configuration file: {so}")


def _said(sentence: str) -> Page:
    return (Text((sentence,)),)
