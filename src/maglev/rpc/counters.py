"""A sample of VPP's counters -> protobuf messages, plain functions; must not know who asks."""

from collections.abc import Iterator, Mapping

from maglev.core.counters import BackendCounters, Sample, VipCounters
from maglev.core.model import IPAddress, VipKey, address_order
from maglev.core.observed import ObservedVip
from maglev.core.status import BackendStatus, LbStatus, names_by_address
from maglev.rpc._pb import maglev_pb2 as pb


def lb_counters(
    sample: Sample, lb: LbStatus, backends: Mapping[str, BackendStatus], interval_s: float
) -> Iterator[pb.VPPLBCounters]:
    """All of VPP's table in parts, in numeric order; an address that no configured backend has comes without a name."""
    yield pb.VPPLBCounters(
        taken_at_ns=sample.taken_at_ns,
        unmatched_packets=sample.unmatched_packets,
        unmatched_since_ns=sample.unmatched_since_ns,
        audited_at_ns=lb.audited_at_ns,
        interval_s=interval_s,
    )
    vips = lb.observed.vips
    addresses = set[IPAddress]()
    for key in sorted(vips, key=lambda key: key.order):
        addresses.update(vips[key].backends)
        yield pb.VPPLBCounters(vips=[_vip(key, sample.vips.get(key), vips[key], lb.audited.vips.get(key))])
    names = names_by_address(backends.values())
    for address in sorted(addresses, key=address_order):
        yield pb.VPPLBCounters(backends=[_backend(address, names.get(address, []), sample.backends.get(address))])


def _vip(
    key: VipKey, counters: VipCounters | None, vip: ObservedVip, audited: ObservedVip | None
) -> pb.VPPLBVIPCounters:
    servers = [_server(a, vip.backends[a].weight, audited) for a in sorted(vip.backends, key=address_order)]
    if counters is None:
        return pb.VPPLBVIPCounters(
            prefix=str(key.prefix), protocol=key.protocol_name, port=key.port, application_servers=servers
        )
    return pb.VPPLBVIPCounters(
        prefix=str(key.prefix),
        protocol=key.protocol_name,
        port=key.port,
        next=counters.next,
        first=counters.first,
        untracked=counters.untracked,
        no_server=counters.no_server,
        fib_packets=counters.route.packets if counters.route else None,
        fib_bytes=counters.route.bytes if counters.route else None,
        since_ns=counters.since_ns,
        fib_since_ns=counters.route_since_ns,
        application_servers=servers,
    )


def _server(address: IPAddress, weight: int, audited: ObservedVip | None) -> pb.VPPLBAS:
    found = audited.backends.get(address) if audited else None
    if found is None:
        return pb.VPPLBAS(address=str(address), weight=weight)
    return pb.VPPLBAS(address=str(address), weight=weight, buckets=found.buckets, flows=found.flows)


def _backend(address: IPAddress, names: list[str], counters: BackendCounters | None) -> pb.VPPLBBackendCounters:
    if counters is None:
        return pb.VPPLBBackendCounters(backends=names, address=str(address))
    return pb.VPPLBBackendCounters(
        backends=names,
        address=str(address),
        forwarded_packets=counters.forwarded.packets,
        forwarded_bytes=counters.forwarded.bytes,
        direct_packets=counters.direct.packets,
        direct_bytes=counters.direct.bytes,
        since_ns=counters.since_ns,
    )
