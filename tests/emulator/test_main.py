"""`python -m maglev.emulator` as a process, driven by vpp_papi with its own transport and its own stats reader."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.target import ROUTE_TO, ROUTE_VIA, TCP, Client
from tests.processes import DEADLINE_S, TIED

Sockets = tuple[str, str]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(sockets: Sockets) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def run(*more: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "maglev.emulator", "--api-socket", sockets[0], "--stats-socket", sockets[1]]
        pipe = subprocess.PIPE
        process = subprocess.Popen([*TIED, *command, *more], stdout=pipe, stderr=pipe, text=True)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_when_it_listens_and_ends_cleanly(start: Start, sockets: Sockets, number: signal.Signals) -> None:
    process = start()
    assert first_line(process).endswith(f"API at {sockets[0]}, stats at {sockets[1]}\n")

    process.send_signal(number)

    assert process.communicate(timeout=DEADLINE_S) == ("", "")
    assert process.returncode == 0
    assert not any(Path(path).exists() for path in sockets)


def test_a_second_one_on_the_same_sockets_says_so_in_one_line(start: Start, sockets: Sockets) -> None:
    first_line(start())
    second = start()

    out, err = second.communicate(timeout=DEADLINE_S)

    assert (out, second.returncode) == ("", 1)
    assert err.startswith("maglev.emulator: cannot listen on the stats socket")
    assert err.count("\n") == 1
    assert all(Path(path).exists() for path in sockets)


def test_a_directory_that_is_not_there_is_named_in_one_line(start: Start) -> None:
    process = start("--api-socket", "/nonexistent/api.sock")

    out, err = process.communicate(timeout=DEADLINE_S)

    assert (out, process.returncode, err.count("\n")) == ("", 1, 1)
    assert "/nonexistent/api.sock" in err


@pytest.mark.parametrize(
    "options", [("--workers", "65"), ("--routes", "-1"), ("--traffic", "many"), ("--bogus",), ("--fault", "explode")]
)
def test_bad_usage_ends_with_status_2(start: Start, options: tuple[str, ...]) -> None:
    process = start(*options)

    _, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 2
    assert options[0] in err


def test_a_table_of_no_length_is_its_end_as_it_is_vpps(start: Start, sockets: Sockets) -> None:
    process = start()
    first_line(process)
    vpp = Client(*sockets)
    with pytest.raises(vpp.papi.VPPIOError):
        vpp.add_vip("192.0.2.1/32", new_flows_table_length=0)
    vpp.close()

    _, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("maglev.emulator: VPP dies of such a table of new flows")


def test_what_is_ordered_goes_wrong_and_the_rest_does_not(start: Start, sockets: Sockets) -> None:
    first_line(start("--fault", "refuse=-81:add-vip:2", "--fault", "refuse:lb_as_set_weight:1+"))
    vpp = Client(*sockets)
    assert [vpp.add_vip(f"192.0.2.{number}/32") for number in (1, 2, 3)] == [0, -81, 0]
    assert sorted(str(details.vip.pfx) for details in vpp.api.lb_vip_dump()) == ["192.0.2.1/32", "192.0.2.3/32"]
    vpp.close()


def test_plain_vpp_papi_sees_flows_on_every_worker(start: Start, sockets: Sockets) -> None:
    process = start("--workers", "2", "--routes", "1000", "--traffic", "5000")
    first_line(process)
    vpp = Client(*sockets)
    assert vpp.api.control_ping().vpe_pid == process.pid
    for number in (1, 2):
        assert vpp.add_vip(f"192.0.2.{number}/32", TCP, 80) == 0
        for backend in (1, 2):
            assert vpp.add_as(f"192.0.2.{number}/32", f"10.1.0.{backend}", protocol=TCP) == 0
    index = vpp.index("192.0.2.1/32")
    without_server = vpp.lb_counters(index)[3]  # what arrived before there was a backend

    def is_everything_counted() -> bool:
        firsts, vias = vpp.stats["first session packet"], vpp.stats[ROUTE_VIA]
        backends = [vpp.stats_index(f"10.1.0.{n}/32") for n in (1, 2)]
        return (
            all(firsts[thread][vip] for thread in (1, 2) for vip in (1, 2))
            and all(vias[thread][backend]["packets"] for thread in (1, 2) for backend in backends)
            and vpp.lb_counters(index)[0] > 0
        )

    deadline = time.monotonic() + DEADLINE_S
    while not is_everything_counted():
        assert time.monotonic() < deadline
        os.sched_yield()
    route = vpp.stats_index("192.0.2.1/32")
    assert route > 1000
    assert len(vpp.stats[ROUTE_TO]) == 3
    assert vpp.stats[ROUTE_TO][0][route]["packets"] == 0
    assert vpp.lb_counters(index)[3] == without_server
    vpp.close()
