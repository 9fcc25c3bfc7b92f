import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from maglev.core.status import FrontendStatus
from maglev.errors import ConfigError
from maglev.rpc import questions, server
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.access import Access
from maglev.rpc.server import Limits
from tests.processes import until
from tests.rpc import statuses
from tests.rpc.desk import Desk
from tests.rpc.served import answering, served
from tests.rpc.strangers import GREETING, call_headers

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
METHODS = {
    name: method
    for name, method in pb.DESCRIPTOR.services_by_name["Maglev"].methods_by_name.items()
    if not method.server_streaming  # tests/rpc/test_watch.py
}


def call(channel: grpc.Channel, method: str, request: bytes = b"") -> bytes:
    rpc = channel.unary_unary(f"/maglev.Maglev/{method}", request_serializer=bytes, response_deserializer=bytes)
    return rpc(request, timeout=10)


async def backends_at(address: str) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        rpc = channel.unary_unary("/maglev.Maglev/ListBackends", request_serializer=bytes, response_deserializer=bytes)
        return len(pb.ListBackendsResponse.FromString(await rpc(b"")).backends)


@pytest.fixture(scope="module")
def full() -> Iterator[grpc.Channel]:
    with served(statuses.FULL, commands=Desk()) as address, grpc.insecure_channel(address) as channel:
        yield channel


@pytest.fixture(scope="module")
def without_vpp() -> Iterator[grpc.Channel]:
    with served(statuses.NO_VPP) as address, grpc.insecure_channel(address) as channel:
        yield channel


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_of_the_api_is_served(full: grpc.Channel, method: str) -> None:
    requests: dict[str, Message] = {
        "GetFrontend": pb.GetFrontendRequest(name="web"),
        "GetHealthCheck": pb.GetHealthCheckRequest(name="http-check"),
        "SetFrontendPoolBackendWeight": pb.SetWeightRequest(frontend="web", pool="primary", backend="web1"),
    }
    if method.endswith("Backend"):
        requests[method] = pb.BackendRequest(name="web1")
    request = requests[method].SerializeToString() if method in requests else b""

    assert call(full, method, request)


def test_an_answer_is_the_message_of_the_api(full: grpc.Channel) -> None:
    answer = call(full, "GetBackend", pb.GetBackendRequest(name="web1").SerializeToString())

    assert pb.BackendInfo.FromString(answer) == questions.get_backend(statuses.FULL, pb.GetBackendRequest(name="web1"))


def test_an_unknown_name_is_not_found_and_marked_as_our_own_word(full: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(full, "GetFrontend", pb.GetFrontendRequest(name="wob").SerializeToString())

    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert failed.value.details() == "there is no frontend called 'wob'; the nearest is 'web'"
    assert [each.key for each in failed.value.trailing_metadata()] == ["maglev-refused"]


@pytest.mark.parametrize("method", ["GetVPPInfo", "GetVPPLBState", "GetVPPLBCounters", "GetVPPLBPlan"])
def test_vpp_calls_without_vpp_are_unavailable(without_vpp: grpc.Channel, method: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(without_vpp, method)

    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "no VPP is connected" in (failed.value.details() or "")
    assert [each.key for each in failed.value.trailing_metadata()] == ["maglev-refused"]


class Looked(dict[str, FrontendStatus]):
    """Knows how many look through it at once."""

    now = most = 0

    def values(self) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        yield from super().values()
        self.now -= 1


def test_plans_are_made_one_after_the_other_and_each_caller_gets_the_whole() -> None:
    many = Looked({str(number): statuses.HEALTH.frontends["net"] for number in range(20_000)})
    status = replace(statuses.FULL, health=replace(statuses.HEALTH, frontends=many))

    async def ask(address: str) -> list[bytes]:
        async with grpc.aio.insecure_channel(address) as channel:
            rpc = channel.unary_unary(
                "/maglev.Maglev/GetVPPLBPlan", request_serializer=bytes, response_deserializer=bytes
            )
            return list(await asyncio.gather(*(rpc(b"") for _ in range(5))))

    with served(status) as address:
        answers = asyncio.run(ask(address))

    assert many.most == 1
    assert len({len(pb.VPPLBPlan.FromString(each).operations) for each in answers}) == 1


class Endless(dict[str, FrontendStatus]):
    """Never looked through; knows when those who tried have given up."""

    def __init__(self) -> None:
        super().__init__(statuses.HEALTH.frontends)
        self.given_up = threading.Event()

    def values(self) -> Any:
        try:
            while True:
                yield from super().values()
        finally:
            self.given_up.set()


def test_a_plan_whose_caller_has_gone_is_given_up_and_so_is_the_wait_for_it() -> None:
    endless = Endless()
    status = replace(statuses.FULL, health=replace(statuses.HEALTH, frontends=endless))

    async def ask(address: str) -> list[Any]:
        async with grpc.aio.insecure_channel(address) as channel:
            rpc = channel.unary_unary(
                "/maglev.Maglev/GetVPPLBPlan", request_serializer=bytes, response_deserializer=bytes
            )
            return await asyncio.gather(*(rpc(b"", timeout=0.2) for _ in range(3)), return_exceptions=True)

    with served(status) as address:
        codes = [each.code() for each in asyncio.run(ask(address))]
        assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * 3
        assert endless.given_up.wait(10)


def test_health_is_served_without_vpp(without_vpp: grpc.Channel) -> None:
    assert len(pb.ListBackendsResponse.FromString(call(without_vpp, "ListBackends")).backends) == 5


def test_a_method_that_does_not_exist_is_unimplemented(full: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(full, "MakeCoffee")

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "method",
    [
        "/maglev.Maglev/GetFrontend",
        "/maglev.Maglev/PauseBackend",
        "/maglev.Maglev/WatchEvents",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
def test_a_request_that_is_no_protobuf_ends_that_call_only(
    full: grpc.Channel, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    rpc = full.stream_stream(method, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as failed:
        next(rpc(iter([b"\xff\xff\xff"]), timeout=10))

    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (failed.value.details() or "").startswith("the request is no message of this RPC; ")
    assert [each.key for each in failed.value.trailing_metadata()] == ["maglev-refused"]
    assert not caplog.records
    assert call(full, "ListFrontends")


def test_a_call_without_a_request_is_told(full: grpc.Channel) -> None:
    rpc = full.stream_unary("/maglev.Maglev/ListFrontends", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as failed:
        rpc(iter([]), timeout=10)

    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_oversized_request_is_refused(full: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(full, "GetFrontend", pb.GetFrontendRequest(name="x" * 100_000).SerializeToString())

    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_status_is_taken_anew_for_each_call() -> None:
    async def main() -> list[int]:
        newest = [statuses.EMPTY]
        running = await server.start("127.0.0.1:0", answering(lambda: newest[0]))
        before = await backends_at(f"127.0.0.1:{running.port}")
        newest[0] = statuses.FULL
        after = await backends_at(f"127.0.0.1:{running.port}")
        await running.stop(0.0)
        return [before, after]

    assert asyncio.run(main()) == [0, 5]


def test_a_unix_socket_is_served_and_a_dead_one_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "maglev.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with served(statuses.FULL, f"unix:{path}") as address, grpc.insecure_channel(address) as channel:
        assert call(channel, "ListFrontends")


def test_a_live_unix_socket_is_not_taken_away(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/maglev.sock"

    with served(statuses.FULL, address), grpc.insecure_channel(address) as channel:
        with pytest.raises(ConfigError, match="Address already in use; another program listens there"):
            asyncio.run(server.start(address, answering(lambda: statuses.EMPTY)))
        assert pb.ListBackendsResponse.FromString(call(channel, "ListBackends")).backends


def test_all_interfaces_are_served_on_both_families() -> None:
    async def main() -> None:
        running = await server.start(":0", answering(lambda: statuses.FULL), access=Access(insecure=True))
        for host in ("127.0.0.1", "[::1]") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            assert await backends_at(f"{host}:{running.port}") == 5
        await running.stop(0.0)

    asyncio.run(main())


@pytest.mark.parametrize("second", ["127.0.0.1:{}", ":{}", "localhost:{}"])
def test_a_second_server_on_the_port_is_refused_in_one_clear_line(
    second: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(statuses.FULL) as address:
        port = address.rpartition(":")[2]
        with pytest.raises(ConfigError) as refused:
            asyncio.run(server.start(second.format(port), answering(lambda: statuses.FULL)))

    said = str(refused.value)
    assert said.startswith(f"cannot listen on {second.format(port)}: Address already in use")
    assert "stop it or choose another address" in said
    assert "\n" not in said
    assert capfd.readouterr() == ("", "")  # gRPC's C core did not speak as well


@pytest.mark.parametrize(
    "address", ["", "9090", "localhost", "127.0.0.1:99999", "nosuch.invalid:1", "unix:", "1.2.3.4:1"]
)
def test_a_bad_address_is_refused(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="cannot listen on"):
        asyncio.run(server.start(address, answering(lambda: statuses.FULL)))

    assert capfd.readouterr() == ("", "")


def test_a_port_taken_between_the_check_and_the_bind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maglev.listen.usable", lambda address: [address])
    with served(statuses.FULL) as address, pytest.raises(ConfigError, match="another program may just have taken it"):
        asyncio.run(server.start(address, answering(lambda: statuses.FULL)))


def stranger(address: str, says: bytes) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(says)
    return connection


def is_let_in(connection: socket.socket) -> bool:
    """Whether the server speaks HTTP/2 to it rather than hang up."""
    try:
        return connection.recv(1) != b""
    except ConnectionResetError:
        return False


def until_closed(connection: socket.socket) -> None:
    with connection, contextlib.suppress(ConnectionResetError):
        while connection.recv(4096):  # bounded by the socket's timeout
            pass


def test_connections_are_bounded_and_room_comes_back() -> None:
    with served(statuses.FULL, limits=Limits(connections=3)) as address:
        inside = [stranger(address, GREETING) for _ in range(3)]
        assert [is_let_in(each) for each in inside] == [True] * 3
        with stranger(address, GREETING) as surplus:
            assert not is_let_in(surplus)
        for each in inside:
            each.close()

        def is_room() -> bool:
            with stranger(address, GREETING) as connection:
                return is_let_in(connection)

        until(is_room, lambda: "gRPC to notice that three have left")


@pytest.mark.parametrize(
    ("says", "limits"),
    [
        (GREETING, Limits(idle_s=0.2)),
        (GREETING + call_headers("/maglev.Maglev/ListBackends"), Limits(ping_s=0.2, pong_s=0.2)),
        (b"", Limits(handshake_s=0.2)),
    ],
    ids=["idle", "a call that never ends, of a peer that is gone", "silent"],
)
def test_a_connection_that_does_nothing_is_closed(says: bytes, limits: Limits) -> None:
    with served(statuses.FULL, limits=limits) as address:
        until_closed(stranger(address, says))


@pytest.mark.parametrize(("descriptors", "connections"), [(1024, 128), (1_048_576, 1280), (2, 1)])
def test_connections_leave_descriptors_for_probes(descriptors: int, connections: int) -> None:
    options = dict(server._options(Limits().within(descriptors)))

    assert options["grpc.max_allowed_incoming_connections"] == connections


def test_nothing_is_left_open_after_stop() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def once() -> None:
        with served(statuses.FULL) as address, grpc.insecure_channel(address) as channel:
            call(channel, "ListFrontends")

    once()  # gRPC opens some of its own, once
    before = descriptors()
    for _ in range(3):
        once()
    # gRPC's own threads close them a moment after stop() has returned.
    until(lambda: descriptors() <= before + 1, lambda: "gRPC to close its descriptors")


async def to_the_end(call: "grpc.aio.StreamStreamCall[Any, Any]") -> tuple[Any, grpc.aio.AioRpcError]:
    """The last answer, and how it ends then."""
    last = None
    while True:
        try:
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            return last, error
        assert answer is not grpc.aio.EOF
        last = answer


def test_who_is_just_being_told_something_else_is_told_of_a_stop_too() -> None:
    """Nobody goes home with the last word that all is well."""
    status = [replace(statuses.FULL, vpp=None)]

    async def main() -> None:
        running = await server.start("127.0.0.1:0", answering(lambda: status[0]))
        async with asyncio.timeout(20), grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch
            calls = [watch(health_pb2.HealthCheckRequest(service="vpp")) for _ in range(8)]
            assert {(await call.read()).status for call in calls} == {NOT_SERVING}
            status[0] = statuses.FULL
            running.health.look()
            await asyncio.sleep(0)  # they are being written to
            await running.stop(3600)
            for call in calls:
                last, _ = await to_the_end(call)
                assert last.status == NOT_SERVING

    asyncio.run(main())


def test_who_watches_is_told_of_a_stop_and_holds_nobody_up() -> None:
    watch = ("/maglev.Maglev/WatchEvents", "/grpc.health.v1.Health/Watch")
    reflect = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    list_services = b"\x3a\x00"

    async def main() -> None:
        running = await server.start("127.0.0.1:0", answering(lambda: statuses.FULL))
        async with asyncio.timeout(20), grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            calls = {}
            for method, request in (*((each, b"") for each in watch), (reflect, list_services)):
                rpc = channel.stream_stream(method, request_serializer=bytes, response_deserializer=bytes)
                calls[method] = rpc()
                await calls[method].write(request)
                if method in watch:
                    await calls[method].done_writing()
                assert await calls[method].read()
            await running.stop(3600)
            last = {}
            for method, call in calls.items():
                last[method], ended = await to_the_end(call)
                assert (ended.code(), ended.details()) == (grpc.StatusCode.UNAVAILABLE, "maglevd stops")
            assert health_pb2.HealthCheckResponse.FromString(last[watch[1]]).status == NOT_SERVING

    asyncio.run(main())
