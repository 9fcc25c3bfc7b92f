"""Where gRPC listens and who comes in by which door, over real sockets."""

import asyncio
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import _async, reflection_pb2, reflection_pb2_grpc

from maglev.core.level import Level
from maglev.errors import ConfigError
from maglev.rpc import doors, server
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.access import Access
from maglev.rpc.gate import Gate
from maglev.rpc.ports import Caller, Role
from maglev.rpc.server import Limits
from tests.daemon.site import free_port
from tests.rpc import clients, statuses
from tests.rpc.authorities import Folder
from tests.rpc.desk import Desk
from tests.rpc.served import answering, served

OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
PAUSE = pb.BackendRequest(name="web1").SerializeToString()


def refused(addresses: str, access: Access | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        asyncio.run(server.start(addresses, answering(lambda: statuses.FULL), access=access))
    return error.value


def is_served(address: str) -> bool:
    with clients.plain(address) as channel:
        return clients.code(channel, "ListFrontends") is OK


def test_several_addresses_are_served_by_one_server(tmp_path: Path) -> None:
    path, port = tmp_path / "maglev.sock", free_port()
    both = "localhost" if socket.has_dualstack_ipv6() else "127.0.0.1"
    with served(statuses.FULL, f"unix:{path}, {both}:{port},127.0.0.2:{port}"):
        for address in (f"unix:{path}", f"127.0.0.1:{port}", f"127.0.0.2:{port}"):
            assert is_served(address)

    assert not path.exists()


def test_a_name_is_served_at_all_its_addresses_on_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, 1, 6, "", (host, 0)) for host in ("127.0.0.2", "127.0.0.3")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with served(statuses.FULL, "both:0") as address:
        port = address.rpartition(":")[2]
        assert is_served(f"127.0.0.2:{port}")
        assert is_served(f"127.0.0.3:{port}")


def test_all_addresses_are_served_or_none(tmp_path: Path) -> None:
    path, port = tmp_path / "maglev.sock", free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        in_use = f"127.0.0.1:{taken.getsockname()[1]}"
        assert str(refused(f"unix:{path},127.0.0.1:{port},{in_use}")).startswith(f"cannot listen on {in_use}: Address")

    assert not path.exists()
    socket.create_server(("127.0.0.1", port)).close()


def test_what_another_address_covers_is_told_and_no_socket_stays_behind(tmp_path: Path) -> None:
    path, port = tmp_path / "maglev.sock", free_port()
    error = refused(f"unix:{path},:{port},127.0.0.1:{port}", Access(insecure=True))

    assert str(error).startswith(f"cannot listen on 127.0.0.1:{port}; ")
    assert "another address of --grpc-addr covers it" in str(error)
    assert not path.exists()


def test_an_address_named_twice_is_told() -> None:
    assert "cannot listen on 127.0.0.1:1 twice" in str(refused("127.0.0.1:1,127.0.0.1:1"))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_a_unix_socket_is_for_its_group_alone_from_the_first_moment_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "maglev.sock"
    seen: list[int] = []
    chmod = Path.chmod

    def noted(self: Path, mode: int) -> None:
        seen.append(stat.S_IMODE(self.stat().st_mode))
        chmod(self, mode)

    monkeypatch.setattr(Path, "chmod", noted)
    with umask(0), served(statuses.FULL, f"unix:{path}"):
        found = path.stat()
        assert os.umask(0) == 0

    assert seen == [0o660]  # as gRPC bound it
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == os.getegid()
    assert not path.exists()


def test_a_missing_directory_is_made_and_only_one(tmp_path: Path) -> None:
    with umask(0o077), served(statuses.FULL, f"unix:{tmp_path}/maglev/maglevd.sock") as address:
        assert is_served(address)
        assert stat.S_IMODE((tmp_path / "maglev").stat().st_mode) == 0o755

    said = str(refused(f"unix:{tmp_path}/no/maglev/maglevd.sock"))
    assert f"there is no directory {tmp_path}/no/maglev, and making it failed: No such file or directory" in said
    assert "--grpc-addr chooses another" in said


@pytest.mark.parametrize("address", [":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "127.0.0.1:0,:0"])
def test_nothing_beyond_loopback_is_opened_without_a_word(address: str) -> None:
    beyond = address.rpartition(",")[2]
    with pytest.raises(ConfigError, match="is reached from elsewhere") as error:
        doors.vet(address, Access())

    assert str(error.value).startswith(beyond)
    if "192.0.2.1" not in address:  # not ours, so that is told first
        assert "is reached from elsewhere" in str(refused(address))
        with served(statuses.FULL, address, access=Access(insecure=True)) as opened:
            assert is_served(opened)


def test_a_name_counts_by_what_it_resolves_to_when_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ["0.0.0.0"]

    def resolve(*_: object, **__: object) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, 1, 6, "", (host, 0)) for host in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ConfigError, match="name:0 is reached from elsewhere"):
        doors.vet("name:0", Access())
    assert "name:0 is reached from elsewhere" in str(refused("name:0"))
    hosts[:] = ["127.0.0.1"]
    doors.vet("name:0", Access())


def test_a_name_that_is_not_known_yet_is_no_fault_of_the_flags() -> None:
    doors.vet("nosuch.invalid:1", Access())
    assert "cannot listen on nosuch.invalid:1" in str(refused("nosuch.invalid:1"))


def test_an_open_door_is_warned_of() -> None:
    told: list[tuple[Level, str]] = []
    with served(statuses.FULL, ":0", access=Access(insecure=True), tell=lambda *words: told.append(words)):
        pass

    ((level, said),) = told
    assert level is Level.WARNING
    assert "whoever reaches :0 may change everything" in said


def called(address: str, folder: Folder, client: str, desk: Desk) -> Caller:
    """Who maglevd takes somebody for who pauses a backend with TLS."""
    with clients.tls(address, folder, client=client) as channel:
        clients.call(channel, "PauseBackend", PAUSE, says="root")
    return desk.callers.pop()


def test_who_comes_without_a_certificate_is_told_by_the_socket(tmp_path: Path, folder: Folder) -> None:
    desk, unix = Desk(), f"unix:{tmp_path}/maglev.sock"
    with served(statuses.FULL, f"{unix},127.0.0.1:0", commands=desk) as address:
        for place, who, origin in ((unix, "unix socket", "unix"), (address, "this machine", "127.0.0.1:")):
            with clients.plain(place) as channel:
                clients.call(channel, "PauseBackend", PAUSE, says="me")
            caller = desk.callers.pop()
            assert (caller.who, caller.role, caller.says) == (who, Role.OPERATOR, "me")
            assert caller.origin.startswith(origin)

    with served(statuses.FULL, f"{unix},127.0.0.1:0", commands=desk, access=folder.access()) as address:
        with clients.tls(address, folder) as channel:
            clients.call(channel, "PauseBackend", PAUSE)
        assert desk.callers.pop().who == "this machine"
        assert not is_served(address)  # TLS, also on loopback
        assert is_served(unix)  # but not here


@pytest.mark.parametrize(
    ("operators", "who"),
    [
        ("alice", "certificate alice"),
        ("spiffe://example.org/alice", "certificate spiffe://example.org/alice"),
        ("alice@example.org", "certificate alice@example.org"),
        ("*", "certificate alice"),
    ],
)
def test_a_certificate_is_known_by_each_of_its_names(folder: Folder, operators: str, who: str) -> None:
    desk = Desk()
    access = folder.access(ca="ca", operators=[operators])
    with served(statuses.FULL, commands=desk, access=access) as address:
        caller = called(address, folder, "alice", desk)
        assert (caller.who, caller.role) == (who, Role.OPERATOR)
        assert caller.origin.startswith("127.0.0.1:")
        if operators != "*":
            caller = called(address, folder, "bob", desk)  # whom the commands refuse, and put on record
            assert (caller.who, caller.role) == ("certificate bob", Role.VIEWER)


def test_a_certificate_in_no_list_may_not_even_look(folder: Folder) -> None:
    desk = Desk()
    access = folder.access(ca="ca", operators=["alice"], viewers="bob.example.org")
    with served(statuses.FULL, commands=desk, access=access) as address:
        for client, expected in (("alice", OK), ("bob", OK), ("server", DENIED)):
            with clients.tls(address, folder, client=client) as channel:
                for method in ("ListFrontends", "GetVPPInfo"):
                    assert clients.code(channel, method) is expected, (client, method)
        with clients.tls(address, folder, client="server") as channel, pytest.raises(grpc.RpcError) as no:
            clients.call(channel, "ListFrontends")
        assert called(address, folder, "server", desk).role is Role.NOBODY

    assert (no.value.details() or "").startswith("certificate server may not call anything here; ")
    assert [each.key for each in no.value.trailing_metadata()] == ["maglev-refused"]


def test_who_may_nothing_cannot_keep_a_call_by_sending_no_request(folder: Folder) -> None:
    access = folder.access(ca="ca", operators=["alice"], viewers="bob")
    with (
        served(statuses.FULL, access=access, limits=Limits(request_s=3600)) as address,
        clients.tls(address, folder, client="server") as channel,
    ):
        assert clients.code_without_request(channel, "ListFrontends") is DENIED


@pytest.mark.parametrize("method", ["ListFrontends", "PauseBackend", "WatchEvents"])
def test_a_request_that_never_comes_ends_its_call(method: str) -> None:
    with served(statuses.FULL, limits=Limits(request_s=0.1)) as address, clients.plain(address) as channel:
        assert clients.code_without_request(channel, method) is grpc.StatusCode.DEADLINE_EXCEEDED


def test_who_fills_tcp_keeps_nobody_from_the_unix_socket(tmp_path: Path) -> None:
    unix = f"unix:{tmp_path}/maglev.sock"
    limits = Limits(rpcs=2, connections=3)
    with served(statuses.FULL, f"{unix},127.0.0.1:0", limits, Desk()) as address, ExitStack() as held:
        for _ in range(limits.rpcs):
            channel = held.enter_context(clients.plain(address))
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
            held.callback(watch.cancel)
            next(watch)
        last = held.enter_context(clients.plain(address))
        assert clients.code(last, "ListFrontends") is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not is_served(address)  # nor is there room for one more connection
        with clients.plain(unix) as operator:
            assert clients.code(operator, "PauseBackend", PAUSE) is OK


@pytest.mark.parametrize(("client", "expected"), [("bob", OK), ("server", DENIED)])
def test_other_services_are_behind_the_same_gate(folder: Folder, client: str, expected: grpc.StatusCode) -> None:
    access = folder.access(ca="ca", operators=["alice"], viewers="bob")

    async def main() -> list[grpc.StatusCode]:
        aio = grpc.aio.server(interceptors=(Gate(access),))
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), aio)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(_async.ReflectionServicer(["maglev.Maglev"]), aio)
        (port,) = doors.open_all(doors.Servers(aio, aio), "127.0.0.1:0", access, lambda _level, _text: None)
        await aio.start()
        try:
            return await asyncio.to_thread(codes, port)
        finally:
            await aio.stop(None)

    def codes(port: int) -> list[grpc.StatusCode]:
        with clients.tls(f"127.0.0.1:{port}", folder, client=client) as channel:
            check, services = health_pb2.HealthCheckRequest(), reflection_pb2.ServerReflectionRequest(list_services="")
            health_stub = health_pb2_grpc.HealthStub(channel)
            reflection_stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            return [
                ended(lambda: health_stub.Check(check, timeout=10)),
                ended(lambda: next(health_stub.Watch(check, timeout=10))),
                ended(lambda: next(reflection_stub.ServerReflectionInfo(iter([services]), timeout=10))),
            ]

    assert asyncio.run(main()) == [expected] * 3


def ended(call: Callable[[], object]) -> grpc.StatusCode:
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return OK
