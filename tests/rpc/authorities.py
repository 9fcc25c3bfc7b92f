"""Certificates for gRPC's server and its clients, made with openssl: good, wrong and out of date."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from maglev.rpc.access import Access

NAMES = "DNS:localhost,IP:127.0.0.1"
_CONFIG = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
[leaf]
basicConstraints = critical, CA:FALSE
[purpose]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
[ca]
default_ca = all
[all]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = optional
"""
_EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
LONG = ("20200101000000Z", "20900101000000Z")
PAST = ("20200101000000Z", "20200201000000Z")
FUTURE = ("20890101000000Z", "20900101000000Z")


@dataclass(frozen=True)
class Folder:
    """Where NAME.crt and NAME.key are written."""

    path: Path

    def crt(self, name: str) -> str:
        return str(self.path / f"{name}.crt")

    def key(self, name: str) -> str:
        return str(self.path / f"{name}.key")

    def access(self, name: str = "server", ca: str = "", operators: Sequence[str] = (), viewers: str = "*") -> Access:
        asked = self.crt(ca) if ca else ""
        return Access(self.crt(name), self.key(name), asked, frozenset(operators), frozenset(viewers.split()))

    def authority(self, name: str, dates: tuple[str, str] = LONG) -> None:
        self._request(name, "-subj", f"/CN={name}")
        self._sign(name, f"-selfsign -keyfile {name}.key -extensions authority", dates)

    def signed(
        self,
        name: str,
        *,
        subject: str = "",
        san: str = NAMES,
        dates: tuple[str, str] = LONG,
        ca: str = "ca",
        extensions: str = "leaf",
    ) -> None:
        self._request(name, "-subj", subject or f"/CN={name}", *(["-addext", f"subjectAltName={san}"] if san else []))
        self._sign(name, f"-cert {ca}.crt -keyfile {ca}.key -extensions {extensions}", dates)

    def lock(self, name: str, into: str) -> None:
        """The key of `name` under a passphrase, in `into`.key."""
        words = ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", f"{name}.key", "-out", f"{into}.key"]
        subprocess.run(words, cwd=self.path, check=True, capture_output=True, timeout=30)

    def _request(self, name: str, *names: str) -> None:
        self._openssl(f"req -new {_EC} -keyout {name}.key -out {name}.csr", *names)

    def _sign(self, name: str, issuer: str, dates: tuple[str, str]) -> None:
        period = f"-startdate {dates[0]} -enddate {dates[1]}"
        self._openssl(f"ca -batch -notext {issuer} {period} -in {name}.csr -out {name}.crt")

    def _openssl(self, words: str, *more: str) -> None:
        command = ["openssl", *words.split(), *more, "-config", "all.cnf"]
        subprocess.run(command, cwd=self.path, check=True, capture_output=True, timeout=30)


def make(path: Path) -> Folder:
    """A CA, our server's certificate and an operator's and a viewer's, in a new folder."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    path.mkdir()
    (path / "all.cnf").write_text(_CONFIG)
    (path / "index.txt").touch()
    folder = Folder(path)
    folder.authority("ca")
    folder.signed("server")
    folder.signed("alice", san="email:alice@example.org,URI:spiffe://example.org/alice")
    folder.signed("bob", san="DNS:bob.example.org")
    return folder
