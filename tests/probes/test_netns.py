"""Probes from within a network namespace: the one that is named, each time, and never from anywhere else."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import trio

from maglev.core.model import IcmpSpec, TcpSpec
from maglev.errors import Incapable
from maglev.probes import Prober, netns
from tests.probes import peers
from tests.probes.peers import LOCALHOST, OK, check, get, outcome, peer, probe, prober, says
from tests.probes.spaces import ip, namespace, needs_root, run_inside

OURS = (None, "SOCKERR")
HERE = Path("/proc/thread-self/ns/net")
HOME = HERE.stat().st_ino


@pytest.fixture
def blue() -> Iterator[str]:
    with namespace() as name:
        yield name
        assert HERE.stat().st_ino == HOME


@contextmanager
def listening_inside(name: str) -> Iterator[int]:
    """A port that is open inside the namespace alone; it answers nothing."""
    made: list[socket.socket] = []
    run_inside(name, lambda: made.append(socket.create_server((str(LOCALHOST), 0))))
    with made[0] as server:
        yield server.getsockname()[1]


@needs_root
async def test_a_port_inside_is_open_from_inside_only(blue: str) -> None:
    with listening_inside(blue) as port:
        assert outcome(await probe(check(TcpSpec(port, None)), LOCALHOST, blue)) == (True, "L4OK")
        assert outcome(await probe(check(TcpSpec(port, None)), LOCALHOST)) == (False, "L4CON")


@needs_root
async def test_a_port_outside_is_closed_from_inside(blue: str) -> None:
    async with peer(says(OK)) as port:
        assert outcome(await probe(check(get(port)), LOCALHOST, blue)) == (False, "L4CON")
        assert outcome(await probe(check(get(port)), LOCALHOST)) == (True, "L7OK")


@needs_root
async def test_a_source_address_is_one_of_the_namespace(blue: str) -> None:
    ip("-n", blue, "address", "add", "192.0.2.7/32", "dev", "lo")
    source = IPv4Address("192.0.2.7")
    with listening_inside(blue) as port:
        assert outcome(await probe(check(TcpSpec(port, None), ipv4_source=source), LOCALHOST, blue)) == (True, "L4OK")
    assert outcome(await probe(check(TcpSpec(80, None), ipv4_source=source), LOCALHOST)) == OURS


@needs_root
async def test_an_echo_goes_to_a_host_that_only_the_namespace_has(blue: str) -> None:
    ip("-n", blue, "address", "add", "192.0.2.7/32", "dev", "lo")
    assert outcome(await probe(check(IcmpSpec()), IPv4Address("192.0.2.7"), blue)) == (True, "L4OK")


@needs_root
async def test_without_an_interface_that_is_up_an_echo_is_no_connection(blue: str) -> None:
    ip("-n", blue, "link", "set", "lo", "down")
    result = await probe(check(IcmpSpec()), IPv4Address("192.0.2.7"), blue)

    assert outcome(result) == (False, "L4CON")
    assert "unreachable" in result.detail


@pytest.mark.parametrize("spec", [TcpSpec(80, None), get(80), IcmpSpec()])
async def test_a_namespace_that_is_not_there_is_our_fault_and_is_named(spec: TcpSpec | IcmpSpec) -> None:
    result = await probe(check(spec), LOCALHOST, "maglev-no-such")

    assert outcome(result) == OURS
    assert result.detail == (
        "cannot enter network namespace maglev-no-such: No such file or directory; `ip netns list` shows what there is"
    )


@needs_root
async def test_a_namespace_made_anew_is_the_one_that_is_asked_also_by_sockets_kept_open() -> None:
    target = IPv4Address("192.0.2.7")
    async with prober("maglev-test-anew") as subject:
        with namespace("maglev-test-anew") as name:
            ip("-n", name, "address", "add", f"{target}/32", "dev", "lo")
            assert outcome(await subject.probe(check(IcmpSpec()), target)) == (True, "L4OK")
        assert outcome(await subject.probe(check(IcmpSpec()), target)) == OURS
        with namespace("maglev-test-anew"):
            assert outcome(await subject.probe(check(IcmpSpec()), target)) == (False, "L4CON")
            ip("-n", name, "address", "add", f"{target}/32", "dev", "lo")
            assert outcome(await subject.probe(check(IcmpSpec()), target)) == (True, "L4OK")


@needs_root
async def test_a_prober_moves_to_another_namespace_and_back(blue: str) -> None:
    ip("-n", blue, "address", "add", "192.0.2.7/32", "dev", "lo")
    async with prober() as subject, peer(says(OK)) as port:
        for space, passes in ((blue, False), (None, True)):
            subject.move_to(space)
            assert (await subject.probe(check(get(port)), LOCALHOST)).passed is passes
        subject.move_to(blue)
        assert (await subject.probe(check(IcmpSpec()), IPv4Address("192.0.2.7"))).passed


async def test_without_the_right_to_enter_it_the_operator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(netns, "FOLDER", Path("/proc/self/ns"))
    monkeypatch.setattr(netns, "_enter", refuse)
    result = await probe(check(TcpSpec(80, None)), LOCALHOST, "net")

    assert outcome(result) == OURS
    assert result.detail.endswith("Operation not permitted; maglevd needs CAP_SYS_ADMIN to enter it")


async def test_who_cannot_come_back_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = iter([None, errno.EPERM])

    def none_left(family: int, kind: int, protocol: int) -> socket.socket:
        raise OSError(errno.EMFILE, "refused by the test")

    def enter(_: int) -> None:
        if number := next(ways):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(netns, "FOLDER", Path("/proc/self/ns"))
    monkeypatch.setattr(netns, "_enter", enter)
    peers.make_sockets_with(none_left)
    with pytest.raises(Incapable, match="cannot leave network namespace"):
        await probe(check(TcpSpec(80, None)), LOCALHOST, "net")


@needs_root
async def test_many_probes_at_once_inside_and_outside_do_not_mix(blue: str) -> None:
    """The thread is inside for the opening of a socket only, whoever else wants its turn."""
    with listening_inside(blue) as inside_port:
        async with peer(peers.silent) as outside_port, prober(blue) as blue_prober, prober() as home_prober:
            wrong: list[str] = []

            async def ask(subject: Prober, port: int) -> None:
                for _ in range(20):
                    result = await subject.probe(check(TcpSpec(port, None)), LOCALHOST)
                    if not result.passed:
                        wrong.append(result.detail)

            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(ask, blue_prober, inside_port)
                    nursery.start_soon(ask, home_prober, outside_port)

    assert wrong == []
