import gc
from pathlib import Path

import trio
from trio.testing import MockClock

from maglev.core.model import Tls
from tests.probes import peers
from tests.probes.peers import FAILED, LOCALHOST, OK, UNVERIFIED, check, get, outcome, peer, probe, says


async def test_https_passes(certificate: Path) -> None:
    async with peer(says(OK), certificate=certificate) as port:
        result = await probe(check(get(port, tls=UNVERIFIED, body_regexp="hello")), LOCALHOST)

    assert outcome(result) == (True, "L7OK")


async def test_https_without_a_goodbye_passes(certificate: Path) -> None:
    # The body ends with the connection and no close_notify comes: many servers do that.
    async with peer(says(b"HTTP/1.0 200 OK\r\n\r\nhello"), certificate=certificate) as port:
        result = await probe(check(get(port, tls=UNVERIFIED, body_regexp="hello")), LOCALHOST)

    assert outcome(result) == (True, "L7OK")


async def test_https_with_a_trusted_certificate_passes(trusted: Path) -> None:
    async with peer(says(OK), certificate=trusted) as port:
        result = await probe(check(get(port, tls=Tls("www.example.org", verify=True))), LOCALHOST)

    assert outcome(result) == (True, "L7OK")


async def test_https_with_an_untrusted_certificate_fails_the_handshake(certificate: Path) -> None:
    async with peer(says(OK), certificate=certificate) as port:
        result = await probe(check(get(port, tls=Tls("www.example.org", verify=True))), LOCALHOST)

    assert outcome(result) == (False, "L6RSP")


async def test_https_to_a_server_without_tls_fails_the_handshake() -> None:
    async with peer(peers.says_to_anything(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        result = await probe(check(get(port, tls=UNVERIFIED)), LOCALHOST)

    assert outcome(result) == (False, "L6RSP")


async def test_http_to_a_server_with_tls_fails(certificate: Path) -> None:
    async with peer(says(OK), certificate=certificate) as port:
        result = await probe(check(get(port)), LOCALHOST)

    assert outcome(result) == FAILED


async def test_https_silence_after_the_handshake_is_a_timeout_of_the_answer(
    certificate: Path, patient_clock: MockClock
) -> None:
    async with peer(peers.silent, certificate=certificate) as port:
        result = await probe(check(get(port, tls=UNVERIFIED), timeout_s=2), LOCALHOST)

    assert outcome(result) == (False, "L7TOUT")
    assert patient_clock.current_time() >= 2


async def test_https_silence_before_the_handshake_is_a_timeout_of_the_handshake(patient_clock: MockClock) -> None:
    async with peer(peers.silent) as port:
        result = await probe(check(get(port, tls=UNVERIFIED), timeout_s=2), LOCALHOST)

    assert outcome(result) == (False, "L6TOUT")
    assert patient_clock.current_time() >= 2


async def test_https_reset_after_the_handshake_fails(certificate: Path) -> None:
    async with peer(peers.resets_after(b""), certificate=certificate) as port:
        result = await probe(check(get(port, tls=UNVERIFIED)), LOCALHOST)

    assert outcome(result) == FAILED


async def test_a_server_that_wants_our_certificate_fails_the_handshake(certificate: Path) -> None:
    # With TLS 1.3 that comes when our side of the handshake is long done.
    async with peer(peers.demands_certificate(certificate)) as port:
        result = await probe(check(get(port, tls=UNVERIFIED)), LOCALHOST)

    assert outcome(result) == (False, "L6RSP")
    assert "certificate required" in result.detail


async def test_a_probe_leaves_no_tls_stream_for_the_garbage_collection(patient_clock: MockClock) -> None:
    """A closed one refers to itself, with 48 kB, and full collections are rare."""
    gc.collect()
    gc.disable()
    try:
        async with peer(peers.silent) as port:
            await probe(check(get(port, tls=UNVERIFIED), timeout_s=2), LOCALHOST)
        await trio.testing.wait_all_tasks_blocked()
        left = [one for one in gc.get_objects() if isinstance(one, trio.SSLStream) and vars(one)]
    finally:
        gc.enable()

    assert left == []
