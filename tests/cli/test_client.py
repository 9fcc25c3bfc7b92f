import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from maglev.cli import client as cli
from maglev.cli.client import Client
from maglev.core.health import Order
from maglev.core.status import BackendStatus
from maglev.errors import ConfigError, Forbidden, MaglevError, Refused, Unavailable
from maglev.rpc import server
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.ports import Caller, Faults
from tests.daemon.site import free_port
from tests.rpc import statuses
from tests.rpc.desk import Desk
from tests.rpc.served import served


def test_answers_are_the_servers() -> None:
    with served(statuses.FULL) as address, Client(address, 10.0) as client:
        assert [each.name for each in client.frontends()] == ["web", "shop", "net", "six"]
        assert client.frontend("shop").port == 443
        assert len(client.backends()) == 5
        assert client.backend("web1").counter == 4
        assert [each.name for each in client.health_checks()] == ["http-check"]
        assert client.health_check("http-check").path == "/healthz"
        assert client.vpp_info().pid == 4711
        assert len(client.lb_state().vips) == 4
        assert len(client.lb_counters().backends) == 5


def test_names_for_completion_are_those_of_the_server() -> None:
    with served(statuses.FULL) as address, Client(address, 10.0) as client:
        assert client.frontend_names() == ["web", "shop", "net", "six"]
        assert client.backend_names() == ["web2", "web1", "spare", "spare-alias", "six"]


@pytest.mark.parametrize(
    ("word", "order"),
    [("pause", Order.PAUSE), ("resume", Order.RESUME), ("enable", Order.ENABLE), ("disable", Order.DISABLE)],
)
def test_orders_reach_the_commands(word: str, order: Order) -> None:
    desk = Desk()
    with served(statuses.FULL, commands=desk) as address, Client(address, 10.0) as client:
        assert client.order(word, "web1").state == "paused"

    assert desk.told == [("web1", order)]


def test_changes_reach_the_commands_and_their_answers_us() -> None:
    desk = Desk(faults=Faults(False, "line 3: no"))
    with served(statuses.FULL, commands=desk) as address, Client(address, 10.0) as client:
        assert client.set_weight("web", "primary", "web1", 0, flush=True).name == "web"
        assert client.set_weight("web", "primary", "web1", 5).name == "web"
        assert client.sync().operations == 3
        assert client.sync("web").refused_vips == 1
        assert client.check_config().semantic_error == "line 3: no"
        assert not client.reload_config().ok

    assert desk.told == [
        ("web", "primary", "web1", 0, True),
        ("web", "primary", "web1", 5, False),
        ("sync", ""),
        ("sync", "web"),
        ("check",),
        ("reload",),
    ]


def test_what_the_server_refuses_is_told_apart_from_no_server() -> None:
    with served(statuses.NO_VPP) as address, Client(address, 10.0) as client:
        with pytest.raises(Refused, match="there is no backend called 'x'"):
            client.backend("x")
        with pytest.raises(Refused, match="no VPP is connected"):
            client.vpp_info()

    with (
        Client(address, 10.0) as client,
        pytest.raises(Unavailable, match=f"no maglevd answers at {address}: Connection refused; .*--server"),
    ):
        client.vpp_info()


@pytest.mark.parametrize("error", [Forbidden("not you"), Unavailable("the sync is not done after 60 s")])
def test_a_no_to_an_order_is_a_refusal(error: MaglevError) -> None:
    with served(statuses.FULL, commands=Desk(failure=error)) as address, Client(address, 10.0) as client:
        with pytest.raises(Refused, match=str(error)):
            client.sync()
        assert client.backends()


def said_by(address: str, timeout_s: float = 10.0) -> str:
    with Client(address, timeout_s) as client, pytest.raises(Unavailable) as error:
        client.frontends()
    return str(error.value)


def test_nobody_at_a_unix_socket_or_under_a_name_is_told(tmp_path: Path) -> None:
    assert said_by(f"unix:{tmp_path}/none").startswith(
        f"no maglevd answers at unix:{tmp_path}/none: No such file or directory; "
    )
    assert said_by("nosuch.invalid:1").startswith("no maglevd answers at nosuch.invalid:1: ")


def test_a_server_that_is_silent_is_given_up_and_the_call_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        said = said_by(address, 0.2)
        with Client(address, 10.0) as client, pytest.raises(Unavailable) as order:
            client.order("pause", "web1", timeout_s=0.3)

    assert said.startswith(f"no answer to ListFrontends from {address} within 0.2 s; --timeout gives it more time")
    assert str(order.value).startswith(f"no answer to PauseBackend from {address} within 0.3 s; ")
    assert "may have been carried out all the same" in str(order.value)


@contextlib.contextmanager
def answering(greeting: bytes) -> Iterator[str]:
    """Says the same to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the end of the test
                while True:
                    caller, _ = listening.accept()
                    with caller, contextlib.suppress(OSError):
                        caller.recv(1000)
                        caller.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_another_kind_of_server_is_told() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert said_by(address).startswith(f"no maglevd answers at {address}: who answers there speaks no gRPC; ")


class Old(grpc.GenericRpcHandler):
    """A maglevd of before, which knows one RPC."""

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        if details.method != "/maglev.Maglev/ListFrontends":
            return None
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")


def test_an_older_server_is_told_by_what_it_does_not_know() -> None:
    old = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Old()])
    address = f"127.0.0.1:{old.add_insecure_port('127.0.0.1:0')}"
    old.start()
    try:
        with Client(address, 10.0) as client:
            assert client.frontends() == []
            for call in (client.version, client.lb_plan):
                with pytest.raises(Refused, match=f"this maglevd is older than maglevc: {address} does not know Get"):
                    call()
            with pytest.raises(Refused, match="does not know WatchEvents"):
                next(client.watch(pb.WatchRequest()))
    finally:
        old.stop(None).wait(10)


def test_no_room_is_told() -> None:
    limits = server.Limits(rpcs=1)
    with (
        served(statuses.FULL, limits=limits) as address,
        Client(address, 10.0) as client,
        client.watch(pb.WatchRequest()) as watch,
    ):
        next(watch)
        with pytest.raises(Refused, match=r"has no room for ListBackends.*try again later"):
            client.backends()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_first_call_after_a_restart_of_the_server_is_answered(kind: str, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/maglev.sock" if kind == "unix" else f"127.0.0.1:{free_port()}"
    with Client(address, 10.0) as client:
        for _ in range(3):
            with served(statuses.FULL, address):
                assert client.backends()
            with served(statuses.EMPTY, address):  # which nobody noticed
                assert not client.backends()
            for _ in range(3):  # and now it is noticed
                with pytest.raises(Unavailable):
                    client.backends()


def test_a_watch_has_each_event_of_a_batch_for_itself() -> None:
    with served(statuses.FULL) as address, Client(address, 10.0) as client:
        with client.watch(pb.WatchRequest(log=False)) as watch:
            seen = [next(watch) for _ in range(9)]
        assert list(watch) == []

    assert [each.WhichOneof("event") for each in seen] == ["backend"] * 5 + ["frontend"] * 4
    assert seen[0].backend.backend == "web2"


class Noted:
    """A call that notes how often it was waited for; `waiting` is set while it is."""

    def __init__(self, call: "Iterator[pb.Event]", cancel: Callable[[], object]) -> None:
        self._call = call
        self.cancel = cancel
        self.count = 0
        self.waiting = threading.Event()

    def __next__(self) -> pb.Event:
        self.count += 1
        self.waiting.set()
        return next(self._call)


def test_a_watch_asks_for_batches_and_ends_when_another_thread_cancels_it() -> None:
    with served(statuses.FULL) as address, Client(address, 10.0) as client, futures.ThreadPoolExecutor(1) as reading:
        watch = client.watch(pb.WatchRequest(log=False))
        noted = watch._call = Noted(watch._call, watch._call.cancel)
        for _ in range(9):
            next(watch)
        assert noted.count < 9
        noted.waiting.clear()
        rest = reading.submit(list, watch)
        assert noted.waiting.wait(10)  # there is no tenth to come
        watch.cancel()
        assert rest.result(10) == []
        assert client.backends()


def test_a_watch_says_when_the_server_stops() -> None:
    with contextlib.ExitStack() as running, futures.ThreadPoolExecutor(1) as reading:
        address = running.enter_context(served(statuses.FULL))
        with Client(address, 10.0) as client:
            watch = client.watch(pb.WatchRequest(log=False))
            next(watch)
            rest = reading.submit(list, watch)
            running.close()
            with pytest.raises(Unavailable, match=f"no more events from {address}: maglevd stops; watch again"):
                rest.result(10)


def test_a_watch_without_a_server_is_told_at_once(tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/none", 10.0) as client, pytest.raises(Unavailable, match="no maglevd answers"):
        client.watch(pb.WatchRequest())


def test_a_watch_of_what_the_server_refuses_is_a_refusal() -> None:
    with served(statuses.FULL) as address, Client(address, 10.0) as client, pytest.raises(Refused, match="loud"):
        next(client.watch(pb.WatchRequest(log_level="loud")))


class Line:
    """A connection between client and server that can go dead: nothing comes through, nobody hangs up."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._server = socket.create_connection((host, int(port)))
        self._dead = threading.Event()
        self._threads = [threading.Thread(target=self._up)]
        self._threads[0].start()

    def _up(self) -> None:
        self._client, _ = self._listening.accept()
        down = threading.Thread(target=self._pass, args=(self._server, self._client))
        self._threads.append(down)
        down.start()
        self._pass(self._client, self._server)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                if not self._dead.is_set():
                    target.sendall(content)

    def die(self) -> None:
        self._dead.set()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """Everybody notices."""
        for each in (self._listening, self._server, self._client):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)


class Slow(Desk):
    """Takes an order, and never gets it done."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = threading.Event()

    async def order(self, backend: str, order: Order, caller: Caller) -> BackendStatus:
        self.has_begun.set()
        done: asyncio.Future[BackendStatus] = asyncio.get_running_loop().create_future()
        return await done


def test_an_order_whose_connection_breaks_may_have_been_carried_out() -> None:
    desk = Slow()
    with (
        served(statuses.FULL, commands=desk) as address,
        futures.ThreadPoolExecutor(1) as asking,
        Line(address) as line,
        Client(line.address, 10.0) as client,
    ):
        answer = asking.submit(client.order, "pause", "web1")
        assert desk.has_begun.wait(10)
        line.cut()
        with pytest.raises(Unavailable, match="has gone before it answered PauseBackend; it may have been carried"):
            answer.result(10)


def test_a_watch_notices_that_its_network_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_KEEPALIVE_MS", 200)
    monkeypatch.setattr(cli, "_PONG_MS", 200)
    with served(statuses.FULL) as address, Line(address) as line, Client(line.address, 10.0) as client:
        watch = client.watch(pb.WatchRequest(log=False, frontend=False))
        for _ in range(5):
            next(watch)
        with futures.ThreadPoolExecutor(1) as reading:
            rest = reading.submit(next, watch)
            line.die()
            with pytest.raises(Unavailable, match="no more events from"):
                rest.result(30)  # without our pings gRPC would take a minute at least


def test_the_server_permits_our_keepalive() -> None:
    assert cli._KEEPALIVE_MS > 2 * server._CLIENTS_PING_MS


def test_an_address_without_a_host_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # no business of ours
    with served(statuses.FULL) as address, Client(f":{address.rpartition(':')[2]}", 10.0) as client:
        assert client.frontends()


@pytest.mark.parametrize("address", ["", "localhost", "a b:1", "http://x:1", "::1:9090", "host:", "unix:", "h:123456"])
def test_what_is_no_address_is_refused_before_any_call(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a server; write HOST:PORT"):
        Client(address, 1.0)


def test_what_no_field_can_hold_is_refused_before_any_call() -> None:
    with Client("127.0.0.1:1", 1.0) as client:
        with pytest.raises(ConfigError, match="is no text"):
            client.backend("\udcff")
        for weight in (-1, 101, 10**12):
            with pytest.raises(ConfigError, match=f"{weight} is no weight; weights are 0 to 100"):
                client.set_weight("web", "primary", "web1", weight)
