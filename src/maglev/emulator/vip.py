"""What the lb plugin keeps: VIPs, application servers, their parameters; must not know what may be done with them."""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from maglev.core import flowtable
from maglev.emulator import ip46
from maglev.emulator.fib import Route
from maglev.emulator.pool import Pool

ANY_PROTOCOL, ANY_PORT = 255, 0

Member = tuple[bytes, int, int]
"""Address, weight and AS pool index of one that gets new flows."""


class Encap(enum.IntEnum):
    """`lb_encap_type` of the API."""

    GRE4 = 0
    GRE6 = 1
    L3DSR = 2
    NAT4 = 3
    NAT6 = 4


class VipType(enum.Enum):
    """A VIP's family with its encap, and VPP's word for it."""

    IP6_GRE6 = "ip6-gre6"
    IP6_GRE4 = "ip6-gre4"
    IP4_GRE6 = "ip4-gre6"
    IP4_GRE4 = "ip4-gre4"
    IP4_L3DSR = "ip4-l3dsr"
    IP4_NAT4 = "ip4-nat4"
    IP6_NAT6 = "ip6-nat6"

    @classmethod
    def of(cls, *, is_ip4: bool, encap: int) -> "VipType":
        """The type VPP picks; what does not fit falls through to IP6_GRE6, its enum's zero."""
        names = {member.value: member for member in cls}
        word = Encap(encap).name.lower() if encap in Encap.__members__.values() else ""
        return names.get(f"ip{4 if is_ip4 else 6}-{word}", cls.IP6_GRE6)

    @property
    def encap(self) -> Encap:
        """How packets are sent on."""
        return Encap[self.value.partition("-")[2].upper()]

    @property
    def is_ip4(self) -> bool:
        """Whether the VIP itself is IPv4."""
        return self.value.startswith("ip4")

    @property
    def has_ip4_servers(self) -> bool:
        """Whether its application servers are IPv4."""
        return self.encap in (Encap.GRE4, Encap.L3DSR, Encap.NAT4)

    @property
    def is_nat(self) -> bool:
        """Whether packets get a new destination instead of a tunnel header."""
        return self.encap in (Encap.NAT4, Encap.NAT6)

    @property
    def overhead(self) -> int:
        """Bytes that the encap adds to a packet."""
        match self.encap:
            case Encap.GRE4:
                return 20 + 4
            case Encap.GRE6:
                return 40 + 4
            case _:
                return 0


@dataclass(frozen=True, slots=True)
class VipKey:
    """What names a VIP; make it with `of`."""

    prefix: ip46.Prefix
    protocol: int
    port: int

    @classmethod
    def of(cls, prefix: ip46.Prefix, protocol: int, port: int) -> "VipKey":
        """The key with protocol 255 if it is for all ports."""
        return cls(prefix, protocol if port else ANY_PROTOCOL, port)


@dataclass(frozen=True, slots=True)
class EncapArgs:
    """VPP's `lb_vip_encap_args_t`: the first byte is the DSCP or the service type."""

    first: int = 0
    target_port: int = 0


@dataclass(frozen=True, slots=True)
class VipRequest:
    """Everything asked for in `lb_add_del_vip_v2`."""

    key: VipKey
    encap: int
    table_length: int
    src_ip_sticky: bool = False
    dscp: int = 0
    srv_type: int = 0
    target_port: int = 0


@dataclass(slots=True)
class AppServer:
    """One application server of one VIP; `used` is off once it was deleted."""

    address: bytes
    vip_index: int
    weight: int
    route: Route
    used: bool = True


@dataclass(slots=True)
class Vip:
    """One VIP; `used` is off once it was deleted. `servers` maps addresses to AS pool indexes, deleted ones too."""

    index: int
    key: VipKey
    type: VipType
    table_length: int
    src_ip_sticky: bool
    encap_args: EncapArgs
    last_collected: int
    used: bool = True
    as_indexes: Pool[int] = field(default_factory=Pool)
    servers: dict[bytes, int] = field(default_factory=dict)
    """AS pool index by address."""
    _members: tuple[Member, ...] = field(default=(), init=False, repr=False)
    _ask: Callable[[], Iterable[Member]] | None = field(default=None, init=False, repr=False)
    _owners: Sequence[int] | None = field(default=None, init=False, repr=False)

    @property
    def is_reached(self) -> bool:
        """Whether packets come to it: VPP's nodes of NAT look for a port, and no other takes their place."""
        return not (self.type.is_nat and self.key.port == ANY_PORT)

    def set_members(self, ask: Callable[[], Iterable[Member]]) -> None:
        """Others may get new flows now: `ask` tells who, called when a flow or a listing has to know."""
        self._ask = ask
        self._owners = None

    @property
    def members(self) -> tuple[Member, ...]:
        """Those that get new flows, by address."""
        if self._ask is not None:
            self._members, self._ask = tuple(sorted(self._ask())), None
        return self._members

    def owner(self, flow: int) -> int:
        """The AS pool index that a new flow goes to, 0 if there is none."""
        members = self.members
        if not members:
            return 0
        if self._owners is None:
            self._owners = flowtable.build(self.table_length, [(address, weight) for address, weight, _ in members])
        return members[self._owners[flow & self.table_length - 1]][2]

    def buckets(self) -> dict[int, int]:
        """How many buckets each member has, by AS pool index."""
        counts = flowtable.shares(self.table_length, [(address, weight) for address, weight, _ in self.members])
        return {index: count for (_, _, index), count in zip(self.members, counts, strict=True)}
