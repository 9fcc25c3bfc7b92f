"""What an operator reads."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from maglev import logs
from maglev.core.desired import FrontendState
from maglev.core.events import Drift, Event, FrontendTransition, OpApplied, Programmed, VppConnected, VppUnavailable
from maglev.core.level import Level
from maglev.core.model import TCP, VipKey, VppInfo
from maglev.core.plan import AddBackend, DelVip, SetWeight
from maglev.core.record import Record
from maglev.logs.forms import text

VIP = VipKey(IPv4Network("192.0.2.1/32"), TCP, 80)
BACKEND = IPv4Address("10.0.0.1")


@pytest.mark.parametrize(
    ("event", "level", "line"),
    [
        (
            FrontendTransition("www", FrontendState.UP, FrontendState.DOWN, 1),
            "WARNING",
            "frontend-transition frontend=www from=up to=down",
        ),
        (
            FrontendTransition("www", FrontendState.DOWN, FrontendState.UP, 1),
            "INFO",
            "frontend-transition frontend=www from=down to=up",
        ),
        (
            OpApplied(DelVip(VIP, "not configured")),
            "WARNING",
            'vpp-op op="delete 192.0.2.1/32 tcp/80 (not configured)"',
        ),
        (
            Drift((SetWeight(VIP, BACKEND, 7, flush=False),)),
            "WARNING",
            'vpp-drift ops=1 what="set 10.0.0.1 of 192.0.2.1/32 tcp/80 to weight 7" '
            'hint="somebody else writes to this VPP: a second maglevd, or a hand?"',
        ),
        (
            Programmed((AddBackend(VIP, BACKEND, 5),) * 6),
            "INFO",
            "vpp-programmed ops=6 what="
            + '"'
            + "; ".join(["add 10.0.0.1 to 192.0.2.1/32 tcp/80 with weight 5"] * 4)
            + '; and 2 more"',
        ),
        (
            VppConnected(VppInfo("26.10", "today", "/src", 42, 1, 2)),
            "INFO",
            "vpp-connect version=26.10 build_date=today build_directory=/src pid=42",
        ),
        (
            VppUnavailable("two\nlines", 5.0),
            "WARNING",
            'vpp-unavailable reason="two\\nlines" retry_s=5',
        ),
    ],
)
def test_each_event_is_one_line_at_its_level(heard: list[Record], event: Event, level: str, line: str) -> None:
    logs.write(event)
    (record,) = heard
    assert text(record).split(" ", 1)[1] == f"{level} {line}"


def test_single_operations_are_for_debugging_only() -> None:
    assert OpApplied(AddBackend(VIP, BACKEND, 5)).level is Level.DEBUG
