import tracemalloc
from ipaddress import IPv6Address, ip_address

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

import maglev
from maglev.core.model import ProbeResult
from maglev.probes.http import MAX_BODY, MAX_HEAD, MAX_INTERIM, _host, _judge
from maglev.probes.verdict import MAX_DETAIL, Code
from tests.probes import peers
from tests.probes.peers import FAILED, LOCALHOST, OK, check, get, outcome, peer, probe, says


async def ask(handler: peers.Handler, body_regexp: str | None = None, timeout_s: float = 30.0) -> ProbeResult:
    async with peer(handler) as port:
        return await probe(check(get(port, body_regexp=body_regexp), timeout_s), LOCALHOST)


async def test_a_status_in_range_passes() -> None:
    result = await ask(says(OK))

    assert outcome(result) == (True, "L7OK")
    assert result.detail == "HTTP 200 OK"


async def test_ipv6_backends_are_asked_too(ipv6: str) -> None:
    async with peer(says(OK), ipv6) as port:
        result = await probe(check(get(port)), ip_address(ipv6))

    assert outcome(result) == (True, "L7OK")


async def test_the_request_says_what_it_must() -> None:
    seen: list[bytes] = []

    async def notes_request(stream: peers.Stream) -> None:
        seen.append(await peers.head_of_request(stream))
        await stream.send_all(OK)

    async with peer(notes_request) as port:
        await probe(check(get(port, path="/healthz?full=1")), LOCALHOST)
        await probe(check(get(port, host="www.example.org")), LOCALHOST)

    first, second = (request.decode().split("\r\n") for request in seen)
    assert first[0] == "GET /healthz?full=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in first
    assert f"User-Agent: maglev/{maglev.__version__}" in first
    assert "Connection: close" in first
    assert "Host: www.example.org" in second


@pytest.mark.parametrize(
    ("address", "port", "usual", "expected"),
    [
        ("192.0.2.1", 80, 80, "192.0.2.1"),
        ("192.0.2.1", 8080, 80, "192.0.2.1:8080"),
        ("2001:db8::1", 443, 443, "[2001:db8::1]"),
        ("2001:db8::1", 8443, 443, "[2001:db8::1]:8443"),
    ],
)
def test_the_host_header_names_the_port_only_when_it_is_unusual(
    address: str, port: int, usual: int, expected: str
) -> None:
    assert _host(ip_address(address), port, usual) == expected


def test_the_host_header_holds_no_zone() -> None:
    assert _host(IPv6Address("fe80::1%eth0"), 80, 80) == "[fe80::1]"


@pytest.mark.parametrize(
    ("status", "codes", "passes"),
    [
        (200, ((200, 299),), True),
        (299, ((200, 299),), True),
        (199 + 101, ((200, 299),), False),
        (404, ((200, 299), (404, 404)), True),
        (403, ((200, 299), (404, 404)), False),
        (503, ((200, 299),), False),
    ],
)
async def test_the_status_is_held_against_every_range(
    status: int, codes: tuple[tuple[int, int], ...], passes: bool
) -> None:
    async with peer(says(b"HTTP/1.1 %d Some reason\r\nContent-Length: 0\r\n\r\n" % status)) as port:
        result = await probe(check(get(port, codes=codes)), LOCALHOST)

    assert outcome(result) == ((True, "L7OK") if passes else (False, "L7STS"))
    assert result.detail == f"HTTP {status} Some reason"


async def test_a_redirect_is_not_followed() -> None:
    async def followed(stream: peers.Stream) -> None:
        raise AssertionError("the probe followed the redirect")

    async with peer(followed) as elsewhere:
        result = await ask(
            says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere)
        )

    assert outcome(result) == (False, "L7STS")


async def test_a_status_counts_though_its_body_never_comes() -> None:
    result = await ask(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"))

    assert outcome(result) == (True, "L7OK")


async def test_a_status_counts_though_the_connection_is_reset_behind_it() -> None:
    result = await ask(peers.resets_after(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n"))

    assert outcome(result) == (False, "L7STS")


async def test_interim_answers_are_passed_over() -> None:
    result = await ask(says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * MAX_INTERIM + OK))

    assert outcome(result) == (True, "L7OK")


async def test_endless_interim_answers_fail() -> None:
    async def hints_for_ever(stream: peers.Stream) -> None:
        while True:
            await stream.send_all(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)

    assert outcome(await ask(hints_for_ever)) == FAILED


async def test_a_body_that_matches_passes() -> None:
    assert outcome(await ask(says(OK), body_regexp="^hel+o$")) == (True, "L7OK")


async def test_a_body_in_chunks_is_put_together() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"

    assert outcome(await ask(says(answer), body_regexp="^hello$")) == (True, "L7OK")


async def test_a_body_until_the_close_is_taken_whole() -> None:
    assert outcome(await ask(says(b"HTTP/1.0 200 OK\r\n\r\nhello"), body_regexp="^hello$")) == (True, "L7OK")


async def test_a_body_that_is_no_utf8_can_match() -> None:
    answer = b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe status: ready"

    assert outcome(await ask(says(answer), body_regexp="ready")) == (True, "L7OK")


async def test_a_body_that_does_not_match_fails() -> None:
    result = await ask(says(OK), body_regexp="goodbye")

    assert outcome(result) == FAILED
    assert result.detail == "the body did not match response-regexp"


async def test_a_body_is_not_asked_about_when_the_status_is_wrong() -> None:
    result = await ask(says(b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nhello"), body_regexp="hello")

    assert outcome(result) == (False, "L7STS")


async def test_a_body_shorter_than_promised_fails() -> None:
    result = await ask(says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello"), body_regexp="hello")

    assert outcome(result) == FAILED


async def test_a_match_beyond_the_bound_is_not_found() -> None:
    padding = b"x" * MAX_BODY
    result = await ask(says(b"HTTP/1.0 200 OK\r\n\r\n" + padding + b"hello"), body_regexp="hello")

    assert outcome(result) == FAILED
    assert result.detail == f"the first {MAX_BODY} bytes of the body did not match response-regexp"


async def test_a_match_just_within_the_bound_is_found() -> None:
    padding = b"x" * (MAX_BODY - 5)
    result = await ask(says(b"HTTP/1.0 200 OK\r\n\r\n" + padding + b"hello" + padding), body_regexp="hello")

    assert outcome(result) == (True, "L7OK")


@pytest.mark.parametrize("body_regexp", [None, "never"])
async def test_a_body_of_a_gigabyte_costs_little_memory(body_regexp: str | None) -> None:
    sent = 0
    block = bytes(64 * 1024)

    async def floods(stream: peers.Stream) -> None:
        nonlocal sent
        await peers.head_of_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while True:
            await stream.send_all(block)
            sent += len(block)

    tracemalloc.start()
    try:
        result = await ask(floods, body_regexp=body_regexp)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert outcome(result) == (FAILED if body_regexp else (True, "L7OK"))
    assert sent < 64 * 1024 * 1024  # what the kernel buffers, not what the server has
    assert peak < 4 * 1024 * 1024


async def test_endless_headers_fail() -> None:
    sent = 0

    async def never_ends_its_head(stream: peers.Stream) -> None:
        nonlocal sent
        await peers.head_of_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n")
        while True:
            await stream.send_all(b"X-Filler: filler\r\n" * 64)
            sent += 1152

    result = await ask(never_ends_its_head)

    assert outcome(result) == FAILED
    assert sent < 1000 * MAX_HEAD


async def test_one_endless_line_fails() -> None:
    assert outcome(await ask(says(b"HTTP/1.1 200 " + b"O" * 2 * MAX_HEAD))) == FAILED


async def test_a_slow_drip_is_a_timeout_of_the_answer(patient_clock: MockClock) -> None:
    async def drips(stream: peers.Stream) -> None:
        for byte in OK:
            await trio.sleep(0.4)
            await stream.send_all(bytes((byte,)))

    result = await ask(drips, timeout_s=2)

    assert outcome(result) == (False, "L7TOUT")
    assert result.detail == "no complete HTTP answer within 2 s"
    assert 2 <= patient_clock.current_time() < 4


async def test_a_drip_that_ends_in_time_passes(patient_clock: MockClock) -> None:
    async def drips(stream: peers.Stream) -> None:
        await peers.head_of_request(stream)
        for start in range(0, len(OK), 16):
            await trio.sleep(0.5)
            await stream.send_all(OK[start : start + 16])

    result = await ask(drips, body_regexp="hello", timeout_s=2)

    assert outcome(result) == (True, "L7OK")
    assert 1.5 <= result.duration_s < 2
    assert patient_clock.current_time() < 2


async def test_a_silent_server_is_a_timeout_of_the_answer(patient_clock: MockClock) -> None:
    assert outcome(await ask(peers.silent, timeout_s=1)) == (False, "L7TOUT")
    assert patient_clock.current_time() >= 1


async def test_a_body_that_stops_is_a_timeout_of_the_answer(patient_clock: MockClock) -> None:
    async def stops_midway(stream: peers.Stream) -> None:
        await peers.head_of_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")
        await peers.silent(stream)

    assert outcome(await ask(stops_midway, body_regexp="hello", timeout_s=1)) == (False, "L7TOUT")
    assert patient_clock.current_time() >= 1


async def test_an_http_check_of_a_closed_port_is_no_connection() -> None:
    result = await probe(check(get(peers.closed_port())), LOCALHOST)

    assert outcome(result) == (False, "L4CON")


async def test_an_http_check_of_a_deaf_port_is_a_timeout_of_the_connection(patient_clock: MockClock) -> None:
    with peers.deaf_port() as port:
        result = await probe(check(get(port), timeout_s=1), LOCALHOST)

    assert outcome(result) == (False, "L4TOUT")
    assert patient_clock.current_time() >= 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html>hello</html>",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"\x00\xff" * 500,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_answer_fails(answer: bytes) -> None:
    assert outcome(await ask(says(answer))) == FAILED


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b"<", b"\x15\x03\x03"])
async def test_who_greets_in_another_protocol_is_not_waited_for(greeting: bytes, patient_clock: MockClock) -> None:
    async def greets(stream: peers.Stream) -> None:
        await stream.send_all(greeting)
        await peers.silent(stream)

    result = await ask(greets)

    assert outcome(result) == FAILED
    assert result.detail == f"no HTTP answer: it begins with {greeting!r}"
    assert patient_clock.current_time() == 0


async def test_an_answer_may_begin_byte_by_byte() -> None:
    ours, theirs = memory_stream_pair()

    async def drips() -> None:
        for byte in OK:
            await theirs.send_all(bytes((byte,)))
            await wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drips)
        verdict = await _judge(ours, bytes(await ours.receive_some()), get(80))

    assert verdict.code is Code.L7OK


async def test_a_close_says_so() -> None:
    for answer in (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"):
        result = await ask(says(answer))

        assert outcome(result) == FAILED
        assert result.detail == "closed without an HTTP answer"


async def test_a_close_at_once_fails() -> None:
    assert outcome(await ask(peers.closes)) == FAILED


async def test_a_reset_fails() -> None:
    assert outcome(await ask(peers.resets_after(b""))) == FAILED
    assert outcome(await ask(peers.resets_at_once)) == FAILED


async def test_an_answer_before_the_request_was_read_counts() -> None:
    async def answers_unasked(stream: peers.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n")
        await peers.silent(stream)

    assert outcome(await ask(answers_unasked)) == (False, "L7STS")


async def test_a_broken_chunk_fails() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello"

    assert outcome(await ask(says(answer), body_regexp="hello")) == FAILED


async def test_a_reason_with_control_characters_does_not_reach_the_terminal() -> None:
    result = await ask(says(b"HTTP/1.1 500 \xc3\xa9\x9b31m\r\nContent-Length: 0\r\n\r\n"))

    assert outcome(result) == (False, "L7STS")
    assert result.detail == r"HTTP 500 \xc3\xa9\x9b31m"


@settings(max_examples=60, deadline=None)
@given(answer=st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail))
async def test_no_answer_at_all_makes_a_probe_raise(answer: bytes) -> None:
    result = await ask(says(answer), body_regexp="x")

    assert result.code in {"L7OK", "L7STS", "L7RSP"}
    assert result.passed == (result.code == "L7OK")
    assert result.detail.isascii()
    assert result.detail.isprintable()
    assert len(result.detail) <= MAX_DETAIL
