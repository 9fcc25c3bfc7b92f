import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from vpp_papi.vpp_stats import VPPStats

from maglev.emulator.segment import SegmentWriter
from maglev.emulator.stats_server import serve
from maglev.errors import Unavailable
from tests.processes import DEADLINE_S


@pytest.fixture
def writer() -> Iterator[SegmentWriter]:
    writer = SegmentWriter(64 << 10)
    writer.set_scalar("/sys/boottime", 1_700_000_000)
    yield writer
    writer.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "stats.sock")


def read_boottime(path: str) -> int:
    reader = VPPStats(path)
    reader.connect()
    try:
        return int(reader["/sys/boottime"])
    finally:
        reader.disconnect()


async def test_vpps_reader_is_handed_the_segment(writer: SegmentWriter, path: str, nursery: trio.Nursery) -> None:
    await nursery.start(serve, path, writer)

    for _ in range(3):
        assert await trio.to_thread.run_sync(read_boottime, path) == 1_700_000_000


async def test_the_message_is_a_descriptor_and_nothing_else(
    writer: SegmentWriter, path: str, nursery: trio.Nursery
) -> None:
    await nursery.start(serve, path, writer)
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        await client.connect(path)
        content, ancillary, _, _ = await client.recvmsg(16, socket.CMSG_SPACE(16))
        [(level, kind, raw)] = ancillary
        fd = int.from_bytes(raw, "little")

        assert (content, level, kind, len(raw)) == (b"", socket.SOL_SOCKET, socket.SCM_RIGHTS, 4)
        assert os.fstat(fd).st_ino == os.fstat(writer.fd).st_ino
        assert await client.recv(16) == b"", "and then it is closed"
        os.close(fd)


async def test_clients_that_say_and_read_nothing_hold_up_nobody(
    writer: SegmentWriter, path: str, nursery: trio.Nursery
) -> None:
    await nursery.start(serve, path, writer)
    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(10)]
    for client in silent:
        client.connect(path)

    with trio.fail_after(DEADLINE_S):
        assert await trio.to_thread.run_sync(read_boottime, path) == 1_700_000_000
    for client in silent:
        client.close()


async def test_a_client_that_is_gone_before_its_turn_does_no_harm(
    writer: SegmentWriter, path: str, nursery: trio.Nursery
) -> None:
    await nursery.start(serve, path, writer)
    for _ in range(5):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(path)

    assert await trio.to_thread.run_sync(read_boottime, path) == 1_700_000_000


async def test_its_socket_goes_when_it_ends(writer: SegmentWriter, path: str) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, path, writer)
        assert await trio.Path(path).is_socket()
        nursery.cancel_scope.cancel()

    assert not await trio.Path(path).exists()


async def test_a_path_in_use_is_refused_and_left_alone(writer: SegmentWriter, path: str) -> None:
    await trio.Path(path).write_text("mine")

    with pytest.raises(Unavailable, match=r"stats\.sock"):
        await serve(path, writer)

    assert await trio.Path(path).read_text() == "mine"


async def test_a_socket_that_took_its_place_is_left_alone(writer: SegmentWriter, path: str) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, path, writer)
        await trio.Path(path).unlink()
        await trio.Path(path).write_text("another's")
        nursery.cancel_scope.cancel()

    assert await trio.Path(path).read_text() == "another's"


async def test_a_path_too_long_for_a_socket_is_told_clearly(writer: SegmentWriter, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="too long"):
        await serve(str(tmp_path / ("x" * 120)), writer)
