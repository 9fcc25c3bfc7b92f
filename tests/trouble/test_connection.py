"""The connection to VPP dies, falls silent or talks nonsense in the middle of a plan: the table is right in the end."""

import pytest
from trio.testing import MockClock

from maglev.core.events import VppUnavailable
from tests.trouble.bench import Bench
from tests.trouble.tables import EACH_WRITE, PLANS

GIVE_UP_S = 60.0  # any deadline is over by then
# Requests of a first connection up to the first write, by number: definitions, ping, version; then the audit, which is
# parameters, two dumps with a ping each, and the listing. An empty dump that is not answered ends with its ping.
ALL_READS = range(1, 10)
READS = [k for k in ALL_READS if k not in (5, 7)]


def reasons(bench: Bench) -> list[str]:
    return [*bench.lost_because, *(event.reason for event in bench.journal.of(VppUnavailable))]


@pytest.mark.parametrize("name", PLANS)
async def test_the_plans_are_as_long_as_the_tests_here_take_them_to_be(bench: Bench, name: str) -> None:
    await bench.begin(name)
    await bench.until_right()

    assert len(bench.written) == PLANS[name][1]
    assert bench.lost_because == []
    await bench.has_no_more_to_write()


@pytest.mark.parametrize("fault", ["break", "lose"])
@pytest.mark.parametrize(("name", "k"), EACH_WRITE)
async def test_a_connection_that_dies_behind_any_answer_costs_nothing_but_time(
    bench: Bench, name: str, k: int, fault: str
) -> None:
    await bench.begin(name, f"{fault}:write:{k}")
    await bench.until_lost()
    await bench.until_right()

    await bench.has_no_more_to_write()


@pytest.mark.parametrize(("name", "k"), [(name, count // 2) for name, (_, count) in PLANS.items()])
async def test_a_write_that_is_never_answered_is_given_up_and_the_table_read_anew(
    bench: Bench, clock: MockClock, name: str, k: int
) -> None:
    await bench.begin(name, f"mute:write:{k}")
    await bench.until_struck()
    await bench.jump(GIVE_UP_S)
    reason = await bench.until_lost()
    await bench.until_right()

    assert "did not finish a write within 10 s" in reason
    await bench.has_no_more_to_write()


async def test_a_vpp_that_answers_nothing_any_more_is_given_up_by_its_pings(bench: Bench, clock: MockClock) -> None:
    await bench.start()
    bench.order("mute:any:1+")
    for _ in range(4):
        await bench.jump(5)
    reason = await bench.until_lost()
    assert "did not answer in time (awaited=control_ping)" in reason

    bench.order()
    await bench.jump(5)
    await bench.until_right()


@pytest.mark.parametrize("k", READS)
async def test_a_question_that_is_never_answered_is_given_up_too(bench: Bench, clock: MockClock, k: int) -> None:
    await bench.begin("build", f"mute:any:{k}")
    await bench.until_struck()
    await bench.jump(GIVE_UP_S)
    await bench.until_right()

    (reason,) = reasons(bench)
    assert "did not answer in time" in reason or "did not finish an audit within 60 s" in reason


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(
    "fault",
    ["late=0.02:any:3", "late=0.02:write:2", "reverse:write:1+", "reverse:write:2", "stray:any:1+"],
)
async def test_what_vpp_may_say_disturbs_nobody(bench: Bench, name: str, fault: str) -> None:
    """Late answers, answers in another order, answers to somebody else."""
    await bench.begin(name, fault)
    await bench.until_right()

    assert reasons(bench) == []
    assert len(bench.written) == PLANS[name][1]
    await bench.has_no_more_to_write()


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("huge:write:2", "frame of an impossible length (seen=4294967295 expected=6 to 16777216)"),
        ("short=5:write:2", "frame of an impossible length (seen=5"),
        ("short=0:write:2", "frame of an impossible length (seen=0"),
        ("short=6:write:2", "a message has the wrong length (message=lb_"),
        ("long:write:2", "seen=74 expected=10"),
    ],
)
async def test_an_answer_that_is_none_ends_the_session_with_the_reason(
    bench: Bench, name: str, fault: str, why: str
) -> None:
    await bench.begin(name, fault)
    reason = await bench.until_lost()
    await bench.until_right()

    assert why in reason
    await bench.has_no_more_to_write()


@pytest.mark.parametrize("name", PLANS)
async def test_an_answer_with_the_number_of_another_message_is_none(bench: Bench, clock: MockClock, name: str) -> None:
    await bench.begin(name, "alien:write:2")
    await bench.until_struck()
    await bench.jump(GIVE_UP_S)
    reason = await bench.until_lost()
    await bench.until_right()

    assert "within 10 s" in reason
    await bench.has_no_more_to_write()


@pytest.mark.parametrize("fault", ["huge", "short=6", "short=2", "alien"])
@pytest.mark.parametrize("k", ALL_READS)
async def test_nonsense_instead_of_what_was_asked_for_is_survived(
    bench: Bench, clock: MockClock, k: int, fault: str
) -> None:
    await bench.begin("build", f"{fault}:any:{k}")
    await bench.until_struck()
    if fault == "alien":
        await bench.jump(GIVE_UP_S)
    await bench.until_right()

    assert len(reasons(bench)) <= 1
