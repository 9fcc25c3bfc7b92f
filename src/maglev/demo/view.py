"""What the demo sees: maglevd through gRPC, and VPP's own listing as a witness that maglevd cannot colour."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import trio

from maglev.cli.client import Client
from maglev.errors import Refused, Unavailable
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.vpp.listing import ListedVip, parse_listing
from maglev.vpp.session import Session

REFRESH_S = 0.25
CALL_DEADLINE_S = 2.0
VipName = tuple[str, int]  # prefix, port


@dataclass(frozen=True, slots=True)
class View:
    """One look at everything; None and empty mean not known at this moment."""

    frontends: tuple[pb.FrontendInfo, ...] = ()
    backends: Mapping[str, pb.BackendInfo] = field(default_factory=dict)
    vpp: pb.VPPInfo | None = None
    counters: pb.VPPLBCounters | None = None
    witness: Mapping[VipName, ListedVip] = field(default_factory=dict)

    def state(self, backend: str) -> str:
        """Health of a backend in maglevd's word."""
        return self.backends[backend].state if backend in self.backends else "unknown"

    def weights(self, vip: VipName) -> dict[str, int]:
        """Weight by backend address, as VPP lists it."""
        return {str(b.address): b.weight for b in self.witness[vip].backends if b.is_live} if self.has(vip) else {}

    def buckets(self, vip: VipName) -> dict[str, int]:
        """Buckets of the new-flow table by backend address, as VPP lists it."""
        return {str(b.address): b.buckets for b in self.witness[vip].backends if b.is_live} if self.has(vip) else {}

    def has(self, vip: VipName) -> bool:
        """Whether VPP lists this VIP."""
        return vip in self.witness

    def forwarded(self, address: str) -> int | None:
        """Packets forwarded to a backend so far."""
        for backend in self.counters.backends if self.counters else ():
            if backend.address == address and backend.HasField("forwarded_packets"):
                return backend.forwarded_packets
        return None

    def vip_packets(self, vip: VipName) -> int | None:
        """Packets that came in for a VIP and found a backend."""
        for counted in self.counters.vips if self.counters else ():
            if (counted.prefix, counted.port) == vip and counted.HasField("next"):
                return counted.next + counted.first + counted.untracked
        return None


class Views:
    """Keeps looking; `now` is the newest view, `before` the one before the newest sample of counters."""

    def __init__(self, target: str, session: Session) -> None:
        self.now = View()
        self.before = View()
        self.told = ""  # the newest line of the story, for the live table
        self._session = session
        self._client = Client(target, CALL_DEADLINE_S)
        self._changed = trio.Event()

    async def run(self) -> None:
        """Look every REFRESH_S seconds until cancelled."""
        with self._client:
            while True:
                seen = await trio.to_thread.run_sync(self._ask)
                vips = parse_listing(await self._session.cli("show lb vips verbose"))
                witness = {(str(vip.key.prefix), vip.key.port): vip for vip in vips if vip.is_live}
                fresh = replace(seen, witness=witness)
                if self.now.counters != fresh.counters:
                    self.before = self.now
                self.now = fresh
                self._changed.set()
                self._changed = trio.Event()
                await trio.sleep(REFRESH_S)

    async def until(self, is_so: Callable[[View], bool]) -> View:
        """The first view of which `is_so`."""
        while not is_so(self.now):
            await self._changed.wait()
        return self.now

    async def next_sample(self) -> View:
        """The first view with counters younger than those of now."""
        taken = self.now.counters.taken_at_ns if self.now.counters else 0
        return await self.until(lambda view: view.counters is not None and view.counters.taken_at_ns > taken)

    def _ask(self) -> View:
        """Ask maglevd; what it cannot tell now stays unknown."""
        view = View()
        with suppress(Unavailable, Refused):
            backends = {backend.name: backend for backend in self._client.backends()}
            view = View(tuple(self._client.frontends()), backends)
            view = replace(view, vpp=self._client.vpp_info())
            view = replace(view, counters=self._client.lb_counters())
        return view
