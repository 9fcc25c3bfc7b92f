"""docs/counters.md: the names of a row are one number, all the way from VPP's memory, and each number has its row."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
import trio
from google.protobuf.message import Message

from maglev.cli.render import counters as rendered
from maglev.cli.render.page import Fields, Table
from maglev.core.counters import Figures, Indexes, Sample
from maglev.core.lives import Lives
from maglev.core.model import TCP, Encap, VipKey
from maglev.core.observed import Observed, ObservedBackend, ObservedVip
from maglev.core.status import Status
from maglev.emulator.segment import SegmentWriter
from maglev.emulator.stats_server import serve
from maglev.metrics.collector import registry_for
from maglev.metrics.counting import EventCounters
from maglev.rpc._pb import maglev_pb2 as pb
from maglev.rpc.counters import lb_counters
from maglev.vpp.stats import BOOTTIME, LB_COUNTERS, ROUTE_TO, ROUTE_VIA, open_stats
from tests.contrib import rules
from tests.docs.pages import code, marked, rows
from tests.metrics.reading import parse_text, text_of
from tests.rpc import statuses

PAGE = "docs/counters.md"
NAMES, AUDITED = rows(marked(PAGE, "names")), rows(marked(PAGE, "audited"))

WEB = VipKey(ip_network("10.1.0.0/24"), TCP, 80)
WEB1 = ip_address("10.1.0.1")
INDEXES = Indexes({WEB: 3}, {WEB.prefix: 40}, {WEB1: 41})
PLACES = {"VIP": 3, "index 0": 0, "route of the prefix": 40, "route of the backend": 41}
BUCKETS, FLOWS = 711, 713


def counted() -> dict[str, int]:
    """Another number for each cell of VPP's column."""
    return {cell: 1000 + 7 * number for number, (*_, cell) in enumerate(NAMES)}


def place(cell: str) -> tuple[str, int]:
    """Which counter, or which part of a combined one, and its index."""
    (name,) = code(cell)
    (index,) = [index for words, index in PLACES.items() if cell.endswith(f", {words}")]
    part = re.search(r"` (packets|bytes),", cell)
    return f"{name} {part[1]}" if part else name, index


def filled(writer: SegmentWriter) -> None:
    told = {place(cell): number for cell, number in counted().items() if "`" in cell and "index 0" not in cell}
    (unmatched,) = [number for cell, number in counted().items() if "index 0" in cell]
    writer.set_scalar(BOOTTIME, 1_700_000_000)
    for counter in LB_COUNTERS:
        simple = writer.simple(counter, 1)
        simple.validate(3)
        simple.add(0, 3, told[counter, 3])
    writer.simple(LB_COUNTERS[3], 1).add(0, 0, unmatched)
    for path, name in ((ROUTE_TO, "to"), (ROUTE_VIA, "via")):
        combined = writer.combined(path, 1)
        combined.validate(41)
        for index in (40, 41):
            packets, octets = (told.get((f"{name} {part}", index), 1) for part in ("packets", "bytes"))
            combined.add(0, index, packets, octets)


async def read(path: str) -> Figures:
    """What maglevd reads of a VPP in which each counter of the table has a number of its own."""
    with closing(SegmentWriter(256 << 10)) as writer:
        filled(writer)
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, path, writer)
            with closing(await open_stats(path)) as stats:
                figures = stats.read(INDEXES, statuses.NOW_NS)
            nursery.cancel_scope.cancel()
    return figures


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    lives = Lives()
    for _ in lives.fold(trio.run(read, str(tmp_path_factory.mktemp("vpp") / "stats.sock"))):
        pass
    assert lives.sample is not None
    return lives.sample


@pytest.fixture(scope="module")
def status(sample: Sample) -> Status:
    backends = {WEB1: ObservedBackend(100, buckets=BUCKETS, flows=FLOWS)}
    table = Observed(statuses.OBSERVED.conf, {WEB: ObservedVip(Encap.GRE4, False, 1024, backends)})
    return replace(statuses.FULL, lb=replace(statuses.LB, observed=table, audited=table), sample=sample)


@pytest.fixture(scope="module")
def answer(status: Status) -> pb.VPPLBCounters:
    """Of the RPC, to which JSON is the same."""
    assert status.sample is not None
    assert status.lb is not None
    merged = pb.VPPLBCounters()
    for part in lb_counters(status.sample, status.lb, status.health.backends, 5.0):
        merged.MergeFrom(part)
    return merged


@pytest.fixture(scope="module")
def metrics(status: Status) -> dict[str, float]:
    page = registry_for(lambda: status, EventCounters())
    shown = parse_text(text_of(page, is_openmetrics=False))
    return {_name(each.name, each.labels): each.value for family in shown for each in family.samples}


def _name(name: str, labels: Mapping[str, str]) -> str:
    return f'{name}{{kind="{labels["kind"]}"}}' if "kind" in labels else name


@pytest.fixture(scope="module")
def page(answer: pb.VPPLBCounters) -> dict[str, str]:
    """Columns and fields of `show vpp lb counters` with their values."""
    found: dict[str, str] = {}
    for section in rendered.counters(answer, answer.taken_at_ns):
        if isinstance(section, Fields):
            found |= dict(section.pairs)
        elif isinstance(section, Table):
            (row,) = section.rows
            found |= {column.title: cell for column, cell in zip(section.columns, row, strict=True)}
    return found


def in_json(message: Message, path: str) -> object:
    value: object = message
    for key in path.split("."):
        value = getattr(value, key)
        value = value[0] if not isinstance(value, int | float | str) and hasattr(value, "__getitem__") else value
    return value


COUNTED = [row for row in NAMES if not row[-1].startswith("none")]


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row[1].strip("`"))
def test_the_names_of_a_row_are_one_number(
    row: list[str], answer: pb.VPPLBCounters, metrics: dict[str, float], page: dict[str, str]
) -> None:
    _, column, key, metric, cell = row
    number = counted()[cell]

    assert page[code(column)[0]] == str(number)
    assert in_json(answer, code(key)[0]) == number
    assert metrics[code(metric)[0]] == number


def test_the_row_of_the_time_is_the_time(
    answer: pb.VPPLBCounters, metrics: dict[str, float], page: dict[str, str]
) -> None:
    (row,) = [row for row in NAMES if row not in COUNTED]
    _, column, key, metric, _ = row

    assert page[code(column)[0]].endswith("(0s ago)")
    assert in_json(answer, code(key)[0]) == statuses.NOW_NS
    assert metrics[code(metric)[0]] == statuses.NOW_NS / 1e9


def test_what_an_audit_counts_is_one_number_too(answer: pb.VPPLBCounters, metrics: dict[str, float]) -> None:
    for (_, column, key, metric), number in zip(AUDITED, (BUCKETS, FLOWS), strict=True):
        assert code(key)[0].rpartition(".")[2] == code(column)[0]
        assert in_json(answer, code(key)[0]) == number
        assert metrics[code(metric)[0]] == number


def test_every_column_of_maglevc_has_its_row_and_no_other_does(page: dict[str, str]) -> None:
    keys = {"vip", "port", "backend", "address"}  # they say whose row it is

    assert [code(row[1])[0] for row in NAMES if code(row[1])[0] not in page] == []
    assert set(page) - keys == {code(row[1])[0] for row in NAMES}


def test_every_figure_of_the_rpc_has_its_row() -> None:
    about = {"prefix", "protocol", "port", "backends", "address", "interval_s", "audited_at_ns", "weight"}
    messages: dict[str, type[Message]] = {
        "": pb.VPPLBCounters,
        "vips.": pb.VPPLBVIPCounters,
        "backends.": pb.VPPLBBackendCounters,
        "vips.application_servers.": pb.VPPLBAS,
    }
    figures = {
        f"{where}{each.name}"
        for where, message in messages.items()
        for each in message.DESCRIPTOR.fields
        if each.message_type is None and each.name not in about and not each.name.endswith("since_ns")
    }

    assert figures == {code(row[2])[0] for row in (*NAMES, *AUDITED)}


def test_every_metric_of_traffic_has_its_row(metrics: dict[str, float]) -> None:
    of_traffic = {name for name in metrics if re.match("maglev_vpp_(vip_(packets|route)|backend|unmatched)", name)}
    named = {code(row[3])[0] for row in (*NAMES, *AUDITED)}

    assert of_traffic == named - {"maglev_vpp_sample_timestamp_seconds"}


def test_the_alerts_are_those_that_read_counters() -> None:
    table = {code(metric)[0]: re.findall(r"\[(\w+)\]", alert) for metric, alert in rows(marked(PAGE, "alerts"))}
    reads = re.compile(r"maglev_vpp_(?:vip_|backend_|unmatched_|sample_timestamp)")
    known = {alert.name: alert for alert in rules.alerts()}

    assert sorted(name for names in table.values() for name in names) == sorted(
        alert.name for alert in known.values() if reads.search(alert.expr.replace("maglev_vpp_vip_refused", ""))
    )
    for metric, names in table.items():
        assert all(metric in known[name].expr for name in names)
