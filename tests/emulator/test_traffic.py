import pytest

from maglev.emulator.flowhash import Packet
from maglev.emulator.traffic import FLOWS_MAX, Traffic
from tests.emulator.engine import Engine, address, engine, vip, vip_key

KEYS = [vip_key("192.0.2.1/32", 6, 443), vip_key("192.0.2.128/25", 17, 0), vip_key("2001:db8::1/128", 6, 80)]
BACKENDS = ["10.1.0.1", "10.1.0.2"]


def populate(vpp: Engine) -> None:
    for key in KEYS:
        vpp.lb.add_vip(vip(key))
        for backend in BACKENDS:
            vpp.lb.add_server(key, address(backend), 100, flush=False)


def totals(vpp: Engine) -> list[list[int]]:
    return [[counter.get(found.index) for counter in vpp.lb.counters] for found in vpp.lb.vips]


def run(vpp: Engine, rate: int, seconds: float, seed: int = 1) -> Traffic:
    traffic = Traffic(vpp, rate, seed)
    for _ in range(round(seconds / 0.05)):
        vpp.now += 0.05
        traffic.tick(0.05)
    return traffic


@pytest.mark.parametrize(("workers", "threads"), [(0, [0]), (1, [1]), (3, [1, 2, 3])])
def test_packets_arrive_at_the_rate_given_on_the_workers_only(
    monkeypatch: pytest.MonkeyPatch, workers: int, threads: list[int]
) -> None:
    with engine(workers=workers) as vpp:
        sent: list[tuple[int, int]] = []
        populate(vpp)
        forward = vpp.forwarding.send

        def watch(thread: int, packet: Packet, count: int = 1) -> None:
            sent.append((thread, count))
            forward(thread, packet, count)

        monkeypatch.setattr(vpp.forwarding, "send", watch)  # a tap: the packets go on
        run(vpp, rate=4000, seconds=5)

        assert sum(count for _, count in sent) == 20_000
        assert sorted({thread for thread, _ in sent}) == threads


def test_every_vip_and_backend_gets_some_and_flows_stick() -> None:
    with engine(workers=2) as vpp:
        populate(vpp)
        run(vpp, rate=4000, seconds=5)

        for following, first, untracked, no_server in totals(vpp):
            assert following > first > 0
            assert (untracked, no_server) == (0, 0)
        for backend in BACKENDS:
            route = vpp.fib.longest(4, int.from_bytes(address(backend), "big"))
            packets, octets = vpp.fib.via.get(route.index)
            assert octets > packets * 64
            assert vpp.fib.to.get(route.index)[0] > 0


def test_equal_seeds_give_equal_packets_and_others_do_not() -> None:
    results = []
    for seed in (7, 7, 8):
        with engine(workers=2) as vpp:
            populate(vpp)
            run(vpp, 1000, 3, seed)
            results.append(totals(vpp))

    assert results[0] == results[1] != results[2]


def test_nothing_is_sent_without_vips_nor_owed_afterwards() -> None:
    with engine() as vpp:
        traffic = run(vpp, 1000, 3)
        populate(vpp)
        traffic.tick(0.05)

        assert sum(map(sum, totals(vpp))) <= 50


def test_flows_end_with_their_vip() -> None:
    with engine() as vpp:
        populate(vpp)
        traffic = run(vpp, 1000, 1)
        vpp.lb.delete_vip(KEYS[0])
        before = vpp.fib.to.get(1)
        for _ in range(20):
            traffic.tick(0.05)

        assert vpp.fib.to.get(1) == before


def test_live_flows_are_bounded_whatever_the_rate() -> None:
    with engine() as vpp:
        for n in range(60):
            vpp.lb.add_vip(vip(vip_key(f"192.0.2.{n}/32")))
        traffic = run(vpp, 1_000_000, 2)

        assert len(traffic._flows) <= FLOWS_MAX


def test_an_absurd_rate_is_refused() -> None:
    with engine() as vpp, pytest.raises(ValueError, match="packets per second"):
        Traffic(vpp, -1)
