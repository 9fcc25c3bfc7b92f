from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest

from maglev.core.model import TCP, Encap, LbConf, VipKey
from maglev.core.plan import AddBackend, AddVip, Op, SetConf
from maglev.core.refusals import LONGEST_RETRY_S, Refusal, held, is_news, next_try_s, reasons, refused

VIP = VipKey(IPv4Network("192.0.2.1/32"), TCP, 80)
OTHER = replace(VIP, port=443)
A = IPv4Address("10.0.0.1")
CONF = SetConf(LbConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"), 1024, 40))


def add(vip: VipKey) -> AddVip:
    return AddVip(vip, Encap.GRE4, False, 1024)


def test_the_first_refusal_holds_nothing_and_each_further_one_twice_as_long() -> None:
    now, known, tries = 0.0, None, list[float]()
    for _ in range(10):
        known = refused(known, "no", now)
        now = known.next_try_s
        tries.append(now)

    assert tries == [0, 5, 10, 20, 40, 80, 160, 600, 900, 1200]
    assert known is not None
    assert known.count == 10


@pytest.mark.parametrize("count", [1, 2, 5, 9, 10_000])
def test_a_hold_is_about_as_long_as_it_should_be_and_never_longer_than_the_longest(count: int) -> None:
    hold_s = min(5 * 2 ** min(count - 1, 16), LONGEST_RETRY_S)
    for now_s in (0.0, 3.3, 1234.5, 1e6):
        waits_s = refused(Refusal("no", count, 0), "no", now_s).next_try_s - now_s

        assert hold_s / 2 <= waits_s <= 1.5 * hold_s


def test_operations_refused_at_about_the_same_time_are_tried_again_together() -> None:
    first, last = (refused(Refusal("no", 1, 0), "no", now_s) for now_s in (1002.6, 1007.4))

    assert first.next_try_s == last.next_try_s == 1010


def test_only_another_answer_is_news() -> None:
    assert is_news(None, "no")
    assert is_news(Refusal("no", 3, 0), "never")
    assert not is_news(Refusal("no", 3, 0), "no")


def test_what_is_held_comes_free_when_its_time_has_come() -> None:
    refusals: dict[Op, Refusal] = {add(VIP): Refusal("no", 2, 10), add(OTHER): Refusal("no", 2, 20)}

    assert held(refusals, 9.9) == refusals.keys()
    assert held(refusals, 10) == {add(OTHER)}
    assert [next_try_s(refusals, now_s) for now_s in (0, 10, 20)] == [10, 20, None]


def test_reasons_are_the_first_of_each_vip() -> None:
    refusals: dict[Op, Refusal] = {
        CONF: Refusal("bad source", 1, 0),
        add(VIP): Refusal("exists", 1, 0),
        AddBackend(VIP, A, 1): Refusal("no such VIP", 1, 0),
    }

    assert reasons(refusals) == ("bad source", {VIP: "exists"})
    assert reasons({}) == ("", {})
