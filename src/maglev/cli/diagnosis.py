"""Why there is no connection over TCP, where gRPC does not say: a handshake of our own; knows no RPCs.

Asked only after a call has failed, and by text that is OpenSSL's API, not by the wording of gRPC's messages.
"""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from socket import create_connection, socket

from maglev.cli.credentials import Material
from maglev.cli.tls import Tls

_PATIENCE_S = 2.0  # for each step; whoever gets here has waited already
_FIRST_FRAME = 9  # bytes of any frame of HTTP/2, whose server speaks without being asked
_OTHER_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NOT_YET, _EXPIRED = 9, 10


@dataclass(frozen=True, slots=True)
class Reason:
    """What is wrong, and what to do about it."""

    what: str
    hint: str


def plain(host: str, port: int) -> Reason | None:
    """Why a server closes the connections of those who speak no TLS; None: not because of that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # what it shows is not used, only that it shows something
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with _connected(host, port) as plain, context.wrap_socket(plain, server_hostname=host):
            pass
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return None
    except (OSError, ValueError):
        return None
    return Reason("it speaks TLS", "give --tls-ca FILE, with the CA that signed its certificate")


def tls(host: str, port: int, given: Tls, material: Material) -> Reason | None:
    """Why a handshake fails; None: it does not, or there is nobody."""
    name = given.server_name or host
    try:
        with _connected(host, port) as plain, material.context.wrap_socket(plain, server_hostname=name) as secured:
            return None if secured.recv(_FIRST_FRAME) else _turned_away(given, "it closed the connection")
    except ssl.SSLCertVerificationError as error:
        return _not_trusted(host, port, name, given, material, error)
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        if "ALERT" in reason:
            return _turned_away(given, f"it said {reason}")
        return Reason("it does not speak TLS", "leave the --tls options away, or does another port speak it?")
    except (OSError, ValueError):
        return None


def _turned_away(given: Tls, how: str) -> Reason:
    if given.cert is None:
        return Reason(
            f"it lets nobody in without a client certificate ({how})", "give --tls-cert FILE and --tls-key FILE"
        )
    return Reason(
        f"it does not take the client certificate in {given.cert} ({how})",
        "is that signed by the CA of maglevd's --grpc-client-ca, and in date? maglevd's clock counts",
    )


def _not_trusted(
    host: str, port: int, name: str, given: Tls, material: Material, error: ssl.SSLCertVerificationError
) -> Reason:
    if error.verify_code in _OTHER_NAME:
        names = _names(host, port, material.context)
        return Reason(
            f"its certificate is not for {name}" + (f" but for {', '.join(names)}" if names else ""),
            "--tls-server-name NAME says which name to look for",
        )
    if error.verify_code in (_NOT_YET, _EXPIRED):
        return Reason(
            f"the certificate that it shows is out of date: {error.verify_message}",
            "renew it at the server; is this machine's clock right?",
        )
    ca = f"a CA in {given.ca}" if given.ca else "a CA of this system"
    return Reason(
        f"its certificate is not signed by {ca}: {error.verify_message}",
        "--tls-ca FILE names the CA that signed it",
    )


def _names(host: str, port: int, context: ssl.SSLContext) -> list[str]:
    """Those in a certificate that is fine but for them."""
    context.check_hostname = False
    try:
        with _connected(host, port) as plain, context.wrap_socket(plain) as secured:
            shown = secured.getpeercert() or {}
    except (OSError, ValueError):
        return []
    finally:
        context.check_hostname = True
    found = shown.get("subjectAltName", ())
    return [str(each[-1]) for each in found if isinstance(each, tuple)][:8]


@contextlib.contextmanager
def _connected(host: str, port: int) -> Iterator[socket]:
    with create_connection((host, port), _PATIENCE_S) as connection:
        yield connection
