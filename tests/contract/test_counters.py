"""What we say of VPP's counters beside what VPP itself prints of them."""

import re
import time
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
import trio

from maglev.core.counters import BackendCounters, Indexes, Sample, VipCounters, Volume
from maglev.core.lives import Lives
from maglev.core.model import VipKey
from maglev.core.observed import Observed
from maglev.vpp.session import connect
from tests.contract.target import LB_COUNTERS, TCP, UDP, Burst, Target, host, new_prefix

CLIENTS = {4: "10.201.0.5", 6: "2001:db8:78::5"}
GRE4, GRE6 = 0, 1
_HEAD = re.compile(r"^ \S+ \[(\d+)] (\S+)(?: src_ip_sticky)?$", re.MULTILINE)
_SERVER = re.compile(r"^    (\S+) weight:\d+ buckets:(\d+) flows:(\d+) dpo:\d+ used$", re.MULTILINE)
_COUNTED = re.compile(r" dpo-load-balance: .*? to:\[(\d+):(\d+)](?: via:\[(\d+):(\d+)])?")


@pytest.fixture(autouse=True)
def no_flows(target: Target) -> None:
    target.forget_flows()


async def ours(target: Target) -> tuple[Observed, Sample]:
    """What maglevd makes of this VPP."""
    with trio.fail_after(60):
        async with connect(target.api_path, target.stats_path, lambda _: None, clock_ns=time.time_ns) as session:
            audit = await session.audit()
            assert audit.indexes is not None
            lives = Lives()
            for _ in lives.fold(session.read(audit.indexes, time.time_ns())):
                pass
    assert lives.sample is not None
    return audit.observed, lives.sample


def fib(target: Target, prefix: str) -> tuple[Volume, Volume]:
    """`show ip fib`: what was looked up, and what the LB sent there (VPP prints no zero)."""
    found = _COUNTED.search(target.cli(f"show {'ip6' if ':' in prefix else 'ip'} fib {prefix}"))
    assert found is not None
    to_packets, to_bytes, via_packets, via_bytes = (int(figure or 0) for figure in found.groups())
    return Volume(to_packets, to_bytes), Volume(via_packets, via_bytes)


def listed(target: Target) -> dict[tuple[str, int, int], tuple[list[int], dict[str, tuple[int, int]]]]:
    """`show lb vips verbose`: index and the four counters of each live VIP, buckets and flows of each live AS."""
    found = {}
    for block in target.cli("show lb vips verbose").split("\n\n"):
        if head := _HEAD.search(block):
            service = re.search(r"^  protocol:(\d+) port:(\d+)$", block, re.MULTILINE)
            assert service is not None
            figures = [int(re.findall(rf"^    {name}: (\d+)$", block, re.MULTILINE)[0]) for name in LB_COUNTERS]
            servers = {address: (int(buckets), int(flows)) for address, buckets, flows in _SERVER.findall(block)}
            found[head[2], int(service[1]), int(service[2])] = [int(head[1]), *figures], servers
    return found


def figures(vip: VipCounters) -> list[int]:
    return [vip.index, vip.next, vip.first, vip.untracked, vip.no_server]


@pytest.fixture
def busy(target: Target) -> list[str]:
    """VIPs of both families: known and new flows, direct packets, a VIP without backend, a port without VIP."""
    prefixes = [new_prefix(), new_prefix(6)]
    backends = [host(new_prefix()), host(new_prefix()), host(new_prefix(6))]  # counted for nobody before
    for prefix, encap, servers in zip(prefixes, (GRE4, GRE6), (backends[:2], backends[2:]), strict=True):
        target.add_vip(prefix, encap=encap)
        for server in servers:
            target.add_as(prefix, server)
        target.add_vip(prefix, TCP, 443, encap=encap)  # nobody behind it
    target.add_as(prefixes[0], backends[0], protocol=TCP, port=443)  # shared by two VIPs
    for prefix in prefixes:
        client = CLIENTS[ip_network(prefix).version]
        target.send(Burst(client, host(prefix), 2000, 80, count=150, last_sport=2049, length=120))
        target.send(Burst(client, host(prefix), 2000, 443, count=9, last_sport=2004, protocol=TCP))
        target.send(Burst(client, host(prefix), 2000, 81, count=11, last_sport=2010))
    target.send(Burst(CLIENTS[4], backends[0], 2000, 80, count=7))
    return [*prefixes, *backends]


async def test_a_sample_says_what_show_lb_vips_verbose_says(target: Target, busy: list[str]) -> None:
    observed, sample = await ours(target)
    theirs = listed(target)

    assert {(str(key.prefix), key.protocol, key.port): figures(vip) for key, vip in sample.vips.items()} == {
        key: counted for key, (counted, _) in theirs.items()
    }
    assert {
        (str(key.prefix), key.protocol, key.port): {str(a): (b.buckets, b.flows) for a, b in vip.backends.items()}
        for key, vip in observed.vips.items()
    } == {key: servers for key, (_, servers) in theirs.items()}
    web, web6 = (sample.vips[VipKey(ip_network(prefix), UDP, 80)] for prefix in busy[:2])
    assert [(vip.next, vip.first, vip.untracked, vip.no_server) for vip in (web, web6)] == [(100, 50, 0, 0)] * 2
    empty = sample.vips[VipKey(ip_network(busy[1]), TCP, 443)]
    assert empty.no_server + empty.untracked == 9


async def test_a_sample_says_what_show_ip_fib_says(target: Target, busy: list[str]) -> None:
    _, sample = await ours(target)

    for key, vip in sample.vips.items():
        assert vip.route == fib(target, str(key.prefix))[0]
        assert vip.route == Volume(150 + 9 + 11, 150 * 120 + 20 * 100)
    for address, backend in sample.backends.items():
        direct, forwarded = fib(target, f"{address}/{address.max_prefixlen}")
        assert (backend.direct, backend.forwarded) == (direct, forwarded)
    assert sample.backends.keys() == {ip_address(address) for address in busy[2:]}
    assert sum(backend.forwarded.packets for backend in sample.backends.values()) == 150 + 150 + 9
    assert sample.backends[ip_address(busy[2])].direct == Volume(7, 700)


async def test_packets_to_a_port_without_vip_are_those_of_index_0(target: Target, busy: list[str]) -> None:
    _, before = await ours(target)
    assert before.unmatched_packets == sum(target.lb_counters(0))

    for prefix in busy[:2]:
        target.send(Burst(CLIENTS[ip_network(prefix).version], host(prefix), 5000, 81, count=13))

    _, after = await ours(target)
    assert after.unmatched_packets - before.unmatched_packets == 26
    assert {key: figures(vip) for key, vip in after.vips.items()} == {
        key: figures(vip) for key, vip in before.vips.items()
    }


async def test_a_vip_made_anew_counts_from_zero_and_its_route_goes_on(target: Target, busy: list[str]) -> None:
    key = VipKey(ip_network(busy[0]), UDP, 80)
    with trio.fail_after(60):
        async with connect(target.api_path, target.stats_path, lambda _: None, clock_ns=time.time_ns) as session:
            lives = Lives()
            told: list[VipCounters] = []
            backends: list[BackendCounters] = []
            for _ in range(2):
                begun_at_ns = time.time_ns()
                indexes = (await session.audit()).indexes
                assert indexes is not None
                for _ in lives.fold(session.read(replace(indexes, audited_at_ns=begun_at_ns), time.time_ns())):
                    pass
                assert lives.sample is not None
                told.append(lives.sample.vips[key])
                backends.append(lives.sample.backends[ip_address(busy[2])])
                for server in busy[2:4]:
                    target.del_as(busy[0], server, flush=True)
                target.del_vip(busy[0])
                target.add_vip(busy[0])
                target.add_as(busy[0], busy[2])

    old, new = told
    assert (new.next, new.first, new.untracked, new.no_server) == (0, 0, 0, 0)
    assert new.index != old.index
    assert old.since_ns == session.info.boottime_ns
    assert new.since_ns is not None
    assert new.since_ns > session.info.boottime_ns
    assert (new.route, new.route_since_ns) == (old.route, old.route_since_ns)
    assert backends[1] == backends[0]


async def test_a_lone_vip_made_anew_takes_its_route_with_it(target: Target) -> None:
    """VPP gives out the same load-balance index again, zeroed, and soon there is more than there was."""
    prefix, backend = new_prefix(), host(new_prefix())
    key = VipKey(ip_network(prefix), UDP, 80)
    told: list[tuple[VipCounters, BackendCounters]] = []
    indexes: list[Indexes] = []
    with trio.fail_after(60):
        async with connect(target.api_path, target.stats_path, lambda _: None, clock_ns=time.time_ns) as session:
            lives = Lives()
            for count in (5, 50):
                target.add_vip(prefix)
                target.add_as(prefix, backend)
                target.send(Burst(CLIENTS[4], host(prefix), 2000, 80, count=count))
                begun_at_ns = time.time_ns()
                audited = (await session.audit()).indexes
                assert audited is not None
                indexes.append(replace(audited, audited_at_ns=begun_at_ns))
                for _ in lives.fold(session.read(indexes[-1], time.time_ns())):
                    pass
                assert lives.sample is not None
                told.append((lives.sample.vips[key], lives.sample.backends[ip_address(backend)]))
                target.del_as(prefix, backend, flush=True)
                target.del_vip(prefix)

    (old, old_backend), (new, new_backend) = told
    assert indexes[0].routes[key.prefix] == indexes[1].routes[key.prefix]
    assert (old.route, new.route) == (Volume(5, 500), Volume(50, 5000))
    assert (old.route_since_ns, new.route_since_ns) == (session.info.boottime_ns, indexes[0].audited_at_ns)
    assert new.since_ns == indexes[0].audited_at_ns
    # VPP has not collected the backend of the deleted VIP, and counts on where it did.
    assert (new_backend.index, new_backend.forwarded.packets) == (old_backend.index, 55)
    assert new_backend.since_ns == old_backend.since_ns
