"""The sampler beside the reconciler, as maglevd has it: what is told while VPP comes, changes and goes."""

import time
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from maglev.control.ports import Clock
from maglev.control.sampler import Sampler
from maglev.core import audits
from maglev.core.counters import Sample
from maglev.core.status import HealthStatus, Status
from maglev.errors import Unavailable
from maglev.rpc import questions
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.vpp.session import Session
from tests.control.fakes import VIP2, frontend
from tests.trouble.bench import Bench
from tests.trouble.tables import FRONTENDS, PLANS, RECREATED, health

INTERVAL_S = 5.0


class Counting(Bench):
    """Both loops; `told` are all samples that were told, in order."""

    def __init__(self, directory: Path, nursery: trio.Nursery) -> None:
        super().__init__(directory, nursery, retry_s=0.01)
        self.sampler = Sampler(INTERVAL_S, self.reconciler.indexes, self.journal, Clock(time.time_ns, lambda: 0.5))
        self.samples: list[Sample | None] = []
        nursery.start_soon(self._watch)

    async def _watch(self) -> None:
        seen = None
        while True:
            seen = await self.sampler.sample.changed(seen)
            self.samples.append(seen)

    async def _serve(self, session: Session) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super()._serve, session)
            nursery.start_soon(self.sampler.serve, session)

    def counts_all(self) -> bool:
        """Whether the newest sample has all VIPs that are wished for, and they are right."""
        sample = self.sample
        return self.is_right and sample is not None and sample.vips.keys() == self.wish.vips.keys()

    def counted(self) -> Sample:
        assert self.sample is not None
        return self.sample

    @property
    def sample(self) -> Sample | None:
        return self.sampler.sample.value

    def answer(self) -> pb.VPPLBCounters:
        """What GetVPPLBCounters says."""
        vpp = self.session.info if self.session else None
        status = Status(HealthStatus(), vpp, self.lb, self.sample)
        return questions.get_vpp_lb_counters(status, pb.GetVPPLBCountersRequest())


@pytest.fixture
async def counting(nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(audits, "MUST_SHARE", 1.0)
    bench = Counting(tmp_path, nursery)
    await bench.start()
    await bench.until(bench.counts_all, "counters")
    return bench


async def test_a_vpp_that_dies_takes_its_numbers_along_and_the_next_one_counts_anew(counting: Counting) -> None:
    before = counting.sample
    assert len(counting.answer().vips) == len(FRONTENDS)
    await counting.end_vpp()
    await counting.until(lambda: counting.lost_because, "the loss to be seen")

    assert (counting.sample, counting.lb) == (None, None)
    with pytest.raises(Unavailable, match="no VPP is connected"):
        counting.answer()
    counting.samples.clear()
    await counting.start_vpp()
    await counting.until(counting.counts_all, "counters of the next VPP")
    assert before is not None
    assert {sample.boottime_ns for sample in counting.samples if sample} == {before.boottime_ns + 1_000_000_000}
    for vip in counting.answer().vips:
        assert vip.since_ns >= before.boottime_ns + 1_000_000_000
        assert vip.fib_since_ns == before.boottime_ns + 1_000_000_000


async def test_a_vpp_that_stands_still_is_given_up_with_its_numbers(counting: Counting, clock: MockClock) -> None:
    counting.order("mute:any:1+")
    for _ in range(4):
        await counting.jump(5)
    await counting.until_lost()

    assert (counting.sample, counting.lb) == (None, None)
    with pytest.raises(Unavailable):
        counting.answer()


async def test_a_vip_that_is_added_takes_nobodys_figures_away(counting: Counting) -> None:
    before = counting.counted().vips
    counting.samples.clear()
    counting.cell.set(health((), [*FRONTENDS, frontend("new", VIP2, {"b1": 100})]))
    await counting.until(counting.counts_all, "counters of the new VIP")

    assert VIP2 in counting.wish.vips
    for sample in counting.samples:
        assert sample is not None
        assert sample.vips.keys() >= before.keys()
        assert all(sample.vips[key] == vip for key, vip in before.items())
        assert {ip_address("10.0.0.2"), ip_address("10.0.0.3")} <= sample.backends.keys()


async def test_a_vip_made_anew_counts_from_zero_in_a_life_of_its_own(counting: Counting) -> None:
    before = counting.counted()
    counting.recreated = RECREATED
    counting.cell.set(PLANS["recreate"][0])
    await counting.until_right()

    def are_others() -> bool:
        return counting.counts_all() and all(
            counting.counted().vips[k].index != before.vips[k].index for k in RECREATED
        )

    await counting.until(are_others, "counters of the new ones")
    for key in RECREATED:
        vips = [sample.vips[key] for sample in counting.samples if sample and key in sample.vips]
        lives = [vip.since_ns for vip in vips]
        assert lives == sorted(lives, key=lambda since: since or 0)
        assert len(set(lives)) == 2
