import asyncio
import contextlib
import gzip
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser

import pytest

from maglev.errors import ConfigError
from maglev.metrics import listener
from maglev.metrics.collector import registry_for
from maglev.metrics.counting import EventCounters
from maglev.metrics.exposition import Family, Page
from maglev.metrics.listener import Limits, Listener
from tests.metrics.reading import parse_openmetrics, parse_text
from tests.rpc import statuses

PATIENCE_S = 10.0  # how long a test waits for what should come at once


@dataclass(frozen=True)
class Response:
    code: int
    headers: Message
    body: bytes


def page() -> Page:
    return registry_for(lambda: statuses.FULL, EventCounters())


def with_listener(
    use: Callable[[Listener], Awaitable[None]], limits: Limits | None = None, shown: Page | None = None
) -> None:
    async def main() -> None:
        running = await listener.start("127.0.0.1:0", shown or page(), limits)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await use(running)
        finally:
            await running.stop()
        assert len(asyncio.all_tasks()) == 1  # nothing of a connection is left

    asyncio.run(main())


async def exchange(port: int, request: bytes) -> bytes:
    """Everything that comes back for `request`, until the listener closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def parsed(answer: bytes) -> Response:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, _, headers = head.partition(b"\r\n")
    version, code, _ = line.split(b" ", 2)
    assert version == b"HTTP/1.1"
    return Response(int(code), BytesParser().parsebytes(headers), body)


def ask(request: bytes, limits: Limits | None = None, shown: Page | None = None) -> Response:
    answers: list[bytes] = []

    async def use(running: Listener) -> None:
        answers.append(await exchange(running.port, request))

    with_listener(use, limits, shown)
    return parsed(answers[0])


def get(path: str, **headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_metrics_come_as_text_that_a_scraper_reads() -> None:
    response = ask(get("/metrics"))

    assert response.code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(response.headers["Content-Length"]) == len(response.body)
    assert response.headers["Connection"] == "close"
    names = {family.name for family in parse_text(response.body.decode())}
    assert {"maglev_backend_state", "maglev_vpp_vip_packets", "maglev_probe"} <= names


def test_openmetrics_is_served_to_who_asks_for_it() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    response = ask(get("/metrics", Accept=accept))

    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.body.endswith(b"# EOF\n")
    assert {"maglev_backend_state", "maglev_vpp_vip_packets"} <= {
        f.name for f in parse_openmetrics(response.body.decode())
    }


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=x", "text/plain;version=1.0.\xb2", ";;;,,,=", "*/*"]
)
def test_an_accept_header_of_nonsense_gets_plain_text(accept: str) -> None:
    response = ask(get("/metrics", Accept=accept))

    assert response.code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_the_escaping_that_is_named_is_the_one_that_names_are_written_in() -> None:
    for scheme, named in (("dots", "underscores"), ("values", "underscores"), ("allow-utf-8", "allow-utf-8")):
        response = ask(get("/metrics", Accept=f"application/openmetrics-text;version=1.0.0;escaping={scheme}"))

        assert response.headers["Content-Type"].endswith(f"; escaping={named}")
        assert "maglev_backend_state" in {family.name for family in parse_openmetrics(response.body.decode())}


def test_gzip_is_used_when_accepted() -> None:
    response = ask(get("/metrics", Accept_Encoding="gzip"))

    assert response.headers["Content-Encoding"] == "gzip"
    assert b"maglev_backend_state" in gzip.decompress(response.body)


def test_gzip_that_is_forbidden_is_not_used() -> None:
    response = ask(get("/metrics", Accept_Encoding="gzip;q=0"))

    assert response.headers["Content-Encoding"] is None
    assert b"maglev_backend_state" in response.body


def test_head_gets_the_length_and_no_body() -> None:
    response = ask(get("/metrics").replace(b"GET", b"HEAD"))

    assert response.code == 200
    assert int(response.headers["Content-Length"]) > 1000
    assert response.body == b""


def test_the_root_points_to_the_metrics() -> None:
    response = ask(get("/"))

    assert (response.code, response.body) == (200, b"maglevd: metrics are at /metrics\n")


@pytest.mark.parametrize("path", ["/metrics?name[]=x", "http://elsewhere/metrics", "/metrics#part"])
def test_queries_and_absolute_targets_reach_the_metrics(path: str) -> None:
    assert ask(get(path)).code == 200


@pytest.mark.parametrize("path", ["/metrics/", "/nothing", "/../etc/passwd", "*"])
def test_another_path_is_404(path: str) -> None:
    response = ask(get(path))

    assert (response.code, response.body) == (404, b"nothing here; metrics are at /metrics\n")


@pytest.mark.parametrize("method", [b"POST", b"DELETE", b"OPTIONS", b"BREW"])
def test_another_method_is_405_and_told_which_are_right(method: bytes) -> None:
    response = ask(get("/metrics").replace(b"GET", method))

    assert response.code == 405
    assert response.headers["Allow"] == "GET, HEAD"


def test_a_long_body_does_not_reset_the_answer_away() -> None:
    body = b"x" * 2_000_000
    head = b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)

    assert ask(head + body).code == 405


@pytest.mark.parametrize(
    "request_",
    [
        b"\r\n\r\n\r\n\r\nrubbish\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",  # no Host
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET http://[/metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,  # TLS
        b"\xff" * 100 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400(request_: bytes) -> None:
    assert ask(request_).code == 400


def test_another_version_of_http_is_505() -> None:
    assert ask(b"GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n").code == 505


@pytest.mark.parametrize("size", [30_000, 1_000_000])
def test_a_head_that_is_too_long_is_431(size: int) -> None:
    assert ask(get("/metrics", X_Long="x" * size)).code == 431


def test_a_head_just_below_the_bound_is_fine() -> None:
    assert ask(get("/metrics", X_Long="x" * 12_000)).code == 200


def test_half_a_request_and_a_closed_writing_side_is_400() -> None:
    answers: list[bytes] = []

    async def use(running: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"GET /metr")
        writer.write_eof()
        answers.append(await reader.read())
        writer.close()
        await writer.wait_closed()

    with_listener(use)
    assert parsed(answers[0]).code == 400


def test_a_peer_that_leaves_without_a_word_costs_nothing() -> None:
    async def use(running: Listener) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.close()
        await writer.wait_closed()
        assert parsed(await exchange(running.port, get("/"))).code == 200

    with_listener(use)


def test_a_request_that_dribbles_in_is_cut_at_the_deadline() -> None:
    answers: list[bytes] = []

    async def use(running: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")

        async def dribble() -> None:
            while True:  # ended by the test
                writer.write(b"X-More: 1\r\n")
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        answers.append(await reader.read())
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    with_listener(use, Limits(deadline_s=0.2))
    assert parsed(answers[0]).code == 408


def test_a_peer_that_takes_no_answer_is_cut_at_the_deadline() -> None:
    shown = Page((lambda: [Family("long", "", "gauge", ["x" * 1_000_000] * 20)],))

    async def use(running: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1)
        writer.write(get("/metrics"))
        await exchange(running.port, get("/"))  # by now the first one is accepted, too
        await asyncio.gather(*running._tasks)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(20_000_000)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    with_listener(use, Limits(deadline_s=0.3), shown)


def test_one_connection_too_many_is_503_and_room_comes_back() -> None:
    async def use(running: Listener) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        assert parsed(await reader.read()).code == 503
        writer.close()
        await writer.wait_closed()

        for _, each in idle:
            each.close()
            await each.wait_closed()
        await asyncio.gather(*running._tasks)
        assert parsed(await exchange(running.port, get("/"))).code == 200

    with_listener(use, Limits(connections=3))


def test_many_scrapers_at_once_are_all_served() -> None:
    async def use(running: Listener) -> None:
        answers = await asyncio.gather(*(exchange(running.port, get("/metrics")) for _ in range(40)))
        assert {parsed(answer).code for answer in answers} == {200}

    with_listener(use)


def test_a_collector_that_fails_is_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> list[Family]:
        raise ZeroDivisionError("on purpose")

    shown = Page((broken,))

    response = ask(get("/metrics"), shown=shown)

    assert response.code == 500
    assert b"on purpose" not in response.body
    assert "on purpose" in caplog.text


def test_stop_cuts_open_connections_and_frees_the_port() -> None:
    async def main() -> None:
        first = await listener.start("127.0.0.1:0", page())
        reader, writer = await asyncio.open_connection("127.0.0.1", first.port)
        await exchange(first.port, get("/"))  # by now the first connection is accepted, too
        await first.stop()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

        again = await listener.start(f"127.0.0.1:{first.port}", page())
        await again.stop()

    asyncio.run(main())


def test_a_port_in_use_is_refused_in_one_clear_line() -> None:
    async def main() -> str:
        first = await listener.start("127.0.0.1:0", page())
        try:
            with pytest.raises(ConfigError) as refused:
                await listener.start(f"127.0.0.1:{first.port}", page())
            return str(refused.value)
        finally:
            await first.stop()

    said = asyncio.run(main())
    assert "Address already in use; another program listens there" in said
    assert "\n" not in said


@pytest.mark.parametrize("address", ["", "9091", "unix:/tmp/metrics.sock", "nosuch.invalid:1"])
def test_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="cannot"):
        asyncio.run(listener.start(address, page()))


def test_nothing_is_left_open() -> None:
    ask(get("/metrics"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        ask(get("/metrics"))
    assert len(os.listdir("/proc/self/fd")) == before
