"""What probes that share one epoll owe each other, and what is left of them."""

import errno
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from maglev.core.model import ProbeSpec, TcpSpec
from maglev.probes.connections import BURST, CannotConnect, Connections, _Exchange
from maglev.probes.verdict import Phase, Progress, TooLate
from tests.probes import peers
from tests.probes.peers import OK, peer, says

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def running() -> AsyncIterator[Connections]:
    connections = Connections()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.run)
        yield connections
        assert not connections._exchanges
        nursery.cancel_scope.cancel()


def stream_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


async def test_many_exchanges_at_once_each_hear_their_own_answer() -> None:
    async def echoes(stream: peers.Stream) -> None:
        await stream.send_all(b"you said " + await stream.receive_some(4096))

    heard: dict[int, bytes] = {}
    async with running() as connections, peer(echoes) as port:

        async def one(number: int) -> None:
            with stream_socket() as sock:
                heard[number] = await connections.exchange(sock, ("127.0.0.1", port), b"%d" % number, Progress())

        async with trio.open_nursery() as nursery:
            for number in range(2 * BURST):
                nursery.start_soon(one, number)

    assert heard == {number: b"you said %d" % number for number in range(2 * BURST)}


async def test_without_a_request_the_connection_is_all() -> None:
    async with running() as connections, peer(peers.silent) as port:
        progress = Progress()
        with stream_socket() as sock:
            assert await connections.exchange(sock, ("127.0.0.1", port), None, progress) == b""
            assert sock.getpeername() == ("127.0.0.1", port)
        assert progress.phase is Phase.CONNECT


async def test_a_refusal_and_a_reset_are_told_apart() -> None:
    async with running() as connections:
        with stream_socket() as sock, pytest.raises(CannotConnect, match="refused"):
            await connections.exchange(sock, ("127.0.0.1", peers.closed_port()), REQUEST, Progress())
        async with peer(peers.resets_after(b"")) as port:
            progress = Progress()
            with stream_socket() as sock, pytest.raises(ConnectionResetError):
                await connections.exchange(sock, ("127.0.0.1", port), REQUEST, progress)
            assert progress.phase is Phase.ANSWER


async def test_at_the_deadline_who_waits_is_woken() -> None:
    async with running() as connections, peer(peers.silent) as port:
        progress = Progress()
        with stream_socket() as sock:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(until_too_late, connections, sock, port, progress)
                await trio.testing.wait_all_tasks_blocked(0.01)
                progress.end()


async def test_an_answer_at_the_very_deadline_is_too_late() -> None:
    async with running() as connections, peer(says(OK)) as port:
        progress = Progress()
        progress.is_late = True
        with stream_socket() as sock:
            await until_too_late(connections, sock, port, progress)


async def until_too_late(connections: Connections, sock: socket.socket, port: int, progress: Progress) -> None:
    with pytest.raises(TooLate), trio.fail_after(10):
        await connections.exchange(sock, ("127.0.0.1", port), REQUEST, progress)


async def test_a_cancelled_exchange_is_forgotten_and_its_descriptor_free_for_the_next() -> None:
    async with running() as connections, peer(peers.silent) as silent, peer(says(OK)) as answering:
        for _ in range(3):
            with stream_socket() as sock, trio.move_on_after(0.01):
                await connections.exchange(sock, ("127.0.0.1", silent), REQUEST, Progress())
            with stream_socket() as sock:
                assert await connections.exchange(sock, ("127.0.0.1", answering), REQUEST, Progress()) == OK


async def test_a_request_larger_than_the_buffers_is_sent_whole() -> None:
    large = b"x" * 8 * 1024 * 1024
    received = 0

    async def counts(stream: peers.Stream) -> None:
        nonlocal received
        while received < len(large):
            received += len(await stream.receive_some(1 << 20))
        await stream.send_all(b"all")

    async with running() as connections, peer(counts) as port:
        with stream_socket() as sock, trio.fail_after(30):
            assert await connections.exchange(sock, ("127.0.0.1", port), large, Progress()) == b"all"


async def test_an_answer_counts_though_the_server_closed_before_it_took_the_request() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(OK)
        theirs.close()
        exchange = _Exchange(ours, REQUEST, Progress())
        assert exchange.step(select.EPOLLOUT | select.EPOLLIN | select.EPOLLHUP) == OK
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("spec", [TcpSpec(80, None), peers.get(80), peers.get(80, tls=peers.UNVERIFIED)])
async def test_an_epoll_that_takes_no_more_is_our_fault(spec: ProbeSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def register(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "refused by the test")

    async with peers.prober() as subject:
        epoll = subject._connections._epoll
        monkeypatch.setattr(subject._connections, "_epoll", Full())
        result = await subject.probe(peers.check(spec), peers.LOCALHOST)
        monkeypatch.setattr(subject._connections, "_epoll", epoll)
        assert not subject._connections._exchanges

    assert peers.outcome(result) == (None, "SOCKERR")
    assert result.detail == "cannot watch a socket: No space left on device; raise fs.epoll.max_user_watches"
