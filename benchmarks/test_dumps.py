"""The two dumps of a large table: by our decoder and by vpp_papi's, on the same bytes; and a whole audit.

vpp_papi's serializer alone is not how vpp_papi decodes: its client takes each message through a queue between
processes. So that is timed too, on a table of a fifth, from the socket to the records; ours then from the socket as
well, in CPU seconds of the client on both sides, as it is not VPP that is measured.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from pytest_benchmark.fixture import BenchmarkFixture
from vpp_papi.vpp_papi import VPPApiClient, VPPApiJSONFiles

from benchmarks import collecting, fleet, vpps
from maglev.core.desired import desired, resolve
from maglev.core.health import State
from maglev.core.model import VipKey
from maglev.core.plan import SetConf, plan
from maglev.vpp.records import BackendRecord, Records, VipRecord
from maglev.vpp.transport import Call
from tests.real_vpp import Sockets

SHIPPED_VIPS = fleet.VIPS // 5
PAPI_RECORDS = 2000  # of each dump: it takes its time, in proportion


@dataclass(frozen=True, slots=True)
class Dumped:
    """What VPP answered, and the definitions that it told."""

    records: Records
    vips: list[bytes]
    backends: list[bytes]
    definitions: bytes
    from_socket_s: float
    """CPU seconds of ours from the request to the records."""


@pytest.fixture(scope="module")
def dumped() -> Dumped:
    with collecting.as_maglevd():
        return trio.run(_dump)


async def _dump() -> Dumped:
    with vpps.vpp() as vpp:
        async with vpps.session(vpp) as session:
            assert not any(await session.execute(fleet.building()))
            records, transport = session.table._records, session.transport
            taken: list[float] = []
            for _ in range(3):
                began = time.process_time()
                vips, backends = await transport.exchange([records.vips, records.backends])
                records.read_vips(vips)
                records.read_backends(backends)
                taken.append(time.process_time() - began)
            reply = await transport.call(Call("get_api_json", b"", "get_api_json_reply"))
            return Dumped(records, vips, backends, reply[14:].rstrip(b"\0"), min(taken))


def papi(dumped: Dumped, name: str) -> Callable[[bytes], Any]:
    """As vpp_papi's client decodes a message, without the queue it comes through."""
    messages, _ = VPPApiJSONFiles.process_json_array_str(dumped.definitions.decode())
    message = messages[name]
    return lambda frame: message.unpack(frame)[0]


def as_shipped() -> float:
    """CPU seconds a record from the request to the list of records, by vpp_papi's client."""
    with vpps.vpp() as vpp:
        trio.run(_fill, vpp, SHIPPED_VIPS)
        client = VPPApiClient(server_address=vpp.api, bootstrapapi=True)
        client.connect("benchmark")
        began = time.process_time()
        count = len(client.api.lb_vip_dump()) + len(client.api.lb_as_v2_dump())
        client.disconnect()
        took = time.process_time() - began
    assert count == SHIPPED_VIPS * (1 + fleet.EACH)
    return took / count


async def _fill(vpp: Sockets, vips: int) -> None:
    async with vpps.session(vpp) as session:
        assert not any(await session.execute(fleet.building(vips)))


@pytest.mark.filterwarnings("ignore")  # vpp_papi's client has its own
def test_both_dumps(benchmark: BenchmarkFixture, dumped: Dumped) -> None:
    def ours() -> tuple[list[VipRecord], dict[VipKey, list[BackendRecord]]]:
        return dumped.records.read_vips(dumped.vips), dumped.records.read_backends(dumped.backends)

    papi_vip, papi_backend = papi(dumped, "lb_vip_details"), papi(dumped, "lb_as_v2_details")
    vips, by_vip = ours()
    backends = [backend for vip in vips for backend in by_vip[vip.key]]
    assert (len(vips), len(backends)) == (fleet.VIPS, fleet.VIPS * fleet.EACH)
    for mine, frame in zip(vips[:100], dumped.vips, strict=False):
        key = papi_vip(frame).vip
        assert mine.key.prefix == key.pfx.network
        assert (mine.key.protocol, mine.key.port) == (key.protocol, key.port)
    for found, frame in zip(backends[:100], dumped.backends, strict=False):
        record = papi_backend(frame)
        assert (found.address, found.weight, found.buckets) == (record.app_srv, record.weight, record.num_buckets)
    began = time.perf_counter()
    for frame in dumped.vips[:PAPI_RECORDS]:
        papi_vip(frame)
    middle = time.perf_counter()
    for frame in dumped.backends[:PAPI_RECORDS]:
        papi_backend(frame)
    ended = time.perf_counter()
    papi_s = (middle - began) / PAPI_RECORDS * len(vips) + (ended - middle) / PAPI_RECORDS * len(backends)
    ours_s = min(_seconds(ours) for _ in range(5))
    shipped_s = as_shipped() * (len(vips) + len(backends))
    benchmark.extra_info |= {
        "records": len(vips) + len(backends),
        "ours_ms": round(ours_s * 1e3, 1),
        "serializer_ms": round(papi_s * 1e3),
        "times_faster_than_its_serializer": round(papi_s / ours_s),
        "ours_from_socket_ms": round(dumped.from_socket_s * 1e3),
        "vpp_papi_as_shipped_ms": round(shipped_s * 1e3),
        "times_faster_as_shipped": round(shipped_s / dumped.from_socket_s),
    }

    benchmark(ours)


def test_an_audit_that_finds_nothing_to_do(benchmark: BenchmarkFixture) -> None:
    with collecting.as_maglevd():
        best = benchmark.pedantic(trio.run, args=(_audits,), rounds=1)
    benchmark.extra_info |= {f"{part}_ms": round(took * 1e3) for part, took in best.items()}
    benchmark.extra_info |= {"all_ms": round(sum(best.values()) * 1e3), "against": vpps.KIND}


async def _audits() -> dict[str, float]:
    """CPU seconds of ours for each part: reading VPP's answers, what is wished for, and the plan."""
    with vpps.vpp() as vpp:
        async with vpps.session(vpp) as session:
            assert not any(await session.execute(fleet.building()))
            await session.audit()  # the first one looks up routes
            servers, sites = fleet.backends(), fleet.frontends()
            states = dict.fromkeys(servers, State.UP)
            resolved = {site.name: resolve(site, states) for site in sites.values()}
            best: dict[str, float] = {}
            for _ in range(3):
                began = time.process_time()
                audit = await session.audit()
                read = time.process_time()
                wish = desired(fleet.CONF, sites.values(), resolved, servers)
                wished = time.process_time()
                assert plan(wish, audit.observed) == (SetConf(fleet.CONF),)
                planned = time.process_time()
                parts = {"audit": read - began, "desired": wished - read, "plan": planned - wished}
                best = {part: min(took, best.get(part, took)) for part, took in parts.items()}
    return best


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
