"""What is told of frontends in the warmup, in which VPP's table is left to those of which a backend is unknown."""

from maglev.control.checker import Checker
from maglev.core.desired import FrontendState
from maglev.core.events import ActivePoolChanged, FrontendTransition, Level
from tests.control.fakes import CHECK, FAIL, PASS, VIP, FakeProbes, Journal, backend, clock, fleet, frontend, punctual

DEAD, LIVE, UNCHECKED = backend(1), backend(2), backend(3, check=None)


def told(journal: Journal) -> list[tuple[object, object, Level]]:
    kinds = (FrontendTransition, ActivePoolChanged)
    return [(each.before, each.after, each.level) for each in journal.events if isinstance(each, kinds)]


async def begun(journal: Journal, *pools: dict[str, int], in_warmup: bool = True) -> Checker:
    whole = fleet([DEAD, LIVE, UNCHECKED], [frontend("www", VIP, *pools)])
    return Checker(whole, FakeProbes(), journal, clock(), punctual(), in_warmup=in_warmup)


async def test_a_dead_backend_that_answers_first_is_no_outage() -> None:
    for in_warmup, outage in ((True, []), (False, [(FrontendState.UNKNOWN, FrontendState.DOWN, Level.WARNING)])):
        journal = Journal()
        subject = await begun(journal, {"b1": 1, "b2": 1}, in_warmup=in_warmup)
        subject._judge(("b1",), CHECK, FAIL)
        assert told(journal) == outage
        subject._judge(("b2",), CHECK, PASS)
        before = FrontendState.DOWN if outage else FrontendState.UNKNOWN
        assert told(journal)[-2:] == [(before, FrontendState.UP, Level.INFO), (None, "p0", Level.INFO)]


async def test_all_that_are_dead_are_an_outage_in_the_warmup_too() -> None:
    journal = Journal()
    subject = await begun(journal, {"b1": 1, "b2": 1})
    subject._judge(("b1", "b2"), CHECK, FAIL)

    assert told(journal) == [(FrontendState.UNKNOWN, FrontendState.DOWN, Level.WARNING)]


async def test_a_fallback_pool_is_not_called_active_before_the_first_one_is_known() -> None:
    journal = Journal()
    subject = await begun(journal, {"b1": 1}, {"b3": 1})
    assert subject.health.value.frontends["www"].resolved.active_pool is None
    subject._judge(("b1",), CHECK, FAIL)

    assert told(journal) == [(None, "p1", Level.WARNING)]


async def test_at_the_end_of_the_warmup_what_is_unknown_is_told_as_it_is() -> None:
    journal = Journal()
    subject = await begun(journal, {"b1": 1, "b2": 1})
    subject._judge(("b1",), CHECK, FAIL)
    subject.end_warmup()

    assert told(journal) == [(FrontendState.UNKNOWN, FrontendState.DOWN, Level.WARNING)]


async def test_and_so_is_the_pool_that_has_the_traffic_then() -> None:
    journal = Journal()
    subject = await begun(journal, {"b1": 1}, {"b3": 1})
    subject.end_warmup()

    assert told(journal) == [(None, "p1", Level.WARNING)]
