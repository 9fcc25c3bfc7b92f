"""Certificates on disk -> gRPC's credentials, judged before gRPC sees them and read anew when renewed; knows no roles.

gRPC takes anything, and fails at each handshake without a word. So everything is tried here first, on the very bytes
that gRPC gets: a handshake with ourselves says what a client would say.
"""

import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from maglev.core.level import Level
from maglev.errors import ConfigError
from maglev.rpc.access import Access

Tell = Callable[[Level, str], None]
"""Tells a human, who reads the log; called on any thread."""

_HINT = "maglevd needs PEM files: the certificate with those between it and its CA, and its key, without a passphrase"
RETRY_S = 10.0  # between two readings of files that were refused, as long as they are the same
_MAX_BYTES = 1024 * 1024  # of a file: a bundle of all public CAs has a quarter of that


_Stamps = list[tuple[int, int, int, int] | None]


@dataclass(frozen=True, slots=True)
class _Material:
    """What the files hold; `ca` is empty where no client certificates are asked for."""

    cert: bytes
    key: bytes
    ca: bytes


def credentials(access: Access, tell: Tell) -> grpc.ServerCredentials:
    """For the files that `access` names; a renewed one counts from the next connection on. Raises ConfigError."""
    renewal = _Renewal(access, tell)
    return grpc.dynamic_ssl_server_credentials(
        renewal.first, renewal.newest, require_client_authentication=bool(access.client_ca)
    )


class _Renewal:
    """Looks at the files before each handshake; what is wrong with new ones is told once, and the old ones go on.

    Wrong ones are tried again: what was wrong may be the time, or who may read them, and need not change their stamps.
    """

    def __init__(self, access: Access, tell: Tell, now_s: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._tell = tell
        self._now_s = now_s
        self._seen = _stamps(access)  # before the reading: what changes meanwhile is read again
        self._material = read(access)
        self._refused: _Refused | None = None
        self._turn = threading.Lock()  # gRPC asks on several threads
        self.first = _configuration(self._material)

    def newest(self) -> Any:  # a configuration, or None for "as before", which gRPC's type hints leave out
        with self._turn:
            stamps = _stamps(self._access)
            if stamps == self._seen or (self._refused and not self._refused.is_due(stamps, self._now_s())):
                return None
            try:
                material = read(self._access)
            except ConfigError as error:
                self._refuse(_Refused(stamps, str(error), self._now_s() + RETRY_S))
                return None
            self._seen, self._refused = stamps, None
            if material == self._material:
                return None
            self._material = material
            self._tell(Level.INFO, f"{self._access.tls_cert} and what belongs to it were read anew")
            return _configuration(material)

    def _refuse(self, refused: "_Refused") -> None:
        if self._refused is None or self._refused.reason != refused.reason:
            self._tell(Level.WARNING, f"{refused.reason}; until then the certificates from before are used")
        self._refused = refused


@dataclass(frozen=True, slots=True)
class _Refused:
    """Files that were no good, why, and when they are looked at again."""

    stamps: _Stamps
    reason: str
    again_at_s: float

    def is_due(self, stamps: _Stamps, now_s: float) -> bool:
        return stamps != self.stamps or now_s >= self.again_at_s


def read(access: Access) -> _Material:
    """What the files hold, if it can be served with. Raises ConfigError, which names the file and its fault."""
    material = _Material(*(_content(path) for path in (access.tls_cert, access.tls_key, access.client_ca)))
    _judge_own(access, material)
    if access.client_ca:
        _judge_ca(access.client_ca, material.ca)
    return material


def _content(path: str) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise ConfigError(
            f"cannot read {path}: {reason}", hint="maglevd's own user has to be able to read it"
        ) from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path} is no certificate or key: it has more than {_MAX_BYTES} bytes", hint=_HINT)
    return content


def _judge_own(access: Access, material: _Material) -> None:
    if b"-----BEGIN CERTIFICATE-----" not in material.cert:
        raise ConfigError(f"there is no certificate in {access.tls_cert}", hint=_HINT)
    if b"PRIVATE KEY-----" not in material.key:
        raise ConfigError(f"there is no private key in {access.tls_key}", hint=_HINT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with _as_file(material.cert) as cert, _as_file(material.key) as key:
            context.load_cert_chain(cert, key, password=_no_passphrase)
    except _EncryptedError as error:
        raise ConfigError(f"the private key in {access.tls_key} has a passphrase", hint=_HINT) from error
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            raise ConfigError(
                f"the private key in {access.tls_key} is not that of the certificate in {access.tls_cert}",
                hint="the certificate itself has to be the first one in its file",
            ) from error
        raise ConfigError(
            f"{access.tls_cert} or {access.tls_key} is damaged: {error.reason or error}", hint=_HINT
        ) from error
    _greet(context, access.tls_cert, material.cert)


def _greet(server: ssl.SSLContext, path: str, cert: bytes) -> None:
    """A handshake in memory, by a client that trusts this very certificate: out of date, or for another purpose?"""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False  # by which name they will call us is for the clients to know
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cadata=_first(cert))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True))
    try:
        for _ in range(4):  # flights of a handshake, of which TLS 1.3 needs two
            for end in ends:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(
            f"no client would take the certificate in {path}: {error.verify_message}",
            hint="renew it; is this machine's clock right?",
        ) from error
    except ssl.SSLError as error:
        raise ConfigError(f"TLS does not work with {path}: {error.reason or error}", hint=_HINT) from error


def _judge_ca(path: str, ca: bytes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=str(ca, "ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"there is no certificate in {path}, or a damaged one", hint=_HINT) from error
    authorities = context.get_ca_certs()
    if not authorities:
        raise ConfigError(
            f"the certificate in {path} is not that of a CA", hint="name the CA that signs the clients' certificates"
        )
    if not any(_is_valid(str(each["notBefore"]), str(each["notAfter"])) for each in authorities):
        ends = "; ".join(str(each["notAfter"]) for each in authorities[:4])
        raise ConfigError(f"the CA in {path} is out of date: it is valid until {ends}", hint="renew it")


def _is_valid(begin: str, end: str) -> bool:
    return ssl.cert_time_to_seconds(begin) <= time.time() <= ssl.cert_time_to_seconds(end)


def _first(cert: bytes) -> str:
    """The first certificate of a chain, which is our own."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = str(cert, "ascii", "replace")
    return text[text.index(begin) : text.index(end, text.index(begin)) + len(end)]


def _configuration(material: _Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(material.key, material.cert)], material.ca or None)


def _stamps(access: Access) -> _Stamps:
    return [_stamp(path) for path in (access.tls_cert, access.tls_key, access.client_ca)]


def _stamp(path: str) -> tuple[int, int, int, int] | None:
    """What a file has another one of once it was written or replaced, or somebody else may read it."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


class _EncryptedError(Exception):
    pass


def _no_passphrase() -> str:
    raise _EncryptedError  # else OpenSSL asks on the terminal


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """`content` under a path, for a library that takes nothing else; it is only in memory."""
    number = os.memfd_create("maglevd", os.MFD_CLOEXEC)
    with open(number, "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{number}"
