"""The rules at the head of core/lives.py, one by one."""

from array import array
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from maglev.core.counters import Figures, Indexes, Sample
from maglev.core.life import SLICE
from maglev.core.lives import Lives
from maglev.core.model import TCP, VipKey

VIP = VipKey(ip_network("192.0.2.1/32"), TCP, 80)
OTHER = VipKey(VIP.prefix, TCP, 443)
BACKEND = ip_address("10.0.0.1")
BOOT = 50
ROW = (10, 5, 0, 0)


class Bench:
    def __init__(self) -> None:
        self.subject = Lives()

    def read(
        self,
        taken_at: int,
        indexes: Indexes,
        vip: tuple[int, ...] = ROW,
        route: tuple[int, ...] = (15, 1500),
        backend: tuple[int, ...] = ROW,
        *,
        boot: int = BOOT,
        unmatched: int = 0,
    ) -> Sample:
        def columns(places: int, row: tuple[int, ...]) -> tuple["array[int]", ...]:
            return tuple(array("Q", [figure] * places) for figure in row)

        vips, routes = columns(len(indexes.vips), vip), columns(len(indexes.routes), route)
        backends = columns(len(indexes.backends), backend)
        for _ in self.subject.fold(Figures(taken_at, boot, indexes, vips, routes, backends, unmatched)):
            pass
        assert self.subject.sample is not None
        return self.subject.sample


def at(
    audited_at: int, vip: int | None = 1, route: int | None = 40, backend: int | None = 50, also: tuple[int, ...] = ()
) -> Indexes:
    """`also`: the pool indexes of others that use the backend, the first one live and on the prefix of VIP."""
    return Indexes(
        ({} if vip is None else {VIP: vip}) | dict(zip((OTHER,), also, strict=False)),
        {} if route is None else {VIP.prefix: route},
        {} if backend is None else {BACKEND: backend},
        audited_at,
        users={BACKEND: [index for index in (vip, *also) if index is not None]},
    )


def since(sample: Sample) -> tuple[int | None, int | None, int | None]:
    vip = sample.vips[VIP]
    return vip.since_ns, vip.route_since_ns, sample.backends[BACKEND].since_ns


def test_what_was_there_when_we_came_counts_since_vpp_started() -> None:
    sample = Bench().read(1000, at(900))

    assert since(sample) == (BOOT, BOOT, BOOT)
    assert sample.unmatched_since_ns == BOOT


@pytest.mark.parametrize(
    ("row", "goes_on"), [(ROW, True), ((11, 5, 0, 9), True), ((9, 5, 0, 0), False), ((99, 4, 9, 9), False)]
)
def test_a_life_goes_on_until_a_figure_falls(row: tuple[int, ...], goes_on: bool) -> None:
    bench, indexes = Bench(), at(900)
    bench.read(1000, indexes)

    assert since(bench.read(2000, indexes, vip=row)) == (BOOT if goes_on else 1000, BOOT, BOOT)
    assert since(bench.read(3000, indexes, vip=(999, 999, 999, 999), backend=row))[2] == (BOOT if goes_on else 2000)


@pytest.mark.parametrize("route", [(14, 9999), (9999, 1499)])
def test_a_route_has_a_life_of_its_own(route: tuple[int, ...]) -> None:
    bench, indexes = Bench(), at(900)
    bench.read(1000, indexes)

    assert since(bench.read(2000, indexes, route=route)) == (BOOT, 1000, BOOT)


def test_a_vip_made_anew_begins_a_life_and_what_it_shares_with_another_goes_on() -> None:
    bench = Bench()
    bench.read(1000, at(900, also=(7,)))

    assert since(bench.read(2000, at(1900, vip=2, also=(7,)), vip=(99, 99, 99, 99))) == (900, BOOT, BOOT)


@pytest.mark.parametrize("is_seen_without", [False, True])
def test_the_route_and_the_backend_of_a_lone_vip_made_anew_begin_with_it(is_seen_without: bool) -> None:
    """VPP may give them the same indexes again, cleared."""
    bench = Bench()
    bench.read(1000, at(900))
    if is_seen_without:
        bench.read(1500, Indexes({}, {}, {}, 900, is_whole=False, users={BACKEND: [1]}))

    made_anew = bench.read(2000, at(1900, vip=2), route=(99, 9999), backend=(99, 99, 99, 99))
    assert since(made_anew) == (900, 900, 900)
    assert since(bench.read(3000, at(2900, vip=2), route=(99, 9999), backend=(99, 99, 99, 99))) == (900, 900, 900)


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_a_backend_goes_on_while_vpp_has_not_let_go_of_a_deleted_vip(is_withdrawn: bool) -> None:
    bench = Bench()
    bench.read(1000, at(900))
    if is_withdrawn:
        bench.read(1500, Indexes({}, {}, {}, 900, is_whole=False, users={BACKEND: [1]}))
    both = replace(at(1900, vip=2), users={BACKEND: [1, 2]})

    assert since(bench.read(2000, both))[2] == BOOT


def test_a_backend_that_we_took_from_its_vip_and_gave_it_again_begins() -> None:
    bench = Bench()
    bench.read(1000, at(900))
    bench.read(1500, Indexes({VIP: 1}, {VIP.prefix: 40}, {}, 900, is_whole=False, users={BACKEND: [1]}))

    assert since(bench.read(2000, at(1900))) == (BOOT, BOOT, 900)


def test_a_vip_that_was_cleared_may_have_been_made_anew_with_all_that_is_its_own() -> None:
    bench = Bench()
    bench.read(1000, at(900))
    bench.read(1500, at(900), vip=(0, 0, 0, 0))

    assert since(bench.read(2000, at(1900), vip=(1, 0, 0, 0))) == (1000, 900, 900)


def test_a_vip_that_the_audit_before_did_not_find_begins_there() -> None:
    bench = Bench()
    bench.read(1000, at(900))
    bench.read(2000, at(1900, vip=None))

    assert since(bench.read(3000, at(2900), vip=(99, 99, 99, 99)))[0] == 1900


def test_a_backend_that_a_vip_takes_later_was_counted_all_the_while() -> None:
    bench = Bench()
    bench.read(1000, at(900, backend=None))

    assert since(bench.read(2000, at(1900)))[2] == BOOT


def test_a_backend_that_no_vip_used_for_a_time_begins_anew() -> None:
    bench = Bench()
    bench.read(1000, at(900))
    bench.read(2000, replace(at(1900, backend=None), users={}))

    assert since(bench.read(3000, at(2900), backend=(99, 99, 99, 99)))[2] == 900
    bench.read(4000, replace(at(3900, backend=None), users={}))
    assert since(bench.read(5000, at(4900), backend=(9, 9, 9, 9)))[2] == 2900


def test_what_was_withdrawn_in_vain_goes_on() -> None:
    bench, known = Bench(), at(900)
    bench.read(1000, known)
    withdrawn = replace(known, vips={}, routes={}, backends={}, is_whole=False)
    assert bench.read(2000, withdrawn).vips == {}

    assert since(bench.read(3000, known)) == (BOOT, BOOT, BOOT)


def test_what_was_withdrawn_until_another_audit_may_have_gone() -> None:
    """Also at the same pool index: VPP gives it out again after a minute."""
    bench, known = Bench(), at(900)
    bench.read(1000, known)
    bench.read(2000, replace(known, vips={}, routes={}, backends={}, is_whole=False))

    assert since(bench.read(3000, at(2900))) == (900, 900, 900)


def test_an_audit_that_did_not_name_all_says_nothing_of_those_missing() -> None:
    bench = Bench()
    bench.read(1000, at(900, vip=None))
    bench.read(2000, Indexes({}, {}, {}, 1900, is_whole=False))

    assert since(bench.read(3000, at(2900)))[0] == 900


def test_a_route_that_was_not_looked_up_is_not_told() -> None:
    bench = Bench()
    indexes = at(900)
    bench.read(1000, indexes)
    vip = bench.read(2000, Indexes(indexes.vips, {}, indexes.backends, 1900)).vips[VIP]

    assert (vip.route, vip.since_ns, vip.route_since_ns) == (None, BOOT, None)
    assert since(bench.read(3000, at(2900)))[1] == BOOT


def test_nothing_goes_on_over_a_start_of_vpp() -> None:
    bench, indexes = Bench(), at(900)
    bench.read(1000, indexes)

    assert since(bench.read(2000, indexes, boot=1500)) == (1500, 1500, 1500)


def test_nothing_is_claimed_until_vpp_tells_its_start() -> None:
    bench, indexes = Bench(), at(900)

    assert since(bench.read(1000, indexes, boot=0)) == (None, None, None)
    assert since(bench.read(2000, indexes)) == (BOOT, BOOT, BOOT)


def test_no_life_begins_after_the_sample() -> None:
    """VPP's clock, or ours, was set."""
    bench, indexes = Bench(), at(900)

    assert since(bench.read(1000, indexes, boot=5000)) == (1000, 1000, 1000)
    assert since(bench.read(700, indexes, boot=5000)) == (700, 700, 700)


def test_what_nobody_serves_has_a_life_too() -> None:
    bench, indexes = Bench(), at(900)
    bench.read(1000, indexes, unmatched=7)
    cleared = bench.read(2000, indexes, unmatched=6)

    assert (cleared.unmatched_packets, cleared.unmatched_since_ns) == (6, 1000)


def test_what_did_not_change_is_the_very_same_and_what_did_is_not() -> None:
    bench, indexes = Bench(), at(900)
    first = bench.read(1000, indexes)
    second = bench.read(2000, indexes)
    third = bench.read(3000, indexes, route=(16, 1600))

    assert second.vips[VIP] is first.vips[VIP]
    assert second.backends[BACKEND] is first.backends[BACKEND]
    assert third.vips[VIP].route != first.vips[VIP].route
    assert third.backends[BACKEND] is first.backends[BACKEND]


def test_many_rows_come_out_in_order_and_in_slices() -> None:
    many = {VipKey(VIP.prefix, TCP, port): port for port in range(1, 3 * SLICE)}
    ports = array("Q", many.values())
    nothing = array("Q", bytes(8 * len(many)))
    subject = Lives()
    indexes = Indexes(many, {}, {}, 900)
    turns = list(subject.fold(Figures(1000, BOOT, indexes, (ports, *[nothing] * 3), (nothing,) * 2, (nothing,) * 4)))
    again = array("Q", [port + (port == SLICE) for port in ports])
    first = subject.sample
    turns += list(subject.fold(Figures(2000, BOOT, indexes, (again, *[nothing] * 3), (nothing,) * 2, (nothing,) * 4)))

    assert len(turns) > 12
    assert first is not None
    assert subject.sample is not None
    assert [(key.port, vip.index, vip.next) for key, vip in subject.sample.vips.items()] == [
        (port, port, port + (port == SLICE)) for port in ports
    ]
    assert sum(subject.sample.vips[key] is not vip for key, vip in first.vips.items()) == 1


def test_a_fold_that_was_given_up_teaches_nothing_wrong() -> None:
    for turns in range(20):
        bench = Bench()
        bench.read(1000, at(900))
        moved = at(1900, vip=2, route=None)
        rows = tuple(array("Q", [figure]) for figure in (99, 99, 99, 99))
        given_up = bench.subject.fold(Figures(2000, BOOT, moved, rows, (array("Q"),) * 2, rows))
        for _ in zip(range(turns), given_up, strict=False):
            pass

        sample = bench.read(3000, at(2900, vip=2), vip=(99, 99, 99, 99), backend=(99, 99, 99, 99))
        assert since(sample) == (900, 900, 900)
