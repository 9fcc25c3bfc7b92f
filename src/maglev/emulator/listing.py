"""What VPP's command line prints of the lb plugin, to the letter; must not know how a command arrives.

From `format_lb_vip`, `format_lb_vip_detailed` and `format_lb_main` in VPP src/plugins/lb/lb.c, slips included: the NAT
lines lack a line end and show the VIP's port in the wrong byte order.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from maglev.emulator import ip46
from maglev.emulator.fib import Fib
from maglev.emulator.lb import COUNTER_NAMES, Lb
from maglev.emulator.sticky import SLOTS
from maglev.emulator.vip import ANY_PORT, Vip, VipType
from maglev.emulator.workers import Workers, sticky_time


@dataclass(frozen=True, slots=True)
class Version:
    """Who we say we are, in the fields of `show_version_reply`."""

    program: str
    version: str
    build_date: str
    build_directory: str


def show_version(version: Version) -> str:
    """`show version`."""
    return f"vpp v{version.version} built by maglev on localhost at {version.build_date}\n"


def show_lb(lb: Lb, workers: Workers, uptime_s: float) -> str:
    """`show lb`."""
    lines = [
        f"lb_main ip4-src-address: {ip46.text(ip46.decode(0, lb.ip4_source))} ",
        f" ip6-src-address: {ip46.ip6_text(lb.ip6_source)} ",
        f" #vips: {1 + sum(1 for _ in lb.vips)}",
        f" #ass: {lb.server_count}",
    ]
    for thread, table in workers.tables():
        usage = f"{table.live(sticky_time(uptime_s))} / {table.buckets - 1 + SLOTS}"
        lines += [f"core {thread}", f"  timeout: {workers.flow_timeout_s}s", f"  usage: {usage}"]
    return "".join(f"{line}\n" for line in lines)


def show_vips(lb: Lb) -> str:
    """`show lb vips`."""
    return "".join(f"{_brief(vip)}\n" for vip in lb.vips)


def show_vips_verbose(lb: Lb, workers: Workers) -> str:
    """`show lb vips verbose`: a block per VIP, each with an empty line behind it."""
    return "".join(f"{line}\n" for vip in lb.vips for line in _detailed(lb, workers, vip))


def show_fib(fib: Fib, prefix: str) -> str | None:
    """`show ip fib` and `show ip6 fib` of one route, as far as it tells its counters; None if there is none."""
    try:
        net = ipaddress.ip_network(prefix)
    except ValueError:
        return None
    route = fib.exact(net.version, int(net.network_address), net.prefixlen)
    if route is None:
        return None
    via = fib.via.get(route.index)
    counted = [("to", fib.to.get(route.index)), *([("via", via)] if via[0] else [])]
    return (
        f"ipv{net.version}-VRF:0, fib_index:0\n{net}\n forwarding:   unicast-ip{net.version}-chain\n"
        f"  [@0]: dpo-load-balance: [proto:ip{net.version} index:{route.index} buckets:1 uRPF:0 "
        + " ".join(f"{name}:[{packets}:{octets}]" for name, (packets, octets) in counted)
        + "]\n"
    )


def _brief(vip: Vip) -> str:
    text = f"{vip.type.value} {vip.key.prefix} new_size:{vip.table_length} #as:{len(vip.as_indexes)}{_removed(vip)}"
    if vip.key.port != ANY_PORT:
        text += f"  protocol:{vip.key.protocol} port:{vip.key.port} "
    if vip.type is VipType.IP4_L3DSR:
        text += f"  dscp:{vip.encap_args.first}"
    return text + (f" {_nat(vip)}" if vip.type.is_nat else "")


def _detailed(lb: Lb, workers: Workers, vip: Vip) -> Iterator[str]:
    sticky = " src_ip_sticky" if vip.src_ip_sticky else ""
    yield f" {vip.type.value} [{vip.index}] {vip.key.prefix}{sticky}{_removed(vip)}"
    yield f"  new_size:{vip.table_length}"
    if vip.key.port != ANY_PORT:
        yield f"  protocol:{vip.key.protocol} port:{vip.key.port}"
    if vip.type is VipType.IP4_L3DSR:
        yield f"  dscp:{vip.encap_args.first}"
    yield f"  {_nat(vip)}  counters:" if vip.type.is_nat else "  counters:"
    for name, counter in zip(COUNTER_NAMES, lb.counters, strict=True):
        yield f"    {name}: {counter.get(vip.index)}"
    yield f"  #as:{len(vip.as_indexes)}"
    buckets = vip.buckets()
    for index, server in lb.servers(vip):
        yield (
            f"    {ip46.text(server.address)} weight:{server.weight} buckets:{buckets.get(index, 0)}"
            f" flows:{workers.flows(index)} dpo:{server.route.index} {'used' if server.used else ' removed'}"
        )
    yield ""


def _removed(vip: Vip) -> str:
    return "" if vip.used else " removed"


def _nat(vip: Vip) -> str:
    kind = "nodeport" if vip.encap_args.first else "clusterip"
    return f"type:{kind} port:{_swapped(vip.key.port)} target_port:{vip.encap_args.target_port}"


def _swapped(port: int) -> int:
    return (port & 0xFF) << 8 | port >> 8
