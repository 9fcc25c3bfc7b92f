"""VPP refuses any operation of a plan, once or for a while: the other VIPs do not wait, and in the end all is right."""

import pytest
from trio.testing import MockClock

from maglev.core.observed import DelBackend, SetConf
from tests.trouble.bench import Bench
from tests.trouble.tables import EACH_WRITE, as_table

HELD_AT_MOST_S = 8.0  # after two refusals in a row
RETVAL = -13


@pytest.mark.parametrize(("name", "k"), EACH_WRITE)
async def test_what_is_refused_once_is_done_at_once(bench: Bench, name: str, k: int) -> None:
    await bench.begin(name, f"refuse={RETVAL}:write:{k}")
    await bench.until_struck()
    await bench.until_right()

    assert len(bench.refused) >= 1
    assert bench.lost_because == []
    await bench.has_no_more_to_write()


@pytest.mark.parametrize(("name", "k"), EACH_WRITE)
async def test_what_is_refused_for_long_is_told_holds_up_no_other_vip_and_is_done_in_the_end(
    bench: Bench, clock: MockClock, name: str, k: int
) -> None:
    await bench.begin(name, f"refuse={RETVAL}:write:{k}=")
    await bench.until_struck()
    await bench.until(lambda: bench.is_right or bench.vpp.faults.struck > 1, "a second try")
    if bench.is_right:  # the VIP went with the backend that VPP did not want to let go
        assert isinstance(bench.refused[0].op, DelBackend)
        return
    await bench.until(lambda: bench.lb and not bench.lb.doubtful and others_are_right(bench), "the other VIPs")

    lb, refused = bench.lb, bench.refused[0]
    assert lb is not None
    reason = lb.conf_refused if isinstance(refused.op, SetConf) else lb.refused[refused.op.vip]
    assert f"retval={RETVAL}" in reason
    assert len(lb.refused) + bool(lb.conf_refused) == 1
    struck = bench.vpp.faults.struck
    await bench.jump(1)
    await bench.until(lambda: others_are_right(bench), "the other VIPs to stay")
    assert bench.vpp.faults.struck == struck  # it is not tried all the time

    bench.order()
    await bench.jump(HELD_AT_MOST_S)
    await bench.until_right()
    assert bench.lost_because == []
    await bench.has_no_more_to_write()


def others_are_right(bench: Bench) -> bool:
    """Whether all is right but the VIP that was refused first, or the global parameters."""
    op = bench.refused[0].op
    have, wish = bench.table, as_table(bench.wish)
    if isinstance(op, SetConf):
        return have.vips == wish.vips
    others = [{key: vip for key, vip in table.vips.items() if key != op.vip} for table in (have, wish)]
    return others[0] == others[1] and have.conf == wish.conf
