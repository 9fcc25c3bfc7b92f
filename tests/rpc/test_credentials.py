"""Certificates on disk: each fault is told with its file, and a renewed one counts for the next connection."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from maglev.core.level import Level
from maglev.errors import ConfigError
from maglev.rpc import credentials
from maglev.rpc.access import Access
from tests.processes import until
from tests.rpc import authorities, clients, statuses
from tests.rpc.authorities import Folder
from tests.rpc.served import served


def fault(access: Access) -> str:
    with pytest.raises(ConfigError) as refused:
        credentials.read(access)
    assert refused.value.hint
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_good_files_are_read(folder: Folder) -> None:
    found = credentials.read(folder.access(ca="ca"))

    assert found.cert == Path(folder.crt("server")).read_bytes()
    assert found.key == Path(folder.key("server")).read_bytes()
    assert found.ca == Path(folder.crt("ca")).read_bytes()


def test_a_certificate_that_signed_itself_is_read_as_well(own: Folder) -> None:
    credentials.read(own.access("ca"))


def test_a_chain_with_those_between_is_read_and_served(own: Folder) -> None:
    own.signed("between", extensions="authority")
    own.signed("leaf", ca="between")
    with Path(own.crt("leaf")).open("a") as chain:
        chain.write(Path(own.crt("between")).read_text())
    with served(statuses.FULL, access=own.access("leaf")) as address:
        assert is_served(address, own, "ca")


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_missing_file_is_named(folder: Folder, which: int) -> None:
    missing = "/nonexistent/file.pem"
    cert, key, ca = (
        missing if which == number else path
        for number, path in enumerate((folder.crt("server"), folder.key("server"), folder.crt("ca")))
    )

    assert fault(Access(cert, key, ca)).startswith("cannot read /nonexistent/file.pem: No such file or directory")


def test_a_file_that_cannot_be_read_is_named(folder: Folder, tmp_path: Path) -> None:
    assert fault(Access(str(tmp_path), folder.key("server"))).startswith(f"cannot read {tmp_path}: Is a directory")
    assert "has more than" in fault(Access("/dev/zero", folder.key("server")))


def test_a_file_without_what_it_is_for_is_named(folder: Folder) -> None:
    cert, key = folder.crt("server"), folder.key("server")

    assert fault(Access(key, key)).startswith(f"there is no certificate in {key}")
    assert fault(Access(cert, cert)).startswith(f"there is no private key in {cert}")
    assert fault(Access(cert, key, key)).startswith(f"there is no certificate in {key}")


def test_a_key_of_another_certificate_is_told(folder: Folder) -> None:
    said = fault(Access(folder.crt("server"), folder.key("alice")))

    assert said.startswith(f"the private key in {folder.key('alice')} is not that of the certificate in ")


def test_a_key_with_a_passphrase_is_told_and_nobody_is_asked_for_it(own: Folder) -> None:
    own.lock("server", "locked")

    assert "has a passphrase" in fault(Access(own.crt("server"), own.key("locked")))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda own: own.signed("other", dates=authorities.PAST), "certificate has expired"),
        (lambda own: own.signed("other", dates=authorities.FUTURE), "certificate is not yet valid"),
        (lambda own: own.signed("other", extensions="purpose"), "purpose"),
    ],
)
def test_what_no_client_would_take_is_told(own: Folder, make: Callable[[Folder], None], said: str) -> None:
    make(own)
    told = fault(own.access("other"))

    assert told.startswith(f"no client would take the certificate in {own.crt('other')}: ")
    assert said in told


def test_a_damaged_certificate_is_told(own: Folder) -> None:
    path = Path(own.crt("server"))
    path.write_text(path.read_text().replace("MII", "MIX", 1))

    assert f"{path} or {own.key('server')} is damaged" in fault(own.access())


def test_a_ca_that_is_none_or_out_of_date_is_told(own: Folder) -> None:
    own.authority("old", authorities.PAST)

    assert "is not that of a CA" in fault(Access(own.crt("server"), own.key("server"), own.crt("alice")))
    assert "out of date: it is valid until Feb  1 00:00:00 2020" in fault(own.access(ca="old"))

    with Path(own.crt("old")).open("a") as bundle:  # while a CA is replaced both are there
        bundle.write(Path(own.crt("ca")).read_text())
    credentials.read(own.access(ca="old"))


def is_served(address: str, folder: Folder, ca: str, client: str = "") -> bool:
    with clients.tls(address, folder, ca=ca, client=client) as channel:
        found = clients.code(channel, "ListFrontends")
    assert found in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    return found is grpc.StatusCode.OK


def replace(folder: Folder, new: str, old: str, *kinds: str) -> None:
    """As certbot and others do it: another file under the same name, at once."""
    for kind in kinds:
        shutil.copy(folder.path / f"{new}.{kind}", folder.path / "next")
        (folder.path / "next").rename(folder.path / f"{old}.{kind}")


def test_a_renewed_certificate_counts_for_the_next_connection(own: Folder) -> None:
    told: list[tuple[Level, str]] = []
    own.authority("ca2")
    own.signed("server2", ca="ca2")
    with served(statuses.FULL, access=own.access(), tell=lambda *words: told.append(words)) as address:
        assert is_served(address, own, "ca")
        assert not is_served(address, own, "ca2")

        with clients.tls(address, own) as lasting:
            clients.call(lasting, "ListFrontends")
            replace(own, "server2", "server", "crt", "key")
            assert is_served(address, own, "ca2")
            assert not is_served(address, own, "ca")
            clients.call(lasting, "ListFrontends")  # the connection from before goes on

    ((level, said),) = told
    assert level is Level.INFO
    assert "were read anew" in said


def test_a_broken_new_file_is_told_once_and_the_old_ones_go_on(own: Folder) -> None:
    told: list[tuple[Level, str]] = []
    own.signed("server2")
    with served(statuses.FULL, access=own.access(), tell=lambda *words: told.append(words)) as address:
        replace(own, "server2", "server", "crt")  # and the key is still to come
        for _ in range(3):
            assert is_served(address, own, "ca")
        ((level, said),) = told
        assert level is Level.WARNING
        assert own.key("server") in said
        assert "the certificates from before are used" in said

        replace(own, "server2", "server", "key")
        assert is_served(address, own, "ca")
        assert [level for level, _ in told] == [Level.WARNING, Level.INFO]

        Path(own.crt("server")).unlink()
        assert is_served(address, own, "ca")
        assert "cannot read" in told[-1][1]


class Renewal:
    """What each handshake asks, at times of our own."""

    def __init__(self, folder: Folder) -> None:
        self.now_s = 0.0
        self.told: list[str] = []
        self._renewal = credentials._Renewal(folder.access(), lambda _, text: self.told.append(text), self._now)

    def _now(self) -> float:
        return self.now_s

    def is_new(self) -> bool:
        """Whether a handshake is given other certificates than the one before."""
        return self._renewal.newest() is not None


def test_refused_certificates_are_tried_again_without_a_change_of_theirs(
    own: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.signed("server2")
    renewal = Renewal(own)
    readings = []
    read = credentials.read

    def not_yet(access: Access) -> credentials._Material:
        readings.append(renewal.now_s)
        if renewal.now_s < 15:
            raise ConfigError("no client would take the certificate: certificate is not yet valid")
        return read(access)

    monkeypatch.setattr(credentials, "read", not_yet)
    replace(own, "server2", "server", "crt", "key")
    for renewal.now_s in (0, 1, 9, 10, 11, 19, 20, 21):
        assert renewal.is_new() == (renewal.now_s == 20)

    assert readings == [0, 10, 20]
    first, last = renewal.told
    assert first.startswith("no client would take the certificate: certificate is not yet valid")
    assert "were read anew" in last


def test_each_reason_is_told_once(own: Folder) -> None:
    own.signed("server2")
    renewal = Renewal(own)
    replace(own, "server2", "server", "crt")
    for renewal.now_s in (0, 10, 20):
        assert not renewal.is_new()
    Path(own.crt("server")).unlink()
    for renewal.now_s in (20, 30):
        assert not renewal.is_new()

    assert ["is not that of the certificate" in told for told in renewal.told] == [True, False]
    assert renewal.told[1].startswith(f"cannot read {own.crt('server')}: ")


def test_another_owner_or_mode_counts_at_once(own: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a key that is copied by root and then given to maglevd: its times, size and number stay as they are."""
    own.signed("server2")
    renewal = Renewal(own)
    Path(own.key("server2")).chmod(0)
    opened = Path.open

    def as_somebody_else(path: Path, mode: str = "r") -> object:  # root may read everything
        if not path.stat().st_mode & 0o444:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", as_somebody_else)
    for kind in ("crt", "key"):
        Path(own.path / f"server2.{kind}").rename(own.path / f"server.{kind}")
    assert not renewal.is_new()
    assert renewal.told[0].startswith(f"cannot read {own.key('server')}: Permission denied")
    key = Path(own.key("server"))
    before = key.stat().st_ctime_ns

    def is_later() -> bool:  # the clock of a file system may stand still for some milliseconds
        key.chmod(0o600)
        return key.stat().st_ctime_ns != before

    until(is_later, lambda: "the file system's clock")
    assert renewal.is_new()


def test_a_renewed_client_ca_counts_for_the_next_connection(own: Folder) -> None:
    own.authority("clients")
    own.authority("clients2")
    own.signed("dora", ca="clients2")
    with served(statuses.FULL, access=own.access(ca="clients")) as address:
        assert not is_served(address, own, "ca", "dora")
        replace(own, "clients2", "clients", "crt")
        assert is_served(address, own, "ca", "dora")


@pytest.mark.parametrize("client", ["", "stranger", "late"])
def test_who_has_no_good_certificate_of_the_ca_gets_no_connection(own: Folder, client: str) -> None:
    own.authority("other")
    own.signed("stranger", ca="other", subject="/CN=alice")
    own.signed("late", dates=authorities.PAST)
    with served(statuses.FULL, access=own.access(ca="ca", operators=["alice", "late"])) as address:
        assert is_served(address, own, "ca", "alice")
        assert not is_served(address, own, "ca", client)
        with clients.plain(address) as channel:
            assert clients.code(channel, "ListFrontends") is grpc.StatusCode.UNAVAILABLE
