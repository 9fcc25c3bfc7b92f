"""Status -> protobuf messages, plain functions; must not know who asks or how the answer is sent."""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from maglev.core.health import State, Transition, ceiling
from maglev.core.model import (
    HealthCheck,
    HttpSpec,
    IcmpSpec,
    IPAddress,
    LbConf,
    TcpSpec,
    Tls,
    VipKey,
    VppInfo,
    address_order,
    probe_type,
)
from maglev.core.plan import ObservedBackend, ObservedVip
from maglev.core.status import BackendStatus, FrontendStatus, LbStatus
from maglev.rpc._pb import maglev_pb2 as pb


def frontend_info(status: FrontendStatus, refused: str | None = None) -> pb.FrontendInfo:
    """A frontend with every pool, in order of preference."""
    frontend, resolved = status.frontend, status.resolved
    active = resolved.active_pool
    return pb.FrontendInfo(
        name=frontend.name,
        address=str(frontend.vip.prefix),
        protocol=frontend.vip.protocol_name,
        port=frontend.vip.port,
        pools=[
            pb.PoolInfo(
                name=pool.name,
                backends=[
                    pb.PoolBackendInfo(
                        name=name,
                        weight=weight,
                        effective_weight=cells[name].weight,
                        file_weight=pool.file_weights.get(name),
                    )
                    for name, weight in pool.weights.items()
                ],
            )
            for pool, cells in zip(frontend.pools, resolved.pools, strict=True)
        ],
        description=frontend.description,
        src_ip_sticky=frontend.src_ip_sticky,
        flush_on_down=frontend.flush_on_down,
        state=resolved.state.word,
        active_pool=None if active is None else frontend.pools[active].name,
        refused=refused,
        changed_at_ns=status.changed_at_ns,
    )


def add_backends(info: pb.FrontendInfo, backends: Mapping[str, BackendStatus], vip: ObservedVip | None) -> None:
    """Fill in what the backends of a frontend are themselves, and what they have in VPP, as far as that is known."""
    for pool in info.pools:
        for each in pool.backends:
            status = backends.get(each.name)
            if status is None:  # gone by a reload, a moment ago
                continue
            each.address, each.state = str(status.backend.address), status.health.state.word
            each.changed_at_ns = status.changed_at_ns
            there = vip.backends.get(status.backend.address) if vip else None
            if there is not None and there.buckets is not None:
                each.buckets = there.buckets
            if there is not None and there.flows is not None:
                each.flows = there.flows


def backend_info(status: BackendStatus) -> pb.BackendInfo:
    """A backend; counter, its maximum and rise stay 0 for one that is not checked, which has no counter."""
    backend, check = status.backend, status.backend.check
    return pb.BackendInfo(
        name=backend.name,
        address=str(backend.address),
        state=status.health.state.word,
        healthcheck=check.name if check else "",
        enabled=status.health.state is not State.DISABLED,
        counter=status.health.counter if check else 0,
        counter_max=ceiling(check.policy) if check else 0,
        rise=check.policy.rise if check else 0,
        changed_at_ns=status.changed_at_ns,
        transitions=[_transition(each) for each in status.transitions],
    )


def _transition(transition: Transition) -> pb.TransitionInfo:
    return pb.TransitionInfo(
        at_ns=transition.at_ns,
        **{"from": transition.before.word},  # a keyword of Python
        to=transition.after.word,
        code=transition.code,
        detail=transition.detail,
    )


def health_check_info(check: HealthCheck, backends: Iterable[str]) -> pb.HealthCheckInfo:
    """A health check, and the names of the backends that have it."""
    info = pb.HealthCheckInfo(
        name=check.name,
        type=probe_type(check.spec),
        interval_s=check.timing.interval_s,
        timeout_s=check.timing.timeout_s,
        rise=check.policy.rise,
        fall=check.policy.fall,
        fast_interval_s=check.timing.fast_interval_s,
        down_interval_s=check.timing.down_interval_s,
        probe_ipv4_src=None if check.ipv4_source is None else str(check.ipv4_source),
        probe_ipv6_src=None if check.ipv6_source is None else str(check.ipv6_source),
        backends=backends,
    )
    match check.spec:
        case IcmpSpec():
            return info
        case TcpSpec(port, tls):
            info.MergeFrom(pb.HealthCheckInfo(port=port, tls=_tls(tls)))
        case HttpSpec(port, tls, path, host, codes, regexp):
            ranges = [f"{low}" if low == high else f"{low}-{high}" for low, high in codes]
            info.MergeFrom(
                pb.HealthCheckInfo(
                    port=port, tls=_tls(tls), path=path, host=host, response_codes=ranges, response_regexp=regexp
                )
            )
        case _:
            assert_never(check.spec)
    return info


def _tls(tls: Tls | None) -> pb.TLSInfo | None:
    return None if tls is None else pb.TLSInfo(server_name=tls.server_name, insecure_skip_verify=not tls.verify)


def vpp_info(vpp: VppInfo) -> pb.VPPInfo:
    """The VPP behind the present session."""
    return pb.VPPInfo(
        version=vpp.version,
        build_date=vpp.build_date,
        build_directory=vpp.build_directory,
        pid=vpp.pid,
        boottime_ns=vpp.boottime_ns,
        connecttime_ns=vpp.connecttime_ns,
    )


def lb_state(lb: LbStatus) -> Iterator[pb.VPPLBState]:
    """VPP's table in parts; VIPs and their servers in numeric order, IPv4 first; refused VIPs among them."""
    conf = lb.observed.conf
    vips = lb.observed.vips
    yield pb.VPPLBState(
        conf=None if conf is None else _conf(conf),
        audited_at_ns=lb.audited_at_ns,
        conf_refused=lb.conf_refused or None,
        doubtful=len(lb.doubtful),
        audit_cost_s=lb.audit_cost_s,
        audit_interval_s=lb.audit_interval_s,
        held_back_s=lb.held_back_s,
    )
    for key in sorted(vips.keys() | lb.refused.keys(), key=lambda key: key.order):
        refused = lb.refused.get(key, "")
        yield pb.VPPLBState(vips=[_vip(key, vips[key], refused or None) if key in vips else _absent_vip(key, refused)])


def _conf(conf: LbConf) -> pb.VPPLBConf:
    return pb.VPPLBConf(
        ipv4_src_address=str(conf.ipv4_source),
        ipv6_src_address=str(conf.ipv6_source),
        sticky_buckets_per_core=conf.sticky_buckets_per_core,
        flow_timeout_s=conf.flow_timeout_s,
    )


def _absent_vip(key: VipKey, refused: str) -> pb.VPPLBVIP:
    """A VIP that VPP refused to make: there is nothing else to say of it."""
    return pb.VPPLBVIP(prefix=str(key.prefix), protocol=key.protocol_name, port=key.port, refused=refused)


def _vip(key: VipKey, vip: ObservedVip, refused: str | None) -> pb.VPPLBVIP:
    return pb.VPPLBVIP(
        prefix=str(key.prefix),
        protocol=key.protocol_name,
        port=key.port,
        encap=vip.encap.name.lower(),
        src_ip_sticky=vip.src_ip_sticky,
        flow_table_length=vip.table_length,
        application_servers=[_server(a, vip.backends[a]) for a in sorted(vip.backends, key=address_order)],
        refused=refused,
    )


def _server(address: IPAddress, backend: ObservedBackend) -> pb.VPPLBAS:
    return pb.VPPLBAS(address=str(address), weight=backend.weight, buckets=backend.buckets, flows=backend.flows)
