"""A VPP to try plans on: obeys VPP's rules for VIPs and backends, refuses what VPP refuses, and more.

Written from the rules, without `advance`: the two are held against each other. Beyond VPP it refuses what is allowed
but must not be sent: deleting a VIP with live backends, deleting a dead backend, writing what is there already.
"""

from dataclasses import dataclass, field
from typing import assert_never

from maglev.core.desired import Desired
from maglev.core.model import Encap, IPAddress, LbConf, VipKey
from maglev.core.plan import (
    AddBackend,
    AddVip,
    DelBackend,
    DelVip,
    Observed,
    ObservedBackend,
    ObservedVip,
    Op,
    SetConf,
    SetWeight,
)
from tests.core.tables import BACKEND_VERSION, ENCAPS

NO_SUCH_ENTRY = -6
LENGTH_IS_NO_POWER_OF_TWO = -70
OTHER_ENCAP = -73
EXISTS = -81
WRONG_FAMILY = -97
NEVER_SEND_THAT = 0


class RefusedByVpp(AssertionError):
    def __init__(self, op: Op, retval: int, why: str) -> None:
        super().__init__(f"{op}: {retval} {why}")
        self.retval = retval


@dataclass
class Server:
    """An application server; `has_flows` is whether the sticky table can hold flows of it."""

    weight: int
    has_flows: bool
    is_used: bool = True


@dataclass
class Vip:
    encap: Encap
    sticky: bool | None
    length: int
    servers: dict[IPAddress, Server] = field(default_factory=dict)

    @property
    def live(self) -> dict[IPAddress, Server]:
        return {address: server for address, server in self.servers.items() if server.is_used}

    @property
    def total_weight(self) -> int:
        return sum(server.weight for server in self.live.values())


class Vpp:
    def __init__(self, table: Observed) -> None:
        self.conf: LbConf | None = table.conf
        self.vips: dict[VipKey, Vip] = {}
        for key, vip in table.vips.items():
            servers = {
                address: Server(backend.weight, has_flows=not backend.is_flushed)
                for address, backend in vip.backends.items()
            }
            self.vips[key] = Vip(vip.encap, vip.src_ip_sticky, vip.table_length, servers)

    def execute(self, op: Op) -> None:
        match op:
            case SetConf(conf):
                if conf == self.conf:
                    raise RefusedByVpp(op, NEVER_SEND_THAT, "set already, and a changed one drops flows")
                self.conf = conf
            case AddVip():
                self._add_vip(op)
            case DelVip(key):
                if self._vip(op, key).live:
                    raise RefusedByVpp(op, NEVER_SEND_THAT, "its backends are still there")
                del self.vips[key]
            case AddBackend():
                self._add_backend(op)
            case DelBackend(key, address):
                server = self._server(op, key, address)
                server.is_used, server.has_flows = False, False
            case SetWeight(key, address, weight, flush):
                server = self._server(op, key, address)
                if server.weight == weight and not (flush and server.has_flows):
                    raise RefusedByVpp(op, NEVER_SEND_THAT, "nothing would change")
                if flush and weight:
                    raise RefusedByVpp(op, NEVER_SEND_THAT, "cuts the flows of a backend that is to have some")
                server.weight = weight
                server.has_flows = bool(weight) or (server.has_flows and not flush)
            case _:
                assert_never(op)

    def run(self, ops: tuple[Op, ...]) -> "Vpp":
        for op in ops:
            self.execute(op)
        return self

    def audit(self) -> Observed:
        """The table as a dump shows it: who was flushed is not in it, nor is any dead server."""
        vips = {
            key: ObservedVip(
                vip.encap, vip.sticky, vip.length, {a: ObservedBackend(s.weight) for a, s in vip.live.items()}
            )
            for key, vip in self.vips.items()
        }
        return Observed(self.conf, vips)

    def differences(self, desired: Desired) -> list[str]:
        """What is not as desired, in words."""
        found = []
        if desired.conf is not None and desired.conf != self.conf:
            found.append("conf")
        found += [f"{key} is there" for key in self.vips.keys() - desired.vips.keys()]
        found += [f"{key} is not there" for key in desired.vips.keys() - self.vips.keys()]
        for key in self.vips.keys() & desired.vips.keys():
            have, wish = self.vips[key], desired.vips[key]
            if (have.encap, have.length) != (wish.encap, wish.table_length):
                found.append(f"{key} is of another kind")
            if have.sticky not in (None, wish.src_ip_sticky):
                found.append(f"{key} is sticky in another way")
            if {a: s.weight for a, s in have.live.items()} != {a: c.weight for a, c in wish.backends.items()}:
                found.append(f"{key} has other weights")
            cut = {address for address, cell in wish.backends.items() if cell.flush and not cell.weight}
            uncut = [address for address, server in have.live.items() if address in cut and server.has_flows]
            found += [f"{key} still sends flows to {address}" for address in uncut]
        return found

    def _vip(self, op: Op, key: VipKey) -> Vip:
        if key not in self.vips:
            raise RefusedByVpp(op, NO_SUCH_ENTRY, "no such VIP")
        return self.vips[key]

    def _server(self, op: Op, key: VipKey, address: IPAddress) -> Server:
        live = self._vip(op, key).live
        if address not in live:
            raise RefusedByVpp(op, NO_SUCH_ENTRY, "no such backend")
        return live[address]

    def _add_vip(self, op: AddVip) -> None:
        key = op.vip
        if key in self.vips:
            raise RefusedByVpp(op, EXISTS, "the VIP is there")
        same_prefix = {other: vip for other, vip in self.vips.items() if other.prefix == key.prefix}
        if any((other.port == 0) != (key.port == 0) for other in same_prefix):
            raise RefusedByVpp(op, EXISTS, "all ports against one port")
        if any(vip.encap is not op.encap for vip in same_prefix.values()):
            raise RefusedByVpp(op, OTHER_ENCAP, "another encap on this prefix")
        if op.table_length < 1 or op.table_length & (op.table_length - 1):
            raise RefusedByVpp(op, LENGTH_IS_NO_POWER_OF_TWO, "table length")
        if op.encap not in ENCAPS[key.prefix.version]:
            raise RefusedByVpp(op, WRONG_FAMILY, "the encap does not fit the prefix")
        self.vips[key] = Vip(op.encap, op.src_ip_sticky, op.table_length)

    def _add_backend(self, op: AddBackend) -> None:
        vip = self._vip(op, op.vip)
        if op.backend in vip.live:
            raise RefusedByVpp(op, EXISTS, "the backend is there")
        if op.backend.version != BACKEND_VERSION[vip.encap]:
            raise RefusedByVpp(op, WRONG_FAMILY, "the address does not fit the encap")
        vip.servers[op.backend] = Server(op.weight, has_flows=op.weight > 0)  # with flush: a revived one starts clean
