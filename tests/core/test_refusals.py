from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest

from maglev.core.model import TCP, Encap, LbConf, VipKey
from maglev.core.plan import AddBackend, AddVip, DelBackend, DelVip, Op, SetConf, SetWeight
from maglev.core.refusals import Refusal, due, next_try_s, reasons, refused, remembered

SYNC_S = 30.0
VIP = VipKey(IPv4Network("192.0.2.1/32"), TCP, 80)
SIBLING = replace(VIP, port=443)
OTHER = VipKey(IPv4Network("192.0.2.2/32"), TCP, 80)
A, B = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
CONF = SetConf(LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40))
TWICE = Refusal("no", 2, 0.0)


def add(vip: VipKey) -> AddVip:
    return AddVip(vip, Encap.GRE4, False, 1024)


def test_refusals_in_a_row_are_counted_and_the_last_answer_is_kept() -> None:
    first = refused({}, add(VIP), "no", 5)
    second = refused({add(VIP): first}, add(VIP), "never", 6)

    assert (first, second) == (Refusal("no", 1, 5), Refusal("never", 2, 6))


@pytest.mark.parametrize(
    ("op", "count", "after_s"),
    [
        (add(VIP), 1, 0),
        (add(VIP), 2, SYNC_S),
        (CONF, 7, SYNC_S),
        (SetWeight(VIP, A, 0, flush=True), 1, 0),
        (SetWeight(VIP, A, 0, flush=True), 3, 5),
    ],
)
def test_the_first_refusal_holds_nothing_and_weights_are_held_shortest(op: Op, count: int, after_s: float) -> None:
    refusal = Refusal("no", count, 100)

    assert next_try_s(op, refusal, SYNC_S) == 100 + after_s
    assert due([op], {op: refusal}, 100 + after_s, SYNC_S) == [op]
    if after_s:
        assert due([op], {op: refusal}, 99.9 + after_s, SYNC_S) == []


def test_a_short_sync_interval_bounds_the_wait_of_weights_too() -> None:
    assert next_try_s(SetWeight(VIP, A, 0, flush=True), TWICE, 2) == 2


@pytest.mark.parametrize(
    ("held", "planned", "left"),
    [
        # A refused weight holds neither the other weights of its VIP nor what grows and leaves there.
        (
            SetWeight(VIP, A, 9, flush=False),
            [SetWeight(VIP, A, 9, flush=False), SetWeight(VIP, B, 0, flush=True), DelBackend(VIP, B)],
            [SetWeight(VIP, B, 0, flush=True), DelBackend(VIP, B)],
        ),
        # A VIP that cannot be made has no backends, also none that were configured since; its siblings do.
        (
            add(VIP),
            [add(VIP), AddBackend(VIP, B, 1), add(SIBLING), AddBackend(SIBLING, A, 1)],
            [add(SIBLING), AddBackend(SIBLING, A, 1)],
        ),
        # A backend that does not leave keeps its VIP, and that keeps out who needs the prefix.
        (
            DelBackend(VIP, A),
            [DelBackend(VIP, A), DelBackend(VIP, B), DelVip(VIP, "encap"), add(VIP), AddBackend(VIP, A, 1), add(OTHER)],
            [DelBackend(VIP, B), add(OTHER)],
        ),
        (
            DelVip(VIP, "kind"),
            [DelVip(VIP, "kind"), add(SIBLING), AddBackend(SIBLING, A, 1), DelVip(OTHER, "not configured")],
            [DelVip(OTHER, "not configured")],
        ),
        (CONF, [CONF, add(VIP)], [add(VIP)]),
        (AddBackend(VIP, A, 1), [AddBackend(VIP, A, 1), AddBackend(VIP, B, 1)], [AddBackend(VIP, B, 1)]),
    ],
)
def test_what_waits_behind_a_held_operation(held: Op, planned: list[Op], left: list[Op]) -> None:
    assert due(planned, {held: TWICE}, 1, SYNC_S) == left
    assert due(planned, {held: TWICE}, SYNC_S, SYNC_S) == planned
    assert due(planned, {}, 1, SYNC_S) == planned


def test_a_refusal_is_remembered_while_wanted_or_young() -> None:
    refusals: dict[Op, Refusal] = {add(VIP): TWICE, add(OTHER): TWICE}

    assert remembered(refusals, [add(VIP)], SYNC_S - 0.1, SYNC_S) == refusals
    assert remembered(refusals, [add(VIP)], SYNC_S, SYNC_S) == {add(VIP): TWICE}


def test_reasons_are_of_what_is_still_wanted_and_the_first_of_each_vip() -> None:
    refusals: dict[Op, Refusal] = {
        CONF: Refusal("bad source", 1, 0),
        add(VIP): Refusal("exists", 1, 0),
        AddBackend(VIP, A, 1): Refusal("no such VIP", 1, 0),
        add(OTHER): Refusal("repaired by hand since", 1, 0),
    }

    assert reasons(refusals, [CONF, add(VIP), AddBackend(VIP, A, 1)]) == ("bad source", {VIP: "exists"})
    assert reasons(refusals, [add(SIBLING)]) == ("", {})
