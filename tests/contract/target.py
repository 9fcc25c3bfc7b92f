"""A VPP to test against: the embedded one in a process of its own, or a real one. One test body runs on both."""

import ipaddress
import itertools
import json
import subprocess
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from vpp_papi import VPPApiClient
from vpp_papi.vpp_stats import VPPStats

from tests.processes import TIED, until
from tests.real_vpp import Sockets

TCP, UDP = 6, 17
ROUTE_TO, ROUTE_VIA = "/net/route/to", "/net/route/via"
LB_COUNTERS = ("packet from existing sessions", "first session packet", "untracked packet", "no server configured")

_DRIVER = Path(__file__).with_name("driver.py")
_PG = "pg88"
_STEP_S = 2.0
_OTHER_BUCKETS, _BUCKETS = 512, 1024
_SCRATCH = "10.202.0.2/32"
_numbers = itertools.count(1)
_listed: set[str] = set()


@dataclass(frozen=True, slots=True)
class Burst:
    """`count` packets towards a destination, their source port running from `sport` to `last_sport` and over again."""

    src: str
    dst: str
    sport: int
    dport: int
    count: int = 1
    last_sport: int = 0
    protocol: int = UDP
    length: int = 100


def new_prefix(version: int = 4) -> str:
    """A host prefix that no other test uses: the same one in each run, unless a real VPP still lists it."""
    net = ipaddress.IPv4Address("10.128.0.0") if version == 4 else ipaddress.IPv6Address("2001:db8:77::")
    address = next(address for number in _numbers if str(address := net + number) not in _listed)
    return f"{address}/{net.max_prefixlen}"


def host(prefix: str) -> str:
    return prefix.partition("/")[0]


class Client:
    """vpp_papi's own client and stats reader, with its own transport, and shorthands for what the tests ask."""

    def __init__(self, api_path: str, stats_path: str) -> None:
        self.api_path, self.stats_path = api_path, stats_path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # vpp_papi opens its bundled file in an old way
            self.papi = VPPApiClient(bootstrapapi=True, server_address=api_path, async_thread=False)
        self.papi.connect("maglev-test")
        self.api: Any = self.papi.api
        self.stats = VPPStats(stats_path)
        self.stats.connect()

    def close(self) -> None:
        self.stats.disconnect()
        self.papi.disconnect()

    def add_vip(self, prefix: str, protocol: int = UDP, port: int = 80, *, encap: int = 0, **more: Any) -> int:
        fields = {"new_flows_table_length": 1024} | more
        reply = self.api.lb_add_del_vip_v2(pfx=prefix, protocol=protocol, port=port, encap=encap, **fields)
        return int(reply.retval)

    def del_vip(self, prefix: str, protocol: int = UDP, port: int = 80) -> int:
        return int(self.api.lb_add_del_vip_v2(pfx=prefix, protocol=protocol, port=port, is_del=True).retval)

    def add_as(self, prefix: str, address: str, weight: int = 100, *, flush: bool = False, **key: int) -> int:
        key = {"protocol": UDP, "port": 80} | key
        reply = self.api.lb_add_del_as_v2(pfx=prefix, as_address=address, weight=weight, is_flush=flush, **key)
        return int(reply.retval)

    def del_as(self, prefix: str, address: str, *, flush: bool = False, **key: int) -> int:
        key = {"protocol": UDP, "port": 80} | key
        reply = self.api.lb_add_del_as_v2(pfx=prefix, as_address=address, is_del=True, is_flush=flush, **key)
        return int(reply.retval)

    def set_weight(self, prefix: str, address: str, weight: int, *, flush: bool = False, **key: int) -> int:
        key = {"protocol": UDP, "port": 80} | key
        reply = self.api.lb_as_set_weight(pfx=prefix, as_address=address, weight=weight, is_flush=flush, **key)
        return int(reply.retval)

    def details(self, prefix: str) -> dict[str, Any]:
        """The `lb_as_v2_details` of live and dead ASes of one prefix, the last one of each address."""
        everything = self.api.lb_as_v2_dump(pfx="0.0.0.0/0", protocol=0, port=0)
        return {str(d.app_srv): d for d in everything if str(d.vip.pfx) == prefix}

    def buckets(self, prefix: str) -> dict[str, int]:
        return {address: d.num_buckets for address, d in self.details(prefix).items()}

    def cli(self, command: str) -> str:
        reply = self.api.cli_inband(cmd=command)
        assert reply.retval == 0, reply
        return str(reply.reply)

    def blocks(self, prefix: str) -> list[str]:
        """The blocks of the verbose listing about one prefix."""
        blocks = self.cli("show lb vips verbose").split("\n\n")
        return [block for block in blocks if block.splitlines() and block.splitlines()[0].split()[2:3] == [prefix]]

    def index(self, prefix: str) -> int:
        """The pool index of the one VIP in use on a prefix."""
        (head,) = [b.splitlines()[0] for b in self.blocks(prefix) if not b.splitlines()[0].endswith(" removed")]
        return int(head[head.index("[") + 1 : head.index("]")])

    def flows(self, prefix: str) -> dict[str, int]:
        """Flows by AS, as listed for the VIP on a prefix: the one in use if there is one."""
        blocks = sorted(self.blocks(prefix), key=lambda block: block.splitlines()[0].endswith(" removed"))
        lines = [line.split() for line in blocks[0].splitlines() if " flows:" in line]
        return {words[0]: int(words[3].removeprefix("flows:")) for words in lines}

    def stats_index(self, prefix: str) -> int:
        """The load-balance index of a route that is there."""
        reply = self.api.ip_route_lookup(table_id=0, exact=1, prefix=prefix)
        assert reply.retval == 0, reply
        return int(reply.route.stats_index)

    def route(self, name: str, prefix: str) -> tuple[int, int]:
        """Packets and bytes counted for a route."""
        column = self.stats[name][:, self.stats_index(prefix)]
        return column.sum_packets(), column.sum_octets()

    def via(self, *addresses: str) -> list[int]:
        """Packets forwarded to each backend."""
        return [self.route(ROUTE_VIA, f"{a}/{128 if ':' in a else 32}")[0] for a in addresses]

    def lb_counters(self, index: int) -> list[int]:
        """Next, first, untracked, no server."""
        return [sum(thread[index] for thread in self.stats[name]) for name in LB_COUNTERS]

    def configure(self, ip4_source: str, ip6_source: str, buckets: int, flow_timeout_s: int) -> int:
        reply = self.api.lb_conf(
            ip4_src_address=ip4_source,
            ip6_src_address=ip6_source,
            sticky_buckets_per_core=buckets,
            flow_timeout=flow_timeout_s,
        )
        return int(reply.retval)

    def set_sticky_buckets(self, buckets: int) -> None:
        """A worker that finds another number than at its packet before drops every flow; only that one notices."""
        assert self.configure("10.0.0.1", "fd00::1", buckets, 40) == 0

    def clean_up(self) -> None:
        """Leave no VIP behind, and no AS that a sticky slot still holds."""
        for d in self.api.lb_as_v2_dump(pfx="0.0.0.0/0", protocol=0, port=0):
            if d.flags & 1:
                key = {"protocol": int(d.vip.protocol), "port": d.vip.port}
                assert self.del_as(str(d.vip.pfx), str(d.app_srv), flush=True, **key) == 0
        for d in self.api.lb_vip_dump():
            assert self.del_vip(str(d.vip.pfx), int(d.vip.protocol), d.vip.port) == 0


class Target(Client, ABC):
    """A VPP that packets can be sent through."""

    @abstractmethod
    def send(self, burst: Burst) -> None:
        """Let these packets arrive on the first worker; they are counted when it returns."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let VPP's clock go on."""

    def pass_time_until(self, is_so: Callable[[], bool], most_s: float) -> None:
        passed = 0.0
        while not is_so():
            assert passed < most_s, f"not so after {most_s:g} s"
            self.pass_time(_STEP_S)
            passed += _STEP_S

    def forget_flows(self) -> None:
        """Make sure that no flow of an earlier test is in the way.

        Two changes without a packet between them may be none to the worker: so one has to come, and find a VIP.
        """
        assert self.add_vip(_SCRATCH) == 0
        self.set_sticky_buckets(_OTHER_BUCKETS)
        self.send(Burst("10.201.0.5", host(_SCRATCH), 1, 80))
        self.set_sticky_buckets(_BUCKETS)
        assert self.del_vip(_SCRATCH) == 0


class EmbeddedTarget(Target):
    def __init__(self, api_path: str, stats_path: str, driver: "subprocess.Popen[str]") -> None:
        super().__init__(api_path, stats_path)
        self._driver = driver

    def send(self, burst: Burst) -> None:
        self._tell({"send": asdict(burst)})

    def pass_time(self, seconds: float) -> None:
        self._tell({"pass_time": seconds})

    def _tell(self, command: dict[str, object]) -> None:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps(command) + "\n")
        self._driver.stdin.flush()
        assert self._driver.stdout.readline() == "done\n"


class RealTarget(Target):
    """Sends out of VPP's packet generator, from the first worker, and waits in earnest."""

    def __init__(self, api_path: str, stats_path: str) -> None:
        super().__init__(api_path, stats_path)
        self.has_generator = False

    def send(self, burst: Burst) -> None:
        self._set_up_generator()
        word = {TCP: "TCP", UDP: "UDP"}[burst.protocol]
        ports = f"{burst.sport} - {burst.last_sport}" if burst.last_sport else f"{burst.sport}"
        self.cli(
            f"packet-generator new {{ name t limit {burst.count} size {burst.length}-{burst.length} interface {_PG}"
            f" node ip{ipaddress.ip_address(burst.dst).version}-input worker 0"
            f" data {{ {word}: {burst.src} -> {burst.dst} {word}: {ports} -> {burst.dport} incrementing 8 }} }}"
        )
        self.cli("packet-generator enable-stream t")
        until(lambda: "Yes" not in self.cli("show packet-generator"), lambda: "the end of the stream")
        # A command that stops the workers, and they stop between frames only: the last one has been counted.
        self.cli("packet-generator delete t")

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        if self.has_generator:
            self.cli(f"delete packet-generator interface {_PG}")
        super().close()

    def _set_up_generator(self) -> None:
        if self.has_generator:
            return
        if "emulator" in str(self.api.show_version().version):
            pytest.skip("the running VPP is an embedded one, which sends nothing: that has a driver of its own")
        if f"{_PG} " in self.cli("show interface"):
            return  # that of another target, which is the one to remove it
        self.has_generator = True
        for command in (
            f"create packet-generator interface {_PG}",
            f"set interface state {_PG} up",
            f"set interface ip address {_PG} 10.201.0.1/24",
            f"set interface ip address {_PG} 2001:db8:78::1/64",
        ):
            self.cli(command)


@contextmanager
def embedded(directory: Path) -> Iterator[Target]:
    """The embedded VPP, with one worker, in a process whose clock we can move."""
    api, stats = str(directory / "api.sock"), str(directory / "stats.sock")
    command = [*TIED, sys.executable, str(_DRIVER), api, stats]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            assert driver.stdout.readline() == "done\n"
            target = EmbeddedTarget(api, stats, driver)
            yield target
            target.close()
        finally:
            driver.terminate()


@contextmanager
def real(sockets: Sockets) -> Iterator[Target]:
    """A VPP that is running; it must not have any VIP."""
    target = RealTarget(sockets.api, sockets.stats)
    try:
        assert target.api.lb_vip_dump() == [], "this VPP has VIPs: use one that nobody needs"
        # Deleted VIPs and ASes stay for minutes: none of them may be met again.
        _listed.update(word.partition("/")[0] for word in target.cli("show lb vips verbose").split())
        conf = target.api.lb_conf_get()
        yield target
        target.configure(conf.ip4_src_address, conf.ip6_src_address, conf.sticky_buckets_per_core, conf.flow_timeout)
    finally:
        target.close()
