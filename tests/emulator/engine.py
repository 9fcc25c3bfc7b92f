"""An embedded VPP without sockets for the tests, with a clock they set."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

from maglev.emulator import ip46
from maglev.emulator.flowhash import Packet
from maglev.emulator.vip import VipKey, VipRequest
from maglev.emulator.vpp import Vpp


class Engine(Vpp):
    """`now` is its uptime."""

    def __init__(self, *, workers: int = 1, routes: int = 0) -> None:
        self.now = 0.0
        super().__init__(lambda: self.now, boottime_s=1.0, workers=workers, routes=routes, pid=1)


@contextmanager
def engine(*, workers: int = 1, routes: int = 0) -> Iterator[Engine]:
    vpp = Engine(workers=workers, routes=routes)
    try:
        yield vpp
    finally:
        vpp.close()


def address(text: str) -> bytes:
    parsed = ipaddress.ip_address(text)
    return ip46.decode(0 if parsed.version == 4 else 1, parsed.packed)


def vip_key(prefix: str = "192.0.2.1/32", protocol: int = 17, port: int = 80) -> VipKey:
    network = ipaddress.ip_network(prefix)
    plen = network.prefixlen + (96 if network.version == 4 else 0)
    return VipKey.of(ip46.Prefix.of(address(str(network.network_address)), plen), protocol, port)


def vip(key: VipKey | None = None, *, encap: int = 0, table_length: int = 1024, sticky: bool = False) -> VipRequest:
    return VipRequest(key or vip_key(), encap, table_length, sticky)


def packet(
    dst: str = "192.0.2.1", sport: int = 1000, dport: int = 80, *, protocol: int = 17, length: int = 100
) -> Packet:
    target = ipaddress.ip_address(dst)
    src = ipaddress.ip_address("198.18.0.1" if target.version == 4 else "2001:2::1")
    return Packet(src.packed, target.packed, protocol, sport, dport, length)
