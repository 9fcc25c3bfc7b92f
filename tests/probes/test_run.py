"""What holds for every probe, whatever its protocol: one deadline, no exception, no socket left behind."""

import socket
import threading
from collections.abc import Callable

import pytest
import re2
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from maglev.control.ports import Probe
from maglev.core.model import ProbeResult, ProbeSpec, TcpSpec
from tests.probes import peers
from tests.probes.peers import LOCALHOST, OK, UNVERIFIED, check, get, peer, probe, says, says_to_anything

SpecFor = Callable[[int], ProbeSpec]


def tcp(port: int) -> ProbeSpec:
    return TcpSpec(port, None)


def tcp_with_tls(port: int) -> ProbeSpec:
    return TcpSpec(port, UNVERIFIED)


def http(port: int) -> ProbeSpec:
    return get(port)


def http_with_body(port: int) -> ProbeSpec:
    return get(port, body_regexp="x")


def https(port: int) -> ProbeSpec:
    return get(port, tls=UNVERIFIED)


EVERY = [tcp, tcp_with_tls, http, http_with_body, https]
TALKING = EVERY[1:]  # those that wait for a peer that took the connection and is silent


class Opened:
    """Remembers the sockets opened from now on; to be made when the peer listens already."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        peers.make_sockets_with(self.make)

    def make(self, family: int, kind: int, protocol: int) -> socket.socket:
        self.sockets.append(socket.socket(family, kind, protocol))
        return self.sockets[-1]

    @property
    def states(self) -> list[str]:
        return ["closed" if sock.fileno() == -1 else "open" for sock in self.sockets]


async def cancelled_while_waiting(spec: ProbeSpec) -> list[ProbeResult]:
    """Start a probe, cancel it when it waits, and return what it returned."""
    results = []

    async def one() -> None:
        results.append(await probe(check(spec), LOCALHOST))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await wait_all_tasks_blocked(0.02)
        nursery.cancel_scope.cancel()
    return results


def test_the_probe_has_the_shape_that_the_loops_ask_for() -> None:
    fits: Probe = probe

    assert fits is probe


@pytest.mark.parametrize("spec_for", EVERY)
@pytest.mark.parametrize(
    "handler", [peers.closes, peers.resets_at_once, says_to_anything(OK), says_to_anything(b"\0" * 100)]
)
async def test_a_finished_probe_leaves_no_socket(spec_for: SpecFor, handler: peers.Handler) -> None:
    async with peer(handler) as port:
        opened = Opened()
        await probe(check(spec_for(port)), LOCALHOST)

    assert opened.states == ["closed"]


@pytest.mark.parametrize("spec_for", EVERY)
async def test_a_refused_probe_leaves_no_socket(spec_for: SpecFor) -> None:
    opened = Opened()
    result = await probe(check(spec_for(peers.closed_port())), LOCALHOST)

    assert result.code == "L4CON"
    assert opened.states == ["closed"]


@pytest.mark.parametrize("spec_for", TALKING)
async def test_a_deadline_leaves_no_socket(spec_for: SpecFor, patient_clock: MockClock) -> None:
    async with peer(peers.silent) as port:
        opened = Opened()
        result = await probe(check(spec_for(port), timeout_s=2), LOCALHOST)

    assert result.code in {"L6TOUT", "L7TOUT"}
    assert result.duration_s == pytest.approx(2)
    assert opened.states == ["closed"]
    assert patient_clock.current_time() >= 2


@pytest.mark.parametrize("spec_for", EVERY)
async def test_a_deadline_while_connecting_leaves_no_socket(spec_for: SpecFor, patient_clock: MockClock) -> None:
    with peers.deaf_port() as port:
        opened = Opened()
        result = await probe(check(spec_for(port), timeout_s=2), LOCALHOST)

    assert result.code == "L4TOUT"
    assert opened.states == ["closed"]
    assert patient_clock.current_time() >= 2


@pytest.mark.parametrize("spec_for", TALKING)
async def test_a_cancelled_probe_returns_nothing_and_leaves_no_socket(spec_for: SpecFor) -> None:
    async with peer(peers.silent) as port:
        opened = Opened()
        results = await cancelled_while_waiting(spec_for(port))

    assert results == []
    assert opened.states == ["closed"]


@pytest.mark.parametrize("spec_for", EVERY)
async def test_a_probe_cancelled_while_connecting_returns_nothing_and_leaves_no_socket(spec_for: SpecFor) -> None:
    with peers.deaf_port() as port:
        opened = Opened()
        results = await cancelled_while_waiting(spec_for(port))

    assert results == []
    assert opened.states == ["closed"]


async def test_the_deadline_covers_the_whole_probe_not_each_step(patient_clock: MockClock) -> None:
    async def answers_late(stream: peers.Stream) -> None:
        await peers.head_of_request(stream)
        for line in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n", b"\r\n"):
            await trio.sleep(0.9)
            await stream.send_all(line)

    async with peer(answers_late) as port:
        result = await probe(check(get(port), timeout_s=2), LOCALHOST)

    assert result.code == "L7TOUT"
    assert result.duration_s == pytest.approx(2)
    assert patient_clock.current_time() >= 2


async def test_a_mistake_of_ours_is_no_result() -> None:
    async with peer(says(OK)) as port:
        opened = Opened()
        with pytest.raises(re2.error, match=r"missing \)"):
            await probe(check(get(port, body_regexp="(")), LOCALHOST)

    assert opened.states == ["closed"]


@pytest.mark.parametrize(
    ("answer", "expected"), [(OK, (True, "L7OK")), (OK[:20], (False, "L7TOUT"))], ids=["whole", "begun"]
)
async def test_an_answer_that_waits_for_us_at_the_deadline_counts_if_it_is_whole(
    answer: bytes, expected: tuple[bool, str], autojump_clock: MockClock
) -> None:
    """We stood still, as with SIGSTOP, while the answer came: the alarm rings before anybody has read it."""
    asked, may_answer, answered = (threading.Event() for _ in range(3))

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(4096)
            asked.set()
            may_answer.wait(30)
            connection.sendall(answer)
            answered.set()
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        async with peers.prober() as subject, trio.open_nursery() as nursery:
            results: list[ProbeResult] = []

            async def ask() -> None:
                results.append(await subject.probe(check(get(listener.getsockname()[1]), 5), LOCALHOST))

            nursery.start_soon(ask)
            while not asked.is_set():
                await trio.lowlevel.checkpoint()
            may_answer.set()
            assert answered.wait(30)
            autojump_clock.jump(60)
        server.join()

    assert peers.outcome(results[0]) == expected


async def test_a_connection_that_stands_at_the_deadline_counts(autojump_clock: MockClock) -> None:
    async with peer(peers.silent) as port, peers.prober() as subject:
        for _ in range(20):  # whether the alarm or the connection is seen first is a matter of chance
            results: list[ProbeResult] = []

            async def ask(results: list[ProbeResult] = results) -> None:
                results.append(await subject.probe(check(tcp(port), 5), LOCALHOST))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.lowlevel.checkpoint()
                autojump_clock.jump(60)
            assert results[0].passed
