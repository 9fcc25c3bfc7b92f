"""The routes that matter here, and where VPP counts them; must not know of the lb plugin's rules.

Each route has a *load-balance index*: VPP's `stats_index`, under which `/net/route/to` counts what the lookup sends
there and `/net/route/via` what another node (the lb plugin) sends there. Routes appear and go with the sources that
want them; an index comes from a pool, so the one freed last is used next, its counters back at zero.
"""

import enum
import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from maglev.emulator import ip46
from maglev.emulator.pool import Pool
from maglev.emulator.segment import SegmentWriter

ROUTES_MAX = 1_000_000
_FILLER_NETWORK = int(ipaddress.IPv4Address("100.64.0.0"))
# What VPP 26.10 has after start, in the order of its indexes; index 0 is never a route's.
_DEFAULTS = ("0.0.0.0/0", "0.0.0.0/32", "240.0.0.0/4", "224.0.0.0/4", "255.255.255.255/32", "::/0", "fe80::/10")
_BITS = {4: 32, 6: 128}


class Source(enum.Enum):
    """Who wants a route."""

    DEFAULT = "default-route"
    LB = "lb"
    BACKEND = "recursive-resolution"


@dataclass(slots=True)
class Route:
    """One FIB entry. `sources` counts who wants it (never changed in place: filler routes share one).

    `network` is masked to `length` bits.
    """

    version: int
    network: int
    length: int
    index: int = -1
    sources: Mapping[Source, int] = field(default_factory=dict)

    @property
    def is_drop(self) -> bool:
        """Whether VPP calls its path a drop, as that of any route which only inherits the empty default route."""
        return Source.LB not in self.sources and (self.version, self.length) != (6, 10)

    @property
    def packed(self) -> bytes:
        """The network address, 4 or 16 bytes."""
        return self.network.to_bytes(_BITS[self.version] // 8, "big")


_Key = tuple[int, int, int]


class Fib:
    """One table per family, both counting in the same two counters."""

    def __init__(self, segment: SegmentWriter, threads: int, filler: int = 0) -> None:
        if not 0 <= filler <= ROUTES_MAX:
            raise ValueError(f"{filler} filler routes: 0 to {ROUTES_MAX} are possible")
        self.to = segment.combined("/net/route/to", threads)
        self.via = segment.combined("/net/route/via", threads)
        self._load_balances: Pool[Route] = Pool()
        self._routes: dict[_Key, Route] = {}
        self._lengths: dict[int, Counter[int]] = {4: Counter(), 6: Counter()}
        self._load_balances.put(Route(0, 0, 0))
        for text in _DEFAULTS:
            net = ipaddress.ip_network(text)
            self._want(net.version, int(net.network_address), net.prefixlen, Source.DEFAULT)
        self._add_filler(filler)

    def want(self, prefix: ip46.Prefix, source: Source) -> Route:
        """The route to `prefix`, made if need be; give it back with `release`."""
        version = 4 if prefix.is_ip4 else 6
        network = int.from_bytes(prefix.address[-_BITS[version] // 8 :], "big")
        return self._want(version, network, prefix.length, source)

    def release(self, route: Route, source: Source) -> None:
        """Undo one `want`; the last one takes the route and its index away."""
        left = route.sources[source] - 1
        route.sources = {**route.sources, source: left} if left else _without(route.sources, source)
        if route.sources:
            return
        del self._routes[route.version, route.length, route.network]
        self._lengths[route.version] -= Counter([route.length])
        self._load_balances.free(route.index)

    def exact(self, version: int, address: int, length: int) -> Route | None:
        """The route to this very prefix, host bits ignored."""
        return self._routes.get((version, length, _masked(version, address, length)))

    def longest(self, version: int, address: int, length: int | None = None) -> Route:
        """The longest route that covers the address (or the prefix); the default route always does."""
        most = _BITS[version] if length is None else length
        for candidate in sorted(self._lengths[version], reverse=True):
            route = self.exact(version, address, candidate) if candidate <= most else None
            if route is not None:
                return route
        raise AssertionError("there is always a default route")

    def _want(self, version: int, network: int, length: int, source: Source) -> Route:
        route = self._routes.get((version, length, network))
        if route is None:
            route = self._routes[version, length, network] = Route(version, network, length)
            self._lengths[version][length] += 1
            route.index = self._load_balances.put(route)
            for counter in (self.to, self.via):
                counter.validate(route.index)
                counter.zero(route.index)
        route.sources = {**route.sources, source: route.sources.get(source, 0) + 1}
        return route

    def _add_filler(self, count: int) -> None:
        if not count:
            return
        sources = {Source.DEFAULT: 1}
        for network in range(_FILLER_NETWORK, _FILLER_NETWORK + count):
            route = Route(4, network, 32, sources=sources)
            route.index = self._load_balances.put(route)
            self._routes[4, 32, route.network] = route
        self._lengths[4][32] += count
        for counter in (self.to, self.via):
            counter.validate(route.index)


def _masked(version: int, address: int, length: int) -> int:
    host_bits = _BITS[version] - length
    return address >> host_bits << host_bits


def _without(sources: Mapping[Source, int], gone: Source) -> Mapping[Source, int]:
    return {source: count for source, count in sources.items() if source is not gone}
