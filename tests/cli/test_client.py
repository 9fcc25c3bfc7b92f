import socket
import time

import pytest

from maglev.cli.client import Client
from maglev.errors import ConfigError, Refused, Unavailable
from tests.rpc import statuses
from tests.rpc.served import served


def test_answers_are_the_servers() -> None:
    with served(statuses.FULL) as address, Client(address, 10.0) as client:
        assert [each.name for each in client.frontends()] == ["web", "shop", "net", "six"]
        assert client.frontend("shop").port == 443
        assert len(client.backends()) == 5
        assert client.backend("web1").counter == 4
        assert client.vpp_info().pid == 4711
        assert len(client.lb_state().vips) == 4
        assert len(client.lb_counters().backends) == 5


def test_what_the_server_refuses_is_told_apart_from_no_server() -> None:
    with served(statuses.NO_VPP) as address, Client(address, 10.0) as client:
        with pytest.raises(Refused, match="there is no backend called 'x'"):
            client.backend("x")
        with pytest.raises(Refused, match="no VPP is connected"):
            client.vpp_info()

    with (
        Client(address, 10.0) as client,
        pytest.raises(Unavailable, match=f"no maglevd answers at {address}.*--server"),
    ):
        client.vpp_info()


def test_a_server_that_is_silent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with Client(address, 0.2) as client, pytest.raises(Unavailable, match="no maglevd answers"):
            client.frontends()
        assert time.monotonic() - begun < 5


def test_an_address_without_a_host_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # no business of ours
    with served(statuses.FULL) as address, Client(f":{address.rpartition(':')[2]}", 10.0) as client:
        assert client.frontends()


@pytest.mark.parametrize("address", ["", "localhost", "a b:1", "http://x:1", "::1:9090", "host:", "unix:", "h:123456"])
def test_what_is_no_address_is_refused_before_any_call(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a server; write HOST:PORT"):
        Client(address, 1.0)
