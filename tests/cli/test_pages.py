import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev import dryrun
from maglev.cli.render import counters, health, layout, vpp
from maglev.cli.render.layout import Page
from maglev.core.forecast import Effect
from maglev.rpc._pb import maglev_pb2 as pb
from tests.cli import messages as m
from tests.cli.strangers import filled

MAKERS: dict[str, Callable[[Any], Page]] = {
    "ListFrontendsResponse": lambda answer: health.frontends(answer.frontends, m.NOW),
    "FrontendInfo": lambda answer: health.frontend(answer, m.NOW),
    "ListBackendsResponse": lambda answer: health.backends(answer.backends, m.NOW),
    "BackendInfo": lambda answer: health.backend(answer, m.NOW),
    "ListHealthChecksResponse": lambda answer: health.health_checks(answer.health_checks),
    "HealthCheckInfo": health.health_check,
    "VPPInfo": lambda answer: vpp.info(answer, m.NOW),
    "VPPLBState": lambda answer: vpp.state(answer, m.NOW),
    "VPPLBPlan": lambda answer: vpp.plan(answer, m.NOW),
    "SyncVPPLBStateResponse": lambda answer: vpp.synced(answer, m.NOW),
    "VPPLBCounters": lambda answer: counters.counters(answer, m.NOW),
}


def words(page: Page) -> list[list[str]]:
    return [line.split() for line in layout.lines(page, None, layout.plain)]


@pytest.mark.parametrize("kind", MAKERS)
@given(st.data(), st.integers(4, 170) | st.none())
def test_any_answer_has_a_page_that_no_terminal_minds(kind: str, data: st.DataObject, width: int | None) -> None:
    lines = layout.lines(MAKERS[kind](data.draw(filled(kind))), width, layout.plain)

    assert lines
    assert all(line.isprintable() for line in lines)


def test_what_vpp_refuses_stands_below_the_frontends() -> None:
    fine, refused = pb.FrontendInfo(name="web"), pb.FrontendInfo(name="shop", refused="VPP says no")

    assert words(health.frontends([fine, refused], m.NOW))[-2:] == [
        ["name", "vpp-refuses"],
        ["shop", "VPP", "says", "no"],
    ]
    assert not any("refuses" in str(line) for line in words(health.frontends([fine], m.NOW)))


def test_a_tree_has_a_branch_for_each_backend_and_marks_the_pool_that_takes_the_traffic() -> None:
    (_, tree) = health.frontend(m.WEB, m.NOW)
    assert isinstance(tree, layout.Table)

    assert [row[0] for row in tree.rows] == [
        "primary", "├─ web1", "├─ web2", "└─ web3", "fallback", "└─ spare", "last",
    ]  # fmt: skip
    assert [row[2] for row in tree.rows] == ["active", "up", "down", "up", "", "up", "empty"]


def test_a_pool_without_backends_is_never_marked_as_taking_traffic_by_its_empty_name() -> None:
    (_, tree) = health.frontend(pb.FrontendInfo(pools=[pb.PoolInfo(name="")]), m.NOW)
    assert isinstance(tree, layout.Table)

    assert tree.rows[0][2] == "empty"


def test_what_the_file_says_is_told_only_beside_what_an_operator_has_said() -> None:
    assert "in-file" in str(words(health.frontend(m.WEB, m.NOW)))
    assert "in-file" not in str(words(health.frontend(m.NET, m.NOW)))


def test_the_reason_of_a_backend_is_that_of_its_latest_transition() -> None:
    assert words(health.backends(m.BACKENDS[1:2], m.NOW))[1][5:8] == ["L4CON", "connection", "refused"]


def test_doubt_and_holding_back_are_told_when_there_is_any() -> None:
    fine = words(vpp.state(pb.VPPLBState(), 0))
    troubled = words(vpp.state(pb.VPPLBState(doubtful=2, held_back_s=30, conf_refused="VPP says no"), 0))

    assert [" ".join(line) for line in troubled if line not in fine] == [
        "in-doubt: 2 VIPs, not written until the next audit",
        "held-back: nothing is written for 30s: VPP keeps dying of it",
        "parameters-refused: VPP says no",
    ]


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (pb.VPPLBOperation(kind="set-parameters"), "set-parameters"),
        (pb.VPPLBOperation(kind="add-vip", prefix="192.0.2.0/24", protocol="any"), "add-vip 192.0.2.0/24 any"),
        (
            m.operation("set-weight", "10.1.0.2", "web2", weight=0, flush=True),
            "set-weight 192.0.2.10 tcp/80 backend web2 (10.1.0.2) weight 0 flush",
        ),
        (m.operation("del-backend", "10.1.0.2"), "del-backend 192.0.2.10 tcp/80 backend 10.1.0.2"),
        (
            m.operation("add-backend", "10.1.0.4", "spare alias", weight=7),
            "add-backend 192.0.2.10 tcp/80 backend spare,alias (10.1.0.4) weight 7",
        ),
    ],
)
def test_an_operation_is_one_sentence(op: pb.VPPLBOperation, said: str) -> None:
    assert vpp.operation(op) == said


def test_operations_are_numbered_in_order_and_the_numbers_are_flush_right() -> None:
    page = vpp.plan(pb.VPPLBPlan(operations=[m.operation("add-vip")] * 10), m.NOW)
    lines = layout.lines(page, 80, layout.plain)

    assert [line[:4] for line in lines[1:11]] == [f"{number:>2}  " for number in range(1, 11)]
    assert layout.lines(layout.matching(page, re.compile("^ *7 ")), 80, layout.plain)[1].startswith(" 7  add-vip")


def test_an_empty_plan_says_so_with_its_age_and_how_to_look_again() -> None:
    lines = layout.lines(vpp.plan(pb.VPPLBPlan(audited_at_ns=m.NOW - 90 * m.SECOND), m.NOW), 80, layout.plain)

    assert "1m30s ago" in lines[0]
    assert "sync vpp lb state" in lines[1]


@pytest.mark.parametrize("operations", [[], [m.operation("del-vip", waits="warmup")]])
def test_a_plan_that_is_not_known_yet_says_of_how_many_vips_and_not_that_the_table_is_right(
    operations: list[pb.VPPLBOperation],
) -> None:
    plan = pb.VPPLBPlan(audited_at_ns=m.NOW, operations=operations, unknown_vips=12)
    said = " ".join(layout.lines(vpp.plan(plan, m.NOW), 160, layout.plain))

    assert "Nothing is planned yet for 12 VIPs: maglevd has just started" in said
    assert ("Nothing else to do" in said) == (not operations)
    assert "as it should be" not in said
    assert "Nothing to do" not in said


@given(st.floats(0, 1), st.floats(0, 1), st.booleans(), st.none() | st.integers(0, 10**6))
def test_an_effect_has_the_words_of_a_dry_run(moves: float, drops: float, is_breaking: bool, flows: int | None) -> None:
    told = pb.VPPLBOperation(moves=moves, drops=drops, breaks_flows=is_breaking, flows=flows)

    assert vpp.effect(told) == dryrun.sentence(Effect(moves, drops, is_breaking, flows))
