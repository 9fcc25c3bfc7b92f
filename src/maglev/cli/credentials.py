"""The files of the TLS flags, read and judged before gRPC gets them; knows no servers.

gRPC takes any bytes, and says of a failed handshake only that there was no connection.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from maglev.cli.tls import Tls
from maglev.errors import ConfigError

_MAX_BYTES = 4 * 1024 * 1024  # of a file: a bundle of all public CAs has a sixteenth of that
_HINT = "it has to be a PEM file"


@dataclass(frozen=True, slots=True)
class Material:
    """What the files hold; `cert` and `key` are None where we have none to show."""

    roots: bytes
    cert: bytes | None
    key: bytes | None
    context: ssl.SSLContext
    """The same for Python's TLS, which can say why a handshake fails."""


def read(tls: Tls) -> Material:
    """What the files hold. Raises ConfigError, which names the file and its fault."""
    ca = tls.ca or _systems_own()
    roots = _content(ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(cadata=str(roots, "ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"there is no certificate in {ca}, or a damaged one",
            hint="--tls-ca names a PEM file with the CA that signed maglevd's certificate",
        ) from error
    if tls.cert is None and tls.key is None:
        return Material(roots, None, None, context)
    if tls.cert is None or tls.key is None:
        given, missing = ("--tls-cert", "--tls-key") if tls.cert else ("--tls-key", "--tls-cert")
        raise ConfigError(f"{given} without {missing}", hint="a certificate and its key belong together: give both")
    cert, key = _content(tls.cert), _content(tls.key)
    _judge(tls.cert, cert, tls.key, key, context)
    return Material(roots, cert, key, context)


def _judge(cert_path: str, cert: bytes, key_path: str, key: bytes, context: ssl.SSLContext) -> None:
    if b"-----BEGIN CERTIFICATE-----" not in cert:
        raise ConfigError(f"there is no certificate in {cert_path}", hint=f"{_HINT}; --tls-key names that of the key")
    if b"PRIVATE KEY-----" not in key:
        raise ConfigError(f"there is no private key in {key_path}", hint=f"{_HINT}; --tls-cert names the certificate's")
    try:
        context.load_cert_chain(cert_path, key_path, password=_no_passphrase)
    except _EncryptedError as error:
        raise ConfigError(
            f"the private key in {key_path} has a passphrase",
            hint="give one without, readable by you alone: openssl pkey -in FILE -out NEW",
        ) from error
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            raise ConfigError(
                f"the private key in {key_path} is not that of the certificate in {cert_path}",
                hint="the certificate itself has to be the first one in its file",
            ) from error
        raise ConfigError(f"{cert_path} or {key_path} is damaged: {error.reason or error}", hint=_HINT) from error


def _systems_own() -> str:
    """The bundle that OpenSSL uses here; gRPC would use one that it brings along."""
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        raise ConfigError(
            "this system has no bundle of CAs", hint="--tls-ca FILE names the CA that signed maglevd's certificate"
        )
    return bundle


def _content(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"cannot read {path}: {reason}", hint="you have to be able to read it") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path} has more than {_MAX_BYTES} bytes", hint=_HINT)
    return content


class _EncryptedError(Exception):
    pass


def _no_passphrase() -> str:
    raise _EncryptedError  # else OpenSSL asks on the terminal
