import array
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import trio
import trio.testing

from maglev._statseg import Segment
from maglev.core.counters import Figures, Indexes
from maglev.core.model import TCP, UDP, VipKey
from maglev.emulator.segment import SegmentWriter
from maglev.emulator.stats_server import serve
from maglev.errors import ProtocolError, Unavailable
from maglev.vpp.stats import BOOTTIME, HEARTBEAT, LB_COUNTERS, ROUTE_TO, ROUTE_VIA, Stats, open_stats
from tests.real_vpp import Sockets

WEB = VipKey(ip_network("192.0.2.1/32"), TCP, 80)
DNS = VipKey(ip_network("192.0.2.1/32"), UDP, 53)
WEB6 = VipKey(ip_network("2001:db8::1/128"), TCP, 80)
ONE, TWO = ip_address("10.1.0.1"), ip_address("10.1.0.2")
INDEXES = Indexes({WEB: 1, DNS: 2, WEB6: 3}, {WEB.prefix: 40}, {ONE: 41, TWO: 42})
THREADS = 3


def columns(*rows: tuple[int, ...]) -> "tuple[array.array[int], ...]":
    return tuple(array.array("Q", column) for column in zip(*rows, strict=True))


def fill(writer: SegmentWriter, *, slash: str = "") -> None:
    writer.set_scalar(BOOTTIME, 1_700_000_000)
    writer.set_scalar(HEARTBEAT, 7)
    for number, name in enumerate(LB_COUNTERS, start=1):
        counter = writer.simple(slash + name, THREADS)
        counter.validate(3)
        for thread in range(THREADS):
            for index in (1, 2, 3):
                counter.add(thread, index, 100 * number + 10 * index + thread)
            counter.add(thread, 0, 7)  # to the address of a VIP, on a port that has none
    for number, name in enumerate((ROUTE_TO, ROUTE_VIA), start=1):
        volume = writer.combined(name, THREADS)
        volume.validate(41)
        volume.add(0, 40, number, 10 * number)
        volume.add(2, 41, 2 * number, 20 * number)
        volume.add(1, 41, 3 * number, 30 * number)


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    with closing(SegmentWriter(256 << 10)) as writer:
        fill(writer)
        yield writer


@pytest.fixture
def stats(writer: SegmentWriter) -> Iterator[Stats]:
    with closing(Stats(Segment(writer.fd, max_wait_s=0.001))) as stats:
        yield stats


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "stats.sock")


EXPECTED = Figures(
    taken_at_ns=5,
    boottime_ns=1_700_000_000_000_000_000,
    indexes=INDEXES,
    vips=columns((333, 633, 933, 1233), (363, 663, 963, 1263), (393, 693, 993, 1293)),
    routes=columns((1, 10)),
    backends=columns((10, 100, 5, 50), (0, 0, 0, 0)),
    unmatched_packets=4 * 3 * 7,
)


def test_a_reading_sums_the_workers_per_vip_route_and_backend(stats: Stats) -> None:
    assert stats.read(INDEXES, 5) == EXPECTED


def test_counters_may_be_spelled_with_a_slash() -> None:
    with closing(SegmentWriter(256 << 10)) as writer:
        fill(writer, slash="/")
        with closing(Stats(Segment(writer.fd))) as stats:
            assert stats.read(INDEXES, 5) == EXPECTED


def test_a_segment_without_any_vip_yields_zeros() -> None:
    with closing(SegmentWriter()) as writer, closing(Stats(Segment(writer.fd))) as stats:
        writer.set_scalar(BOOTTIME, 1)

        figures = stats.read(INDEXES, 5)
        nothing = array.array("Q")
        none = Indexes({}, {}, {})

        assert figures.vips == columns(*[(0, 0, 0, 0)] * 3)
        assert figures.routes == columns((0, 0))
        assert figures.unmatched_packets == 0
        assert stats.read(none, 6) == Figures(6, 1_000_000_000, none, (nothing,) * 4, (nothing,) * 2, (nothing,) * 4)


def test_each_reading_is_its_own_and_follows_the_indexes(writer: SegmentWriter, stats: Stats) -> None:
    first = stats.read(INDEXES, 5)
    counter = writer.simple(LB_COUNTERS[0], THREADS)
    counter.validate(500)
    counter.add(1, 1, 1000)
    second = stats.read(INDEXES, 6)
    third = stats.read(Indexes({DNS: 1}, {}, {TWO: 41}), 7)

    assert first == EXPECTED
    assert second.vips[0][0] == 1333
    assert third.vips == columns((1333, 633, 933, 1233))
    assert third.backends == columns((10, 100, 5, 50))
    assert [len(column) for column in third.routes] == [0, 0]


def test_boottime_is_read_anew_each_time(writer: SegmentWriter, stats: Stats) -> None:
    assert stats.boottime_ns == 1_700_000_000_000_000_000

    writer.set_scalar(BOOTTIME, 1_700_000_001)

    assert stats.boottime_ns == 1_700_000_001_000_000_000


def test_the_heartbeat_is_read_anew_each_time(writer: SegmentWriter, stats: Stats) -> None:
    assert [stats.heartbeat, stats.heartbeat] == [7, 7]

    writer.set_scalar(HEARTBEAT, 8)

    assert stats.heartbeat == 8


def test_a_writer_stuck_in_its_lock_is_unavailable(writer: SegmentWriter, stats: Stats) -> None:
    writer.words[3] = 1

    with pytest.raises(Unavailable, match="never at rest"):
        stats.read(INDEXES, 5)
    with pytest.raises(Unavailable, match="never at rest"):
        _ = stats.boottime_ns


def test_a_corrupt_segment_is_a_protocol_error(writer: SegmentWriter, stats: Stats) -> None:
    writer.words[4] = 0

    with pytest.raises(ProtocolError, match="directory at address 0x0"):
        stats.read(INDEXES, 5)


def test_a_closed_segment_is_unavailable(stats: Stats) -> None:
    stats.close()
    stats.close()

    with pytest.raises(Unavailable, match="connect again"):
        stats.read(INDEXES, 5)


def test_a_segment_without_boottime_is_a_protocol_error() -> None:
    with closing(SegmentWriter()) as writer, closing(Stats(Segment(writer.fd))) as stats:
        calls: list[Callable[[], object]] = [lambda: stats.read(INDEXES, 5), lambda: stats.boottime_ns]
        for call in calls:
            with pytest.raises(ProtocolError, match=BOOTTIME):
                call()


def test_a_counter_of_another_type_is_a_protocol_error() -> None:
    with closing(SegmentWriter()) as writer, closing(Stats(Segment(writer.fd))) as stats:
        writer.simple(ROUTE_TO, 1)
        with pytest.raises(ProtocolError, match=ROUTE_TO):
            stats.read(INDEXES, 5)


async def test_open_maps_what_the_socket_hands_over(writer: SegmentWriter, path: str, nursery: trio.Nursery) -> None:
    await nursery.start(serve, path, writer)
    before = set(os.listdir("/proc/self/fd"))

    stats = await open_stats(path)
    assert stats.read(INDEXES, 5) == EXPECTED

    stats.close()
    await trio.testing.wait_all_tasks_blocked()  # the server has let go of its side
    assert set(os.listdir("/proc/self/fd")) == before


async def test_nothing_at_the_path_is_unavailable(tmp_path: Path, path: str) -> None:
    with pytest.raises(Unavailable, match=path):
        await open_stats(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left_over:
        left_over.bind(path)
    with pytest.raises(Unavailable, match="is VPP running"):
        await open_stats(path)
    with pytest.raises(Unavailable, match="too long"):
        await open_stats(str(tmp_path / ("x" * 120)))


async def test_the_callers_deadline_ends_waiting_for_a_silent_vpp(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(path)
        silent.listen()
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.01):
            await open_stats(path)


@pytest.mark.parametrize("descriptors", [0, 1, 3])
async def test_what_is_no_segment_is_a_protocol_error_and_no_descriptor_leaks(path: str, descriptors: int) -> None:
    other_end, *pipe = os.open("/dev/null", os.O_RDONLY), *os.pipe()
    given = array.array("i", [other_end, *pipe][:descriptors])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        before = set(os.listdir("/proc/self/fd"))

        def answer() -> None:
            with listener.accept()[0] as client:
                client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)] if given else [])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, answer)
            with pytest.raises(ProtocolError):
                await open_stats(path)

        assert set(os.listdir("/proc/self/fd")) == before
    for fd in (other_end, *pipe):
        os.close(fd)


async def test_a_socket_that_hangs_up_is_a_protocol_error(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: listener.accept()[0].close())
            with pytest.raises(ProtocolError, match="no descriptor"):
                await open_stats(path)


@pytest.mark.vpp
async def test_a_real_vpp_can_be_sampled(real_vpp: Sockets) -> None:
    with trio.fail_after(5):
        stats = await open_stats(real_vpp.stats)
    with closing(stats):
        figures = stats.read(INDEXES, time.time_ns())

        assert 0 < figures.boottime_ns < figures.taken_at_ns
        assert {len(column) for column in figures.vips} == {len(INDEXES.vips)}
