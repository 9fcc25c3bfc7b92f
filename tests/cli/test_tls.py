"""TLS as a client has it: wrong files are told before any call, failed handshakes with what to do about them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maglev.cli.client import Client
from maglev.cli.tls import Tls
from maglev.errors import ConfigError, Refused, Unavailable
from maglev.rpc.access import Access
from tests.rpc import authorities, statuses
from tests.rpc.authorities import Folder
from tests.rpc.served import served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = authorities.make(Path(tmp_path_factory.mktemp("certificates")) / "here")
    made.authority("other")
    made.signed("stranger", ca="other")
    made.signed("late", dates=authorities.PAST)
    made.signed("router", san="DNS:router.example.org,DNS:lb.example.org")
    made.lock("alice", "locked")
    return made


def tls(folder: Folder, *, ca: str | None = "ca", client: str | None = None, server_name: str | None = None) -> Tls:
    cert, key = (folder.crt(client), folder.key(client)) if client else (None, None)
    return Tls(folder.crt(ca) if ca else None, cert, key, server_name)


def fault(given: Tls, address: str = "127.0.0.1:1") -> str:
    with pytest.raises(ConfigError) as error:
        Client(address, 1.0, given)
    assert error.value.hint
    return str(error.value)


def test_each_fault_of_the_files_is_told_with_the_file(folder: Folder, tmp_path: Path) -> None:
    ca, cert, key = folder.crt("ca"), folder.crt("alice"), folder.key("alice")
    damaged = tmp_path / "damaged"
    damaged.write_text(Path(cert).read_text().replace("MII", "MIX", 1))

    assert fault(Tls("/none.pem")).startswith("cannot read /none.pem: No such file or directory")
    assert fault(Tls(str(tmp_path))).startswith(f"cannot read {tmp_path}: Is a directory")
    assert fault(Tls("/dev/zero")).startswith("/dev/zero has more than 4194304 bytes")
    assert fault(Tls(key)).startswith(f"there is no certificate in {key}, or a damaged one; --tls-ca names")
    assert fault(Tls(str(damaged))).startswith(f"there is no certificate in {damaged}, or a damaged one")
    assert fault(Tls(ca, "/none.crt", key)).startswith("cannot read /none.crt: No such file")
    assert fault(Tls(ca, cert, "/none.key")).startswith("cannot read /none.key: No such file")
    assert fault(Tls(ca, key, key)).startswith(f"there is no certificate in {key}; ")
    assert fault(Tls(ca, cert, cert)).startswith(f"there is no private key in {cert}; ")
    assert fault(Tls(ca, str(damaged), key)).startswith(f"{damaged} or {key} is damaged: ")
    assert fault(Tls(ca, folder.crt("bob"), key)).startswith(
        f"the private key in {key} is not that of the certificate in {folder.crt('bob')}"
    )
    assert fault(Tls(ca, cert, folder.key("locked"))).startswith(
        f"the private key in {folder.key('locked')} has a passphrase; "
    )


def test_half_of_a_pair_is_told(folder: Folder) -> None:
    assert fault(Tls(folder.crt("ca"), cert=folder.crt("alice"))).startswith("--tls-cert without --tls-key; ")
    assert fault(Tls(folder.crt("ca"), key=folder.key("alice"))).startswith("--tls-key without --tls-cert; ")


def test_a_unix_socket_has_no_tls(folder: Folder) -> None:
    assert fault(tls(folder), "unix:/run/maglev.sock").startswith("TLS is for TCP, and unix:/run/maglev.sock is a Unix")


def test_an_operators_certificate_lets_him_in_and_a_viewers_is_refused_orders(folder: Folder) -> None:
    with served(statuses.FULL, access=folder.access(ca="ca", operators=["alice"])) as address:
        with Client(address, 10.0, tls(folder, client="alice")) as alice:
            assert alice.backends()
        with Client(address, 10.0, tls(folder, client="bob")) as bob:
            assert bob.backends()
            with pytest.raises(Refused, match="CheckConfig is for operators, and certificate bob is a viewer here"):
                bob.check_config()


def test_the_name_in_the_certificate_can_be_given(folder: Folder) -> None:
    with served(statuses.FULL, access=folder.access("router")) as address:
        with Client(address, 10.0, tls(folder, server_name="router.example.org")) as client:
            assert client.backends()
        said = unanswered(address, tls(folder))
        wrong = unanswered(address, tls(folder, server_name="bgp.example.org"))

    names = "router.example.org, lb.example.org; --tls-server-name NAME"
    assert f"its certificate is not for 127.0.0.1 but for {names}" in said
    assert f"its certificate is not for bgp.example.org but for {names}" in wrong


def test_without_a_ca_this_systems_count(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(statuses.FULL, access=folder.access()) as address:
        monkeypatch.setenv("SSL_CERT_FILE", folder.crt("ca"))
        with Client(address, 10.0, Tls()) as client:
            assert client.backends()
        monkeypatch.setenv("SSL_CERT_FILE", folder.crt("other"))
        assert "its certificate is not signed by a CA of this system" in unanswered(address, Tls())
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    assert fault(Tls()).startswith("this system has no bundle of CAs; --tls-ca FILE names")


def unanswered(address: str, given: Tls | None) -> str:
    with Client(address, 10.0, given) as client, pytest.raises(Unavailable) as error:
        client.backends()
    said = str(error.value)
    assert said.startswith(f"no maglevd answers at {address}: ")
    assert error.value.hint
    return said.removeprefix(f"no maglevd answers at {address}: ")


@contextmanager
def listening(access: Access | None) -> Iterator[str]:
    with served(statuses.FULL, access=access) as address:
        yield address


@pytest.mark.parametrize("ca", ["", "ca"])
def test_who_speaks_no_tls_to_one_who_does_is_told(folder: Folder, ca: str) -> None:
    with listening(folder.access(ca=ca, operators=["alice"] if ca else [])) as address:
        said = unanswered(address, None)

    assert said == "it speaks TLS; give --tls-ca FILE, with the CA that signed its certificate"


def test_who_speaks_tls_to_one_who_does_not_is_told(folder: Folder) -> None:
    with listening(None) as address:
        assert unanswered(address, tls(folder)).startswith("it does not speak TLS; leave the --tls options away")


def test_a_certificate_of_another_ca_is_told(folder: Folder) -> None:
    with listening(folder.access()) as address:
        said = unanswered(address, tls(folder, ca="other"))

    assert said.startswith(f"its certificate is not signed by a CA in {folder.crt('other')}: ")
    assert said.endswith("; --tls-ca FILE names the CA that signed it")


def test_a_server_certificate_out_of_date_is_told(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maglev.rpc.credentials._greet", lambda *_: None)  # maglevd would not start with it
    with listening(folder.access("late")) as address:
        said = unanswered(address, tls(folder))

    assert said.startswith("the certificate that it shows is out of date: certificate has expired; renew it")


def test_a_missing_client_certificate_is_told(folder: Folder) -> None:
    with listening(folder.access(ca="ca", operators=["alice"])) as address:
        said = unanswered(address, tls(folder))

    assert said.startswith("it lets nobody in without a client certificate")
    assert said.endswith("; give --tls-cert FILE and --tls-key FILE")


@pytest.mark.parametrize("client", ["stranger", "late"])
def test_a_client_certificate_that_is_not_taken_is_told(folder: Folder, client: str) -> None:
    with listening(folder.access(ca="ca", operators=["alice"])) as address:
        said = unanswered(address, tls(folder, client=client))

    assert said.startswith(f"it does not take the client certificate in {folder.crt(client)}")
    assert "--grpc-client-ca" in said


def test_nobody_is_nobody_with_tls_as_well(folder: Folder) -> None:
    with listening(None) as address:
        pass
    assert unanswered(address, tls(folder)).startswith("Connection refused; is it running?")


@pytest.mark.parametrize("fault", [("--tls-ca", "other"), ("--tls-server-name", "bgp.example.org")])
def test_grpc_itself_says_nothing_on_stderr(folder: Folder, fault: tuple[str, str]) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "GRPC_VERBOSITY"}
    option, value = fault
    given = ["--tls-ca", folder.crt("ca"), option, folder.crt(value) if option == "--tls-ca" else value]
    with listening(folder.access()) as address:
        done = subprocess.run(
            [sys.executable, "-m", "maglev.cli.main", "--server", address, *given, "show", "backends"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.startswith("maglevc: no maglevd answers at ")
    assert done.stderr.count("\n") == 1
