from hypothesis import given
from hypothesis import strategies as st

from maglev.cli import render
from maglev.rpc._pb import maglev_pb2 as pb

SECOND = 1_000_000_000
CELL = st.text(max_size=20)


def test_durations_show_their_two_greatest_units() -> None:
    spans = (0, 5, 59, 60, 61, 630, 3600, 3605, 5400, 86400, 86400 + 59, 40 * 3600, 400 * 86400 + 5 * 3600, -5)

    assert [render.duration(span * SECOND) for span in spans] == [
        "0s", "5s", "59s", "1m", "1m1s", "10m30s", "1h", "1h", "1h30m", "1d", "1d", "1d16h", "400d5h", "0s",
    ]  # fmt: skip


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_span_and_moment_of_the_api_can_be_shown(at_ns: int) -> None:
    assert render.duration(at_ns)
    assert render.moment(at_ns).endswith("Z")


def test_a_single_address_is_shown_without_its_length_and_a_prefix_with_it() -> None:
    prefixes = ("192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/32", "2001:db8::/64", "10.0.0.0/8")

    assert [render.vip(prefix) for prefix in prefixes] == [
        "192.0.2.1", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32", "2001:db8::/64", "10.0.0.0/8",
    ]  # fmt: skip


def test_figures_are_flush_right_and_words_flush_left() -> None:
    assert render.table(("name", ">n", "end"), [("a", "1000000", "x"), ("longer", "1", "yy")]) == [
        "name          n  end",
        "a       1000000  x",
        "longer        1  yy",
    ]


def test_a_table_without_rows_is_its_titles() -> None:
    assert render.table(("a", ">b"), []) == ["a  b"]


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=5))
def test_rows_stay_one_line_each_and_columns_stay_in_place(rows: list[tuple[str, str, str]]) -> None:
    lines = render.table(("name", ">figure", "end"), rows)

    assert len(lines) == len(rows) + 1
    assert all(line.isprintable() for line in lines)
    end = lines[0].index("end")
    for row, line in zip(rows, lines[1:], strict=True):
        if row[2].isprintable():
            assert line[end:] == row[2]


def test_what_would_drive_a_terminal_is_shown_harmless() -> None:
    evil = pb.BackendInfo(name="a\x1b[2Jb\n", address="10.0.0.1", state="up", changed_at_ns=1)

    (_, line) = render.backends([evil], 1)

    assert line.startswith("a\\x1b[2Jb\\n  10.0.0.1")


def test_only_states_are_coloured_and_columns_still_align() -> None:
    infos = [
        pb.BackendInfo(name="up", address="10.0.0.1", state="up", changed_at_ns=1),
        pb.BackendInfo(name="down", address="10.0.0.1", state="disabled", changed_at_ns=1),
    ]

    coloured = render.backends(infos, 1, render.coloured)

    assert [line.count("\x1b") for line in coloured] == [0, 2, 2]
    assert "\x1b[32mup      \x1b[0m" in coloured[1]
    stripped = [line.replace("\x1b[32m", "").replace("\x1b[33m", "").replace("\x1b[0m", "") for line in coloured]
    assert stripped == render.backends(infos, 1)


def test_what_vpp_refuses_stands_below_the_frontends() -> None:
    fine, refused = pb.FrontendInfo(name="web"), pb.FrontendInfo(name="shop", refused="VPP says no")

    assert render.frontends([fine, refused])[-1].split() == ["shop", "VPP", "says", "no"]
    assert not any("refuses" in line for line in render.frontends([fine]))
    assert any("vpp-refuses" in line for line in render.frontend(refused, {}))
    assert not any("refuses" in line for line in render.frontend(fine, {}))


def test_doubt_and_holding_back_are_told_when_there_is_any() -> None:
    fine = render.lb_state(pb.VPPLBState(), 0)
    troubled = render.lb_state(pb.VPPLBState(doubtful=2, held_back_s=30), 0)

    assert [line for line in troubled if line.split(":")[0] not in {each.split(":")[0] for each in fine}] == [
        "in-doubt:   2 VIPs, not written until the next audit",
        "held-back:  nothing is written for 30s: VPP keeps dying of it",
    ]


def test_global_parameters_that_vpp_refused_are_told_in_one_line() -> None:
    fine = render.lb_state(pb.VPPLBState(), 0)
    refused = render.lb_state(pb.VPPLBState(conf_refused="VPP says no"), 0)

    assert [line.split() for line in refused if line not in fine][-1] == ["parameters-refused:", "VPP", "says", "no"]
    assert not any("refused" in line for line in fine)
