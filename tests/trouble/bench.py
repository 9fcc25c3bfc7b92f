"""The product's own session and reconciler against an embedded VPP over real sockets, all in one loop.

After every write that VPP carries out the bench looks where its traffic goes: a VIP that had weight once may have none
only if no backend of it is healthy, if it is not configured any more, or if a test says that it is being recreated.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_network
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from maglev.control.cell import Cell
from maglev.control.ports import Clock
from maglev.control.reconciler import Reconciler
from maglev.core.audits import AuditReason
from maglev.core.desired import Desired
from maglev.core.events import Audited, OpRefused, VppDisconnected
from maglev.core.model import VipKey
from maglev.core.observed import Observed, Op
from maglev.core.plan import plan
from maglev.core.status import LbStatus
from maglev.core.warmup import Warmup
from maglev.emulator.api import Answers, Api, _vip_key
from maglev.emulator.faults import Fault, parse_fault
from maglev.emulator.lb import Died
from maglev.emulator.service import Emulator, EmulatorConfig, serve
from maglev.emulator.wire import Fields
from maglev.errors import Refused
from maglev.vpp.session import Session, connect, keep_connected
from tests.control.fakes import CONF, Journal
from tests.processes import DEADLINE_S
from tests.trouble.tables import PLANS, RECREATED, as_table, health, table_of, wish_of

POLL_S = 0.002  # between two looks; nothing depends on its length
PING_S = 10.0
SYNC_INTERVAL_S = 30.0


class Bench:
    """One reconciler, and one VPP after the other."""

    def __init__(self, directory: Path, nursery: trio.Nursery, retry_s: float) -> None:
        self.api, self.stats = str(directory / "api.sock"), str(directory / "stats.sock")
        self.cell = Cell(health())
        self.journal = Journal()
        self.reconciler = Reconciler(
            CONF, SYNC_INTERVAL_S, Warmup(0, 0), self.cell, self.journal, Clock(time.time_ns, lambda: 0.5)
        )
        self.session: Session | None = None
        self.written: list[tuple[str, Fields]] = []  # what VPP carried out
        self.on_write: Callable[[], None] = lambda: None
        self.recreated: frozenset[VipKey] = frozenset()
        self.nowhere: list[str] = []
        self._had_weight: set[VipKey] = set()
        self._nursery = nursery
        self.retry_s = retry_s
        self._lives = 0
        self._vpp: Emulator | None = None
        self._life = trio.CancelScope()
        self._ended = trio.Event()

    @property
    def vpp(self) -> Emulator:
        assert self._vpp is not None
        return self._vpp

    @property
    def lb(self) -> LbStatus | None:
        return self.reconciler.lb.value

    @property
    def wish(self) -> Desired:
        return wish_of(self.cell.value)

    @property
    def table(self) -> Observed:
        return table_of(self.vpp.vpp)

    @property
    def is_right(self) -> bool:
        """Whether VPP has what is wished for, and the reconciler knows."""
        lb = self.lb
        return (
            self.table == as_table(self.wish)
            and lb is not None
            and not (lb.doubtful or lb.refused or lb.conf_refused)
            and plan(self.wish, lb.observed) == ()
        )

    @property
    def lost_because(self) -> list[str]:
        """Why each session ended."""
        return [event.reason for event in self.journal.of(VppDisconnected)]

    @property
    def refused(self) -> list[OpRefused]:
        return self.journal.of(OpRefused)

    def order(self, *faults: str) -> None:
        self.vpp.faults.order(*map(parse_fault, faults))

    async def start_vpp(self, *faults: str) -> None:
        """A VPP with nothing in it."""
        self._lives += 1
        self._life, self._ended = trio.CancelScope(), trio.Event()
        self._had_weight.clear()
        boottime_s = 1_700_000_000.0 + self._lives
        ordered: tuple[Fault, ...] = tuple(map(parse_fault, faults))
        config = EmulatorConfig(self.api, self.stats, pid=4710 + self._lives, boottime_s=boottime_s, faults=ordered)
        self._vpp = await self._nursery.start(self._live, config)

    async def begin(self, plan_name: str, *faults: str) -> None:
        """Have one of PLANS made, and these faults met on its way."""
        self.recreated = RECREATED if plan_name == "recreate" else frozenset()
        if plan_name == "build":
            await self.start_vpp(*faults)
            self.keep_connected()
            return
        await self.start()
        self.order(*faults)
        self.cell.set(PLANS[plan_name][0])

    async def end_vpp(self) -> None:
        self._life.cancel()
        await self._ended.wait()

    async def vpp_has_ended(self) -> None:
        await self._ended.wait()

    def keep_connected(self) -> None:
        self._nursery.start_soon(self.be_connected)

    async def start(self) -> None:
        """VPP and us, until the table is right."""
        await self.start_vpp()
        self.keep_connected()
        await self.until_right()
        self.written.clear()

    async def until(self, is_so: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not is_so():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {DEADLINE_S:g} s for {what}; the table: {self.table}; events: {self.told}")
            await trio.sleep(POLL_S)

    @property
    def told(self) -> list[object]:
        return [event for event in self.journal.events if event.level.value > 10]

    async def until_right(self) -> None:
        await self.until(lambda: self.is_right, "the table to be right")
        assert self.nowhere == []

    async def until_struck(self, times: int = 1) -> None:
        await self.until(lambda: self.vpp.faults.struck >= times, "the fault to strike")

    async def until_lost(self) -> str:
        """Why the session that the fault struck has ended."""
        await self.until_struck()
        await self.until(lambda: self.lost_because, "the session to end")
        (reason,) = self.lost_because
        return reason

    async def has_no_more_to_write(self) -> None:
        """Have the table read once more, and planned for: nothing may come of it."""
        written, asked = len(self.written), self._audits_on_request()
        self.reconciler.sync()
        await self.until(lambda: self._audits_on_request() > asked, "an audit on request")
        await self._all_is_quiet()
        assert self.written[written:] == []
        await self.until_right()

    async def jump(self, seconds: float) -> None:
        """Let time pass, for tests with the fixture `clock`; not in the middle of an exchange, as audits are timed."""
        time_machine = trio.lowlevel.current_clock()
        assert isinstance(time_machine, MockClock)
        await self._all_is_quiet()
        time_machine.jump(seconds)

    async def by_hand(self, *ops: Op) -> list[Refused | None]:
        """What somebody else does, through a session of his own."""
        async with connect(self.api, self.stats, lambda _: None, clock_ns=time.time_ns) as other:
            return await other.execute(ops)

    def saw(self, name: str, request: Fields) -> None:
        """Called behind every request that VPP carried out."""
        if not name.startswith(("lb_add", "lb_as_set", "lb_flush")) and name != "lb_conf":
            return
        self.written.append((name, request))
        if name != "lb_conf":
            self._look_where_traffic_goes(request)
        self.on_write()

    def _look_where_traffic_goes(self, request: Fields) -> None:
        pfx = request["pfx"]
        prefix = ip_network((IPv6Address(pfx.address.un.ip6) if pfx.address.af else pfx.address.un.ip4, pfx.len))
        key = VipKey(prefix, request["protocol"], request["port"])
        found = self.vpp.vpp.lb._find(_vip_key(request) or pytest.fail(f"no key: {request}"))
        if found is not None and found.members:
            self._had_weight.add(key)
        elif key in self._had_weight and key not in self.recreated and self._has_somewhere_to_go(key):
            self.nowhere.append(f"{key} after write {len(self.written)}")

    def _has_somewhere_to_go(self, key: VipKey) -> bool:
        return any(
            cell.weight
            for frontend in self.cell.value.frontends.values()
            if frontend.frontend.vip == key
            for pool in frontend.resolved.pools
            for cell in pool.values()
        )

    async def _live(self, config: EmulatorConfig, task_status: trio.TaskStatus[Emulator]) -> None:
        with self._life, suppress(Died):
            await serve(config, task_status=task_status)
        self._ended.set()

    async def be_connected(self) -> None:
        await keep_connected(
            self.api,
            self.stats,
            self.journal,
            self._serve,
            clock_ns=time.time_ns,
            retry_s=self.retry_s,
            ping_s=PING_S,
        )

    async def _serve(self, session: Session) -> None:
        self.session = session
        try:
            await self.reconciler.serve(session)
        finally:
            self.session = None

    async def _all_is_quiet(self) -> None:
        await wait_all_tasks_blocked(0.005)
        while self.session is not None and self.session.transport._pending and not self.vpp.faults.struck:
            await wait_all_tasks_blocked(0.005)

    def _audits_on_request(self) -> int:
        return sum(event.reason is AuditReason.ASKED for event in self.journal.of(Audited))


def watched_by(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `bench` see what VPP carries out."""
    answer = Api.answer

    def answer_and_tell(api: Api, name: str, request: Fields) -> Answers | None:
        answers = answer(api, name, request)
        bench.saw(name, request)
        return answers

    monkeypatch.setattr(Api, "answer", answer_and_tell)
