"""What is left to do to VPP's table -> protobuf messages, plain functions; must not know who asks."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from maglev.core import outlook
from maglev.core.model import IPAddress
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, SetConf, SetWeight
from maglev.core.outlook import Outstanding, Unknown
from maglev.core.status import HealthStatus, LbStatus
from maglev.rpc._pb import maglev_pb2 as pb

_KINDS = {
    SetConf: "set-parameters",
    AddVip: "add-vip",
    DelVip: "del-vip",
    AddBackend: "add-backend",
    DelBackend: "del-backend",
    SetWeight: "set-weight",
}


def lb_plan(health: HealthStatus, lb: LbStatus) -> Iterator[pb.VPPLBPlan]:
    """The plan in parts, in order; some are empty, as finding out what is left takes its time, too."""
    yield pb.VPPLBPlan(audited_at_ns=lb.audited_at_ns, held_back_s=lb.held_back_s)
    names: defaultdict[IPAddress, list[str]] = defaultdict(list)
    for one in outlook.outlook(health, lb):
        match one:
            case None:
                yield pb.VPPLBPlan()
            case Unknown():
                yield pb.VPPLBPlan(unknown_vips=one.vips)
            case Outstanding():
                if not names:  # as with the first operation only: mostly there is none
                    for number, (name, status) in enumerate(health.backends.items()):
                        names[status.backend.address].append(name)
                        if number % outlook.SLICE == 0:
                            yield pb.VPPLBPlan()
                yield pb.VPPLBPlan(operations=[_operation(one, names)])


def _operation(one: Outstanding, names: Mapping[IPAddress, Sequence[str]]) -> pb.VPPLBOperation:
    op, effect = one.op, one.effect
    message = pb.VPPLBOperation(
        kind=_KINDS[type(op)],
        moves=effect.moves,
        drops=effect.drops,
        breaks_flows=effect.is_breaking,
        flows=effect.flows,
        waits=one.wait.value if one.wait else "",
    )
    if not isinstance(op, SetConf):
        message.prefix, message.protocol, message.port = str(op.vip.prefix), op.vip.protocol_name, op.vip.port
    if isinstance(op, AddBackend | DelBackend | SetWeight):
        message.address = str(op.backend)
        message.backends.extend(names.get(op.backend, ()))
    if isinstance(op, AddBackend | SetWeight):
        message.weight = op.weight
    if isinstance(op, SetWeight):
        message.flush = op.flush
    return message
