import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev import listen
from maglev.errors import ConfigError
from maglev.listen import TcpAddress, UnixAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:9090", TcpAddress("localhost", 9090)),
        ("127.0.0.1:0", TcpAddress("127.0.0.1", 0)),
        (":9091", TcpAddress("", 9091)),
        ("[::1]:65535", TcpAddress("::1", 65535)),
        ("[fe80::1%eth0]:1", TcpAddress("fe80::1%eth0", 1)),
        ("unix:/run/maglev.sock", UnixAddress("/run/maglev.sock")),
    ],
)
def test_each_form_is_read_and_written_back(text: str, address: TcpAddress | UnixAddress) -> None:
    assert listen.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", ":", "host", "host:", "host:-1", "host:65536", "::1:80", "[::1]80", "[]:80", "a b:1", "h:٣", "unix:"]
)
def test_what_is_no_address_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        listen.parse(text)

    assert repr(text) in str(refused.value)
    assert refused.value.hint


@given(st.text() | st.from_regex(r"(unix:|\[?[0-9a-f:.]*\]?:)[0-9]*", fullmatch=True))
def test_any_text_is_an_address_or_one_clear_line(text: str) -> None:
    said = ""
    try:
        address = listen.parse(text)
    except ConfigError as refused:
        said = str(refused)
    else:
        assert listen.parse(str(address)) == address
    assert "\n" not in said


def test_a_unix_path_longer_than_the_kernel_takes_is_refused() -> None:
    assert listen.parse(f"unix:/{'x' * 106}") == UnixAddress(f"/{'x' * 106}")
    with pytest.raises(ConfigError, match="1 to 107 bytes"):
        listen.parse(f"unix:/{'x' * 107}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_bound_address_takes_connections_on_one_port(host: str) -> None:
    sockets = listen.bind(TcpAddress(host, 0))
    try:
        ports = {each.getsockname()[1] for each in sockets}
        assert len(ports) == 1
        socket.create_connection(("127.0.0.1", ports.pop()), timeout=5).close()
    finally:
        for each in sockets:
            each.close()


def test_a_port_in_use_is_refused_and_nothing_stays_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", ""):
            with pytest.raises(ConfigError, match=f"cannot listen on {host}:{port}: Address already in use"):
                listen.bind(TcpAddress(host, port))
    listen.check(TcpAddress("127.0.0.1", port))


def test_a_name_whose_second_address_is_in_use_leaves_the_first_one_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, 1, 6, "", (host, 0)) for host in ("127.0.0.1", "127.0.0.2")]

    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", resolve)
            with pytest.raises(ConfigError, match="Address already in use") as refused:
                listen.bind(TcpAddress("both", port))
        assert refused.value.__cause__ is not None
        socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.1", "this machine has no such address"), ("nosuch.invalid", "choose an address"), ("a..b", "choose an")],
)
def test_a_host_that_is_not_ours_is_refused(host: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        listen.bind(TcpAddress(host, 0))


def test_a_name_with_one_usable_address_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    (only,) = listen.bind(TcpAddress("half-there", 0))
    with only:
        assert only.getsockname()[0] == "127.0.0.1"


def test_all_interfaces_of_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    (only,) = listen.bind(TcpAddress("", 0))
    with only:
        assert only.getsockname()[0] == "0.0.0.0"


def test_unix_paths_are_checked(tmp_path: Path) -> None:
    listen.check(UnixAddress(str(tmp_path / "fresh")))

    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError, match="File exists"):
        listen.check(UnixAddress(str(tmp_path / "file")))
    with pytest.raises(ConfigError, match="No such file or directory"):
        listen.check(UnixAddress(str(tmp_path / "no" / "socket")))

    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(tmp_path / "socket"))
        live.listen(1)
        with pytest.raises(ConfigError, match="Address already in use"):
            listen.check(UnixAddress(str(tmp_path / "socket")))
    listen.check(UnixAddress(str(tmp_path / "socket")))


def test_a_directory_we_may_not_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ConfigError, match="this needs more rights"):
        listen.check(UnixAddress(str(tmp_path / "socket")))
