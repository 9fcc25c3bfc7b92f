"""Somebody else edits VPP's table through a session of his own: told, and mended, at the next audit."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from trio.testing import MockClock

from maglev.core.events import Drift
from maglev.core.model import Encap
from maglev.core.observed import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from tests.control.fakes import CONF, VIP
from tests.trouble.bench import Bench
from tests.trouble.tables import SIX, TLS, as_table, health

A, B, C, D = (IPv4Address(f"10.0.0.{number}") for number in (1, 2, 3, 4))
S1, S2 = (IPv6Address(f"2001:db8:1::{number}") for number in (1, 2))
BY_HAND = "by hand"

EDITS: dict[str, tuple[list[Op], list[Op]]] = {
    "a weight": ([SetWeight(VIP, A, 7, flush=False)], [SetWeight(VIP, A, 100, flush=False)]),
    "a standby that gets traffic": ([SetWeight(VIP, C, 10, flush=True)], [SetWeight(VIP, C, 0, flush=False)]),
    "a backend less": ([DelBackend(VIP, B)], [AddBackend(VIP, B, 50)]),
    "a backend more": ([AddBackend(VIP, D, 1)], [DelBackend(VIP, D)]),
    "a VIP less": (
        [DelBackend(SIX, S1), DelBackend(SIX, S2), DelVip(SIX, BY_HAND)],
        [AddVip(SIX, Encap.GRE6, False, 1024), AddBackend(SIX, S1, 100), AddBackend(SIX, S2, 1)],
    ),
    "a VIP more": (
        [AddVip(replace(VIP, port=22), Encap.GRE4, True, 512), AddBackend(replace(VIP, port=22), D, 1)],
        [DelBackend(replace(VIP, port=22), D), DelVip(replace(VIP, port=22), "not configured")],
    ),
    "a VIP of another kind": (
        [
            *(DelBackend(TLS, A), DelBackend(TLS, C), DelVip(TLS, BY_HAND)),
            *(AddVip(TLS, Encap.GRE4, True, 1024), AddBackend(TLS, A, 100), AddBackend(TLS, C, 0)),
        ],
        [
            *(DelBackend(TLS, A), DelBackend(TLS, C), DelVip(TLS, "src-ip-sticky must become false")),
            *(AddVip(TLS, Encap.GRE4, False, 1024), AddBackend(TLS, A, 100), AddBackend(TLS, C, 0)),
        ],
    ),
    "the global parameters": ([SetConf(replace(CONF, flow_timeout_s=7))], [SetConf(CONF)]),
}


@pytest.mark.parametrize("what", EDITS)
async def test_an_edit_by_hand_is_told_and_mended_at_the_next_audit(bench: Bench, clock: MockClock, what: str) -> None:
    edits, mending = EDITS[what]
    await bench.start()
    bench.recreated = frozenset({SIX, TLS})  # by him
    assert await bench.by_hand(*edits) == [None] * len(edits)
    assert bench.table != as_table(bench.wish)
    assert bench.is_right is False
    assert bench.journal.of(Drift) == []

    assert bench.lb is not None
    await bench.jump(bench.lb.audit_interval_s)
    await bench.until_right()

    assert bench.journal.of(Drift) == [Drift(tuple(mending))]
    assert len(bench.written) == len(edits) + len(mending)
    await bench.has_no_more_to_write()
    assert len(bench.journal.of(Drift)) == 1


async def test_an_edit_that_meets_a_transition_is_found_by_its_refusal_and_mended_without_waiting(bench: Bench) -> None:
    await bench.start()
    await bench.by_hand(DelBackend(VIP, A), DelBackend(SIX, S2))

    bench.cell.set(health(["b1", "s2"]))
    await bench.until_right()

    assert {refusal.op for refusal in bench.refused} == {
        SetWeight(VIP, A, 0, flush=True),
        SetWeight(SIX, S2, 0, flush=True),
    }
    assert [set(event.ops) for event in bench.journal.of(Drift)] == [{AddBackend(VIP, A, 0), AddBackend(SIX, S2, 0)}]
    await bench.has_no_more_to_write()
