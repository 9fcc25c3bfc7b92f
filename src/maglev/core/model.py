"""Identities and values that all rooms share; knows nothing of files, sockets or loops."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import MappingProxyType

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

TCP = 6
UDP = 17
ANY = 255  # what VPP stores as the protocol of an all-port VIP
PROTOCOL_NAMES: Mapping[int, str] = MappingProxyType({TCP: "tcp", UDP: "udp", ANY: "any"})

MAX_WEIGHT = 100
TABLE_LENGTH = 1024  # buckets of the new-flow table of each VIP we make


def address_order(address: IPAddress) -> tuple[int, int]:
    """Sort key: numeric, IPv4 before IPv6."""
    return address.version, int(address)


@dataclass(frozen=True, slots=True)
class VipKey:
    """Identity of a VIP in VPP: prefix, IANA protocol number (255 = any), port (0 = all ports)."""

    prefix: IPNetwork
    protocol: int
    port: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Computed once: tables are keyed by it, and the hash of a network takes longer than the rest of a look-up.
        object.__setattr__(self, "_hash", hash((self.prefix, self.protocol, self.port)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def protocol_name(self) -> str:
        """`tcp`, `udp`, `any`, or the number of a protocol that we never configure."""
        return PROTOCOL_NAMES.get(self.protocol, str(self.protocol))

    @property
    def order(self) -> tuple[int, int, int, int, int]:
        """Sort key: numeric, IPv4 before IPv6."""
        net = self.prefix
        return net.version, int(net.network_address), net.prefixlen, self.protocol, self.port

    def __str__(self) -> str:
        return f"{self.prefix} {self.protocol_name}/{self.port}" if self.port else f"{self.prefix} any"


class Encap(enum.Enum):
    """How the LB plugin sends a packet on; the values are VPP's `lb_encap_type`."""

    GRE4 = 0
    GRE6 = 1
    L3DSR = 2
    NAT4 = 3
    NAT6 = 4

    @classmethod
    def for_backends(cls, version: int) -> "Encap":
        """The encap we use for backends of IP `version`."""
        return cls.GRE4 if version == 4 else cls.GRE6


@dataclass(frozen=True, slots=True)
class LbConf:
    """VPP's global LB parameters (`lb_conf`); a changed bucket count drops every flow."""

    ipv4_source: IPv4Address
    ipv6_source: IPv6Address
    sticky_buckets_per_core: int
    flow_timeout_s: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How many results change a health: `rise` passes to come up, `fall` failures to go down; both >= 1."""

    rise: int
    fall: int


@dataclass(frozen=True, slots=True)
class Timing:
    """When a health check probes; all in seconds, all > 0."""

    interval_s: float
    fast_interval_s: float
    down_interval_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Tls:
    """The TLS part of a probe; no `server_name` means no SNI and no name check."""

    server_name: str | None
    verify: bool


@dataclass(frozen=True, slots=True)
class IcmpSpec:
    """Echo request and reply."""


@dataclass(frozen=True, slots=True)
class TcpSpec:
    """Connect to `port`; with `tls`, finish a handshake too."""

    port: int
    tls: Tls | None


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """GET `path` on `port`; `codes` are inclusive ranges of status codes that pass.

    `host` is the Host header (None: the backend's address); `body_regexp` must be found in the body.
    """

    port: int
    tls: Tls | None
    path: str
    host: str | None
    codes: tuple[tuple[int, int], ...]
    body_regexp: str | None


ProbeSpec = IcmpSpec | TcpSpec | HttpSpec


def probe_type(spec: ProbeSpec) -> str:
    """The config's word for it: `icmp`, `tcp`, `http` or `https`."""
    match spec:
        case IcmpSpec():
            return "icmp"
        case TcpSpec():
            return "tcp"
        case HttpSpec(tls=tls):
            return "https" if tls else "http"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A named definition of how backends are probed and judged."""

    name: str
    spec: ProbeSpec
    timing: Timing
    policy: Policy
    ipv4_source: IPv4Address | None
    ipv6_source: IPv6Address | None

    def source_for(self, address: IPAddress) -> IPAddress | None:
        """The source address to bind when probing `address`; None leaves it to the kernel."""
        return self.ipv4_source if address.version == 4 else self.ipv6_source


@dataclass(frozen=True, slots=True)
class Backend:
    """One application server; without a `check` it counts as always up."""

    name: str
    address: IPAddress
    check: HealthCheck | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """Backends of equal preference; `weights` maps backend name to configured weight, 0..100.

    `flushed` are backends whose weight an operator set to 0 with a flush: their flows are cut, too. `file_weights` are
    those of the file where an operator has set others.
    """

    name: str
    weights: Mapping[str, int]
    flushed: frozenset[str] = frozenset()
    file_weights: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frontend:
    """A VIP and its pools in order of preference."""

    name: str
    description: str
    vip: VipKey
    pools: tuple[Pool, ...]
    encap: Encap
    src_ip_sticky: bool
    flush_on_down: bool

    @property
    def backend_names(self) -> frozenset[str]:
        """Names of all backends over all pools."""
        return frozenset(name for pool in self.pools for name in pool.weights)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe answered: HAProxy's `code` (L4OK, L4TOUT, L7STS, ...), a sentence, and how long it took.

    `passed` is None when the result is inconclusive: this machine could not ask (SOCKERR), or stood still meanwhile, so
    it says nothing about the backend and may not move its health.
    """

    passed: bool | None
    code: str
    detail: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class VppInfo:
    """The VPP we are connected to; times are unix nanoseconds, `boottime_ns` 0 while stats are not readable."""

    version: str
    build_date: str
    build_directory: str
    pid: int
    boottime_ns: int
    connecttime_ns: int
