"""The pages and JSON of a large site by maglevc, by rich and by protobuf's own writer, the answers compared."""

import io
import json

import pytest
from google.protobuf.json_format import MessageToJson
from pytest_benchmark.fixture import BenchmarkFixture
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from maglev.cli.render import as_json, health, layout
from maglev.rpc._pb import maglev_pb2 as pb

BACKENDS = 10_000
NOW = 1_790_000_000_000_000_000
TITLES = ("name", "address", "state", "for", "health", "why")


def answer() -> pb.ListBackendsResponse:
    failed = {"from": "up", "to": "down", "code": "L4CON", "detail": "connection refused"}
    return pb.ListBackendsResponse(
        backends=[
            pb.BackendInfo(
                name=f"backend-{number:05}",
                address=f"10.0.{number // 256}.{number % 256}",
                state=("up", "down", "unknown")[number % 3],
                healthcheck="http-check",
                enabled=True,
                counter=2,
                counter_max=4,
                rise=2,
                changed_at_ns=NOW - number,
                transitions=[pb.TransitionInfo(at_ns=NOW - number, **failed)] * 5,
            )
            for number in range(BACKENDS)
        ]
    )


ANSWER = answer()


def ours(width: int | None) -> list[str]:
    return layout.lines(health.backends(ANSWER.backends, NOW), width, layout.coloured)


def richs() -> list[str]:
    (table,) = health.backends(ANSWER.backends, NOW)
    assert isinstance(table, layout.Table)
    drawn = RichTable(*TITLES, box=SIMPLE)
    for row in table.rows:
        drawn.add_row(*row[: len(TITLES)])
    console = Console(file=io.StringIO(), width=80)
    console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 160, None])
def test_a_table_of_10000_rows(benchmark: BenchmarkFixture, width: int | None) -> None:
    lines = ours(width)
    assert len(lines) == (BACKENDS + 1 if width != 40 else 2 * BACKENDS + 3)
    assert sum("backend-09999" in line and "10.0.39.15" in line for line in lines) == 1

    benchmark(ours, width)


def test_the_same_table_by_rich(benchmark: BenchmarkFixture) -> None:
    assert sum("backend-" in line for line in richs()) == BACKENDS

    benchmark.pedantic(richs, rounds=1)


def test_json_of_10000_backends(benchmark: BenchmarkFixture) -> None:
    theirs = json.loads(MessageToJson(ANSWER, preserving_proto_field_name=True))
    told = json.loads(as_json.document(ANSWER))
    assert [each["name"] for each in told["backends"]] == [each["name"] for each in theirs["backends"]]
    assert [each["transitions"][0]["code"] for each in told["backends"]] == ["L4CON"] * BACKENDS

    benchmark(as_json.document, ANSWER)


def test_the_same_json_by_protobuf(benchmark: BenchmarkFixture) -> None:
    benchmark(MessageToJson, ANSWER, preserving_proto_field_name=True)
