"""Fixtures of the probes: a clock that jumps, and certificates."""

import shutil
import subprocess
from pathlib import Path

import pytest
from trio.testing import MockClock

from maglev.probes import opening, tls
from tests.probes.peers import has_ipv6
from tests.probes.zoo import certificates


@pytest.fixture(autouse=True)
def sockets_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test puts in their place."""
    monkeypatch.setattr(opening, "new_socket", opening.new_socket)


@pytest.fixture
def patient_clock() -> MockClock:
    """Jumps to the next deadline once nothing has happened for a while; loopback answers far sooner than that."""
    return MockClock(autojump_threshold=0.1)


@pytest.fixture
def ipv6() -> str:
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    return "::1"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of `www.example.org` and 127.0.0.1, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=www.example.org"
    names = "subjectAltName=DNS:www.example.org,IP:127.0.0.1"
    command = [openssl, *arguments.split(), "-addext", names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, trusted by the system for the length of a test."""
    _trust(certificate, monkeypatch)
    return certificate


@pytest.fixture(scope="session")
def zoo_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the certificates that the animals of the zoo have."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command to make certificates with")
    folder = tmp_path_factory.mktemp("zoo")
    certificates.make(folder, openssl)
    return folder


@pytest.fixture
def zoo(zoo_certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and their authority trusted by the system for the length of a test."""
    _trust(zoo_certificates / "ca.crt", monkeypatch)
    return zoo_certificates


def _trust(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    tls._context.cache_clear()
    monkeypatch.setattr(tls, "_context", tls._context.__wrapped__)
