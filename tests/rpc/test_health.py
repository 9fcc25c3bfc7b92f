"""grpc.health.v1 over a real server: what clients are told, and that one who never reads keeps it from nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from maglev.core.status import Status
from maglev.rpc import server
from maglev.rpc.health import Health
from tests.rpc import statuses
from tests.rpc.served import answering
from tests.rpc.strangers import deaf_call

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
DEADLINE_S = 30.0  # for what is there at once unless something is broken


class Site:
    """A server that tells how "one" and "two" are, and a client of it."""

    def __init__(self, address: str, channel: grpc.aio.Channel, health: Health, levels: dict[str, bool]) -> None:
        self.address, self.health, self.levels = address, health, levels
        self._stub = health_pb2_grpc.HealthStub(channel)

    async def check(self, name: str) -> Any:
        return (await self._stub.Check(health_pb2.HealthCheckRequest(service=name))).status

    async def list(self) -> dict[str, int]:
        listed = await self._stub.List(health_pb2.HealthListRequest())
        return {name: each.status for name, each in listed.statuses.items()}

    def watch(self, name: str) -> Callable[[], Awaitable[Any]]:
        """Waits for the next that a new watcher is told."""
        stream = self._stub.Watch(health_pb2.HealthCheckRequest(service=name)).__aiter__()

        async def told() -> Any:
            return (await anext(stream)).status

        return told

    def move(self, name: str, *, is_serving: bool) -> None:
        self.levels[name] = is_serving
        self.health.look()


@asynccontextmanager
async def telling() -> AsyncIterator[Site]:
    levels = {"one": True, "two": True}
    health = Health((("one", lambda: levels["one"]), ("two", lambda: levels["two"])))
    running = grpc.aio.server()
    health.add_to(running)
    address = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    await running.start()
    health.look()
    async with asyncio.timeout(DEADLINE_S), grpc.aio.insecure_channel(address) as channel:
        yield Site(address, channel, health, levels)
    await running.stop(0.0)


def test_each_service_is_told_by_itself() -> None:
    async def main() -> None:
        async with telling() as site:
            assert [await site.check(name) for name in ("one", "two")] == [SERVING, SERVING]
            site.move("two", is_serving=False)
            assert [await site.check(name) for name in ("one", "two")] == [SERVING, NOT_SERVING]
            site.move("two", is_serving=True)
            assert [await site.check(name) for name in ("one", "two")] == [SERVING, SERVING]

    asyncio.run(main())


def test_whoever_asks_is_told_what_is_and_not_what_was_at_the_last_look() -> None:
    async def main() -> None:
        async with telling() as site:
            site.levels["one"] = False
            assert await site.check("one") == NOT_SERVING
            site.levels["one"] = True
            assert await site.list() == {"one": SERVING, "two": SERVING}
            site.levels["one"] = False
            assert await site.watch("one")() == NOT_SERVING

    asyncio.run(main())


def test_a_watcher_is_told_what_is_and_then_each_change() -> None:
    async def main() -> None:
        async with telling() as site:
            told = site.watch("two")
            assert await told() == SERVING
            site.move("one", is_serving=False)
            site.move("two", is_serving=False)
            assert await told() == NOT_SERVING
            site.move("two", is_serving=True)
            assert await told() == SERVING

    asyncio.run(main())


def test_an_unknown_service_is_not_found_and_a_watcher_of_it_waits() -> None:
    async def main() -> None:
        async with telling() as site:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await site.check("tow")
            assert failed.value.code() is grpc.StatusCode.NOT_FOUND
            assert failed.value.details() == "there is no service called 'tow'; there is 'one', 'two'"
            told = site.watch("tow")
            assert await told() == SERVICE_UNKNOWN
            waiting = asyncio.ensure_future(told())
            site.move("two", is_serving=False)
            assert await site.check("two") == NOT_SERVING
            assert not waiting.done()
            waiting.cancel()

    asyncio.run(main())


def test_a_watcher_who_never_reads_keeps_nothing_from_others() -> None:
    async def main() -> None:
        async with telling() as site:
            before = site.watch("two")
            assert await before() == SERVING
            request = health_pb2.HealthCheckRequest(service="two").SerializeToString()
            async with deaf_call(site.address, "/grpc.health.v1.Health/Watch", request):
                site.move("two", is_serving=False)
                assert await before() == NOT_SERVING
                assert await site.check("two") == NOT_SERVING
                after = site.watch("two")
                assert await after() == NOT_SERVING
                site.move("two", is_serving=True)
                assert (await before(), await after()) == (SERVING, SERVING)
                site.health.end()
                assert (await before(), await after()) == (NOT_SERVING, NOT_SERVING)

    asyncio.run(main())


def test_the_end_is_told_of_all_services_and_for_good() -> None:
    async def main() -> None:
        async with telling() as site:
            one, two = site.watch("one"), site.watch("two")
            assert (await one(), await two()) == (SERVING, SERVING)
            site.health.end()
            assert (await one(), await two()) == (NOT_SERVING, NOT_SERVING)
            site.move("one", is_serving=True)
            assert [await site.check(name) for name in ("one", "two")] == [NOT_SERVING, NOT_SERVING]

    asyncio.run(main())


def test_all_services_can_be_listed() -> None:
    async def main() -> None:
        async with telling() as site:
            site.move("two", is_serving=False)
            assert await site.list() == {"one": SERVING, "two": NOT_SERVING}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "is_awake", "expected"),
    [
        (statuses.FULL, True, {"": SERVING, "maglev.Maglev": SERVING, "vpp": SERVING}),
        (statuses.NO_VPP, True, {"": SERVING, "maglev.Maglev": SERVING, "vpp": NOT_SERVING}),
        (statuses.FULL, False, {"": NOT_SERVING, "maglev.Maglev": NOT_SERVING, "vpp": SERVING}),
    ],
    ids=["all is well", "no VPP", "the loop stands still"],
)
def test_the_services_of_maglevd_say_what_they_stand_for(
    status: Status, is_awake: bool, expected: dict[str, int]
) -> None:
    async def main() -> dict[str, int]:
        running = await server.start("127.0.0.1:0", replace(answering(lambda: status), is_awake=lambda: is_awake))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            told = {name: (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status for name in expected}
        await running.stop(0.0)
        return told

    assert asyncio.run(main()) == expected


def test_what_changes_by_itself_is_seen_by_itself() -> None:
    async def main() -> None:
        newest = [statuses.FULL]
        running = await server.start("127.0.0.1:0", answering(lambda: newest[0]))
        async with asyncio.timeout(DEADLINE_S), grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="vpp")).__aiter__()
            assert (await anext(stream)).status == SERVING
            newest[0] = statuses.NO_VPP
            assert (await anext(stream)).status == NOT_SERVING
        await running.stop(0.0)

    asyncio.run(main())
