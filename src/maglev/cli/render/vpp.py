"""The VPP behind maglevd, its load-balancer table, and what is left to do to it -> pages."""

from collections.abc import Iterator

from maglev.cli.render.layout import Column, Fields, Kind, Page, Table, Text
from maglev.cli.render.units import ABSENT, age, interval, service, share, vip, when, yes
from maglev.rpc._pb import maglev_pb2 as pb

_VIPS = (
    Column("vip", Kind.KEY),
    Column("port", Kind.KEY),
    Column("encap"),
    Column("src-ip-sticky"),
    Column("flow-table", Kind.FIGURE),
    Column("backends", Kind.FIGURE),
)
_SERVERS = (
    Column("vip", Kind.KEY),
    Column("port", Kind.KEY),
    Column("backend", Kind.KEY),
    Column("weight", Kind.FIGURE),
    Column("buckets", Kind.FIGURE),
    Column("flows", Kind.FIGURE),
)
_REFUSED = (Column("vip", Kind.KEY), Column("port", Kind.KEY), Column("vpp-refuses", Kind.FREE))
_PLAN = (
    Column("#", Kind.KEY),
    Column("operation", Kind.FREE),
    Column("effect", Kind.FREE),
    Column("waits", Kind.STATE),
)


def info(info: pb.VPPInfo, now_ns: int) -> Page:
    """The VPP that maglevd is connected to."""
    return (
        Fields(
            (
                ("version", info.version),
                ("build-date", info.build_date),
                ("build-directory", info.build_directory),
                ("pid", str(info.pid)),
                ("started", when(info.boottime_ns, now_ns)),
                ("connected", when(info.connecttime_ns, now_ns)),
            )
        ),
    )


def state(state: pb.VPPLBState, now_ns: int) -> Page:
    """VPP's table: global parameters, VIPs, their backends, and what VPP refused."""
    head = [
        ("audited", when(state.audited_at_ns, now_ns)),
        ("audit-cost", f"{interval(state.audit_cost_s)}, every {interval(state.audit_interval_s)}"),
    ]
    if state.doubtful:
        head.append(("in-doubt", f"{state.doubtful} VIPs, not written until the next audit"))
    if state.held_back_s:
        head.append(_held_back(state.held_back_s))
    if state.HasField("conf"):
        head += [
            ("ipv4-src-address", state.conf.ipv4_src_address),
            ("ipv6-src-address", state.conf.ipv6_src_address),
            ("sticky-buckets-per-core", str(state.conf.sticky_buckets_per_core)),
            ("flow-timeout", f"{state.conf.flow_timeout_s}s"),
        ]
    if state.HasField("conf_refused"):
        head.append(("parameters-refused", state.conf_refused))
    vips = tuple(
        (
            vip(each.prefix),
            service(each.protocol, each.port),
            each.encap or ABSENT,
            yes(each.src_ip_sticky) if each.HasField("src_ip_sticky") else ABSENT,
            str(each.flow_table_length) if each.encap else ABSENT,  # without one, VPP refused to make it
            str(len(each.application_servers)) if each.encap else ABSENT,
        )
        for each in state.vips
    )
    refused = tuple(
        (vip(each.prefix), service(each.protocol, each.port), each.refused)
        for each in state.vips
        if each.HasField("refused")
    )
    page = (Fields(tuple(head)), Table(_VIPS, vips), Table(_SERVERS, tuple(_servers(state))))
    return (*page, Table(_REFUSED, refused)) if refused else page


def _servers(state: pb.VPPLBState) -> Iterator[tuple[str, ...]]:
    for each in state.vips:
        prefix, port = vip(each.prefix), service(each.protocol, each.port)
        for server in each.application_servers:
            yield (
                prefix,
                port,
                server.address,
                str(server.weight),
                str(server.buckets) if server.HasField("buckets") else ABSENT,
                str(server.flows) if server.HasField("flows") else ABSENT,
            )


def _held_back(span_s: float) -> tuple[str, str]:
    return "held-back", f"nothing is written for {span_s:.0f}s: VPP keeps dying of it"


def plan(plan: pb.VPPLBPlan, now_ns: int) -> Page:
    """What is left to do to VPP's table, in order, with the effect of each operation on the traffic."""
    audited = age(plan.audited_at_ns, now_ns)
    head = (Fields((_held_back(plan.held_back_s),)),) if plan.held_back_s else ()
    unknown = (_unknown(plan.unknown_vips),) if plan.unknown_vips else ()
    if not plan.operations:
        nothing = (
            f"Nothing else to do: VPP's table was read whole {audited} ago."
            if unknown
            else f"Nothing to do: VPP's table, read whole {audited} ago, is as it should be."
        )
        return *head, Text((*unknown, nothing, "`sync vpp lb state` reads it anew."))
    digits = len(str(len(plan.operations)))
    rows = tuple(
        (f"{number:>{digits}}", operation(each), effect(each), each.waits or ABSENT)
        for number, each in enumerate(plan.operations, 1)
    )
    return *head, Table(_PLAN, rows), Text((_summary(plan), *unknown, f"VPP's table was read whole {audited} ago."))


def _unknown(vips: int) -> str:
    return (
        f"Nothing is planned yet for {vips} VIP{'' if vips == 1 else 's'}: maglevd has just started, and has not probed"
        f" all {'its' if vips == 1 else 'their'} backends."
    )


def operation(op: pb.VPPLBOperation) -> str:
    """One operation in an operator's words."""
    words = [op.kind]
    if op.prefix:
        words += [vip(op.prefix), service(op.protocol, op.port)]
    if op.address:
        names = ",".join(op.backends)
        words.append(f"backend {names} ({op.address})" if names else f"backend {op.address}")
    if op.HasField("weight"):
        words.append(f"weight {op.weight}")
    return " ".join([*words, *(["flush"] if op.flush else [])])


def effect(op: pb.VPPLBOperation) -> str:
    """What an operation does to the traffic; shares are of the VIP's new flows."""
    parts = []
    if op.moves:
        parts.append(f"moves {share(op.moves)} of new flows")
    if op.drops:
        parts.append(f"drops {share(op.drops)} of new flows")
    if op.breaks_flows:
        parts.append(f"breaks flows (~{op.flows})" if op.HasField("flows") else "breaks flows")
    return ", ".join(parts) or "neutral"


def _summary(plan: pb.VPPLBPlan) -> str:
    ops = plan.operations
    moving, dropping = sum(op.moves > 0 for op in ops), sum(op.drops > 0 for op in ops)
    breaking, waiting = sum(op.breaks_flows for op in ops), sum(bool(op.waits) for op in ops)
    neutral = sum(not (op.moves or op.drops or op.breaks_flows) for op in ops)
    return (
        f"Operations: {len(ops)}, of which neutral {neutral}, moving new flows {moving}, dropping new flows {dropping},"
        f" breaking flows {breaking} (one may do several); waiting {waiting}."
    )


def synced(answer: pb.SyncVPPLBStateResponse, now_ns: int) -> Page:
    """What a sync that was asked for has done."""
    done = f"{answer.operations} operation{'' if answer.operations == 1 else 's'}" if answer.operations else "nothing"
    sentences = [f"Read VPP's table {age(answer.audited_at_ns, now_ns)} ago; {done} had to be written."]
    if answer.refused_vips:
        sentences.append(
            f"VIPs that are not as they should be, as VPP refuses it: {answer.refused_vips};"
            " `show vpp lb state` says why."
        )
    return (Text(tuple(sentences)),)
