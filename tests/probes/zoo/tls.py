"""Animals that speak TLS, should, or should not."""

import ssl

from tests.probes import peers
from tests.probes.peers import OK, says
from tests.probes.zoo import dens, differences
from tests.probes.zoo.animal import (
    L4CON,
    L4TOUT,
    L6OK,
    L6RSP,
    L6TOUT,
    L7OK,
    L7RSP,
    L7STS,
    L7TOUT,
    NAMELESS,
    TRUSTING,
    UNVERIFIED,
    Animal,
    Den,
    Difference,
    Outcome,
    Question,
    answer,
    http,
    tcp,
)
from tests.probes.zoo.dens import answers_and_stays, over_tls, plain, sends_to_hello, speaks_first

_ANY = http(tls=UNVERIFIED)
_ASKED = http(tls=TRUSTING, body="hello")
_TLS10 = ssl.TLSVersion.TLSv1
_TLS12 = ssl.TLSVersion.TLSv1_2

_ALERT = bytes.fromhex("15 0303 0002 0228")  # fatal, handshake failure
_HALF_HELLO = bytes.fromhex("16 0303 007a 02 000076 0303") + bytes(20)
_SSH = b"SSH-2.0-OpenSSH_9.2\r\n"
_PLAIN_400 = answer(b"400 Bad Request")
_UNTIL_CLOSE = answer(b"200 OK", b"", b"hello")
_CUT = answer(b"200 OK", b"Content-Length: 50\r\n", b"hel")


def _https(
    name: str,
    does: str,
    den: Den,
    ours: Outcome,
    difference: Difference | None = None,
    *,
    question: Question | None = None,
) -> Animal:
    return Animal(name, does, den, question or http(tls=TRUSTING), ours, difference)


def _tcps(name: str, does: str, den: Den, ours: Outcome) -> Animal:
    return Animal(name, does, den, tcp(TRUSTING), ours)


CERTIFICATES = (
    _https("https", "a good certificate", over_tls(says(OK)), L7OK),
    _tcps("ssl", "a good certificate", over_tls(peers.silent), L6OK),
    _https("wildcard", "certificate of *.example.org", over_tls(says(OK), "wildcard"), L7OK),
    _https("untrusted", "unknown authority", over_tls(says(OK), "untrusted"), L6RSP),
    _tcps("untrusted-ssl", "unknown authority", over_tls(peers.silent, "untrusted"), L6RSP),
    _https("untrusted-any", "unknown authority", over_tls(says(OK), "untrusted"), L7OK, question=_ANY),
    _https("self-signed", "self-signed certificate", over_tls(says(OK), "stranger"), L6RSP),
    _https("orphan", "does not send the intermediate", over_tls(says(OK), "orphan"), L6RSP),
    _https("misnamed", "certificate of another name", over_tls(says(OK), "misnamed"), L6RSP),
    _tcps("misnamed-ssl", "certificate of another name", over_tls(peers.silent, "misnamed"), L6RSP),
    _https("nameless", "any name", over_tls(says(OK), "misnamed"), L7OK, question=http(tls=NAMELESS)),
    _https("expired", "certificate expired", over_tls(says(OK), "expired"), L6RSP),
    _tcps("expired-ssl", "certificate expired", over_tls(peers.silent, "expired"), L6RSP),
    _https("expired-any", "certificate expired", over_tls(says(OK), "expired"), L7OK, question=_ANY),
    _https("early", "certificate not yet valid", over_tls(says(OK), "early"), L6RSP),
)

HANDSHAKE = (
    _https("https-refuses", "nobody listens", dens.nobody, L4CON),
    _https("https-drops-syns", "drops SYNs, its queue is full", dens.deaf, L4TOUT),
    _https("tls-1.2", "TLS 1.2 only", over_tls(says(OK), only=_TLS12), L7OK),
    _https("tls-1.0", "TLS 1.0 only", over_tls(says(OK), only=_TLS10), L6RSP),
    _tcps("tls-1.0-ssl", "TLS 1.0 only", over_tls(peers.silent, only=_TLS10), L6RSP),
    _https("wants-name", "wants a server name", over_tls(says(OK), wants_name=True), L6RSP, question=_ANY),
    _https(
        "wants-certificate-1.2",
        "demands a client's certificate, TLS 1.2",
        over_tls(says(OK), only=_TLS12, wants_certificate=True),
        L6RSP,
    ),
    _https(
        "wants-certificate-1.3",
        "demands a client's certificate, TLS 1.3",
        over_tls(says(OK), wants_certificate=True),
        L6RSP,
        differences.RESET,
    ),
    _https("stalls", "never answers the hello", plain(peers.silent), L6TOUT),
    _tcps("stalls-ssl", "never answers the hello", plain(peers.silent), L6TOUT),
    _https("half-hello-stalls", "half a hello, stops", plain(sends_to_hello(_HALF_HELLO, stays=True)), L6TOUT),
    _https("half-hello-closes", "half a hello, closes", plain(sends_to_hello(_HALF_HELLO)), L6RSP),
    _https("hello-closes", "closes after our hello", plain(sends_to_hello(b"")), L6RSP),
    _tcps("hello-closes-ssl", "closes after our hello", plain(sends_to_hello(b"")), L6RSP),
    _https("hello-resets", "resets after our hello", plain(peers.resets_at_once), L6RSP),
    _https("hello-alert", "answers our hello with an alert", plain(sends_to_hello(_ALERT)), L6RSP),
    _https("plain-on-tls", "plain HTTP on a TLS port", plain(sends_to_hello(_PLAIN_400)), L6RSP),
    _tcps("plain-on-tls-ssl", "plain HTTP on a TLS port", plain(sends_to_hello(_PLAIN_400)), L6RSP),
    _https("ssh-on-tls", "greets as SSH does", plain(speaks_first(_SSH)), L6RSP),
    _https("tls-on-plain", "TLS on a plain port, holds on", over_tls(says(OK)), L7TOUT, question=http()),
    _https("alert-on-plain", "TLS alert on a plain port", plain(answers_and_stays(_ALERT)), L7RSP, question=http()),
)

INSIDE = (
    _https("https-silent", "never answers", over_tls(peers.silent), L7TOUT),
    _https("https-closes", "closes after the request", over_tls(says(b"")), L7RSP),
    _https("https-resets", "resets after the request", over_tls(peers.resets_after(b"")), L7RSP, differences.RESET),
    _https("https-busy", "503", over_tls(says(answer(b"503 Busy"))), L7STS),
    _https("no-goodbye", "closes without close_notify", over_tls(says(_UNTIL_CLOSE)), L7OK, question=_ASKED),
    _https("goodbye", "close_notify", over_tls(says(_UNTIL_CLOSE), says_goodbye=True), L7OK, question=_ASKED),
    _https("https-cut", "closes in the body", over_tls(says(_CUT)), L7RSP, question=_ASKED),
)
