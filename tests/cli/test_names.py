"""Names out of a real server."""

import socket
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory

import pytest

from maglev.cli.client import Client
from maglev.cli.grammar import Said
from maglev.cli.names import KEPT_S, LiveNames
from maglev.errors import ConfigError
from tests.rpc import statuses
from tests.rpc.served import answering, served, serving


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served(statuses.FULL) as address, Client(address, 60.0) as found:
        yield found


def connected(client: Client) -> Callable[[], Client]:
    return lambda: client


@pytest.mark.parametrize(
    ("place", "said", "expected"),
    [
        ("FRONTEND", {}, {"web", "shop", "net", "six"}),
        ("BACKEND", {}, {"web1", "web2", "spare", "spare-alias", "six"}),
        ("HEALTHCHECK", {}, {"http-check"}),
        ("POOL", {"FRONTEND": "web"}, {"primary", "fallback"}),
        ("POOL", {"FRONTEND": "no-such"}, set()),
        ("BACKEND", {"FRONTEND": "web", "POOL": "primary"}, {"web1", "web2"}),
        ("BACKEND", {"FRONTEND": "web", "POOL": "fallback"}, {"spare"}),
        ("BACKEND", {"FRONTEND": "web", "POOL": "no-such"}, set()),
        ("WEIGHT", {}, set()),
        ("REGEX", {}, set()),
    ],
)
def test_names_of_a_place(place: str, said: dict[str, str], expected: set[str], client: Client) -> None:
    assert set(LiveNames(connected(client), lambda: 0.0)(place, Said(said))) == expected


def test_names_are_kept_for_some_seconds() -> None:
    status, now_s = statuses.FULL, 100.0
    with serving(answering(lambda: status)) as address, Client(address, 60.0) as client:
        names = LiveNames(connected(client), lambda: now_s)
        assert "web" in names("FRONTEND", Said())
        status = statuses.EMPTY

        now_s += KEPT_S * 0.9
        assert "web" in names("FRONTEND", Said())
        now_s += KEPT_S * 0.2
        assert "web" not in names("FRONTEND", Said())


def test_a_server_that_says_nothing_has_none_after_a_second() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with Client(address, 3600.0) as client:
            assert LiveNames(connected(client), lambda: 0.0)("FRONTEND", Said()) == ()


def test_what_failed_is_asked_again_at_once() -> None:
    with TemporaryDirectory() as short, Client(f"unix:{short}/m.sock", 60.0) as client:
        names = LiveNames(connected(client), lambda: 0.0)
        assert names("FRONTEND", Said()) == ()
        with served(statuses.FULL, f"unix:{short}/m.sock"):
            assert "web" in names("FRONTEND", Said())


def test_a_server_that_cannot_be_has_none() -> None:
    def nobody() -> Client:
        raise ConfigError("no address")

    assert LiveNames(nobody, lambda: 0.0)("BACKEND", Said()) == ()
