"""What samples and scrapes cost VPP: nothing, by the count of one who sits between maglevd and VPP's API socket."""

import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from maglev.core.model import LbConf
from maglev.vpp.codec import text
from maglev.vpp.framing import Splitter
from maglev.vpp.handshake import SOCKCLNT_CREATE, SOCKCLNT_CREATE_REPLY
from maglev.vpp.session import connect
from maglev.vpp.wire import Bootstrap
from tests.contract.sessions import empty
from tests.daemon.site import Site
from tests.processes import running, until
from tests.real_vpp import Sockets

SAMPLES = 20


class Tap(socketserver.BaseRequestHandler):
    """One client of VPP: whatever either says is passed on, and the names of the client's messages are noted."""

    server: "Line"

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as vpp:
            vpp.connect(self.server.vpp)
            others = {self.request: vpp, vpp: self.request}
            split = {end: Splitter() for end in others}
            names = {SOCKCLNT_CREATE: "sockclnt_create"}
            while True:
                for end in select.select(list(others), [], [])[0]:
                    chunk = end.recv(1 << 16)
                    if not chunk:
                        return
                    numbered = [(int.from_bytes(message[:2], "big"), message) for message in split[end].feed(chunk)]
                    if end is self.request:
                        self.server.asked += [names[number] for number, _ in numbered]
                    elif len(names) == 1:
                        names |= numbers(numbered[0][1])
                    others[end].sendall(chunk)


def numbers(greeting: bytes) -> dict[int, str]:
    """What VPP calls its messages for this client, without their CRC."""
    assert int.from_bytes(greeting[:2], "big") == SOCKCLNT_CREATE_REPLY
    _, _, entries = Bootstrap().create_reply(greeting)
    return {number: text(name).rpartition("_")[0] for number, name in entries}


class Line(socketserver.ThreadingUnixStreamServer):
    """What passes between its socket and VPP's."""

    daemon_threads = True

    def __init__(self, path: Path, vpp: str) -> None:
        super().__init__(str(path), Tap)
        self.vpp = vpp
        self.asked: list[str] = []


@contextmanager
def tapped(path: Path, vpp: str) -> Iterator[list[str]]:
    """VPP's API at `path`, and what it was asked there."""
    with Line(path, vpp) as line:
        thread = threading.Thread(target=line.serve_forever)
        thread.start()
        try:
            yield line.asked
        finally:
            line.shutdown()
            thread.join()


async def settings_of_an_empty(vpp: Sockets) -> LbConf | None:
    async with connect(vpp.api, vpp.stats, lambda _: None, clock_ns=time.time_ns) as session:
        found = (await session.audit()).observed
    assert not found.vips, "this VPP has VIPs: use one that nobody needs"
    return found.conf


@pytest.fixture(params=["emulator", pytest.param("vpp", marks=pytest.mark.vpp)])
def vpp(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sockets]:
    if request.param == "emulator":
        one = Sockets(str(tmp_path / "emulator-api.sock"), str(tmp_path / "emulator-stats.sock"))
        arguments = ["--api-socket", one.api, "--stats-socket", one.stats]
        with running("maglev.emulator", arguments, tmp_path / "vpp.log") as process:
            process.until_says(one.api)
            yield one
        return
    one = request.getfixturevalue("real_vpp")
    settings = trio.run(settings_of_an_empty, one)
    yield one
    trio.run(empty, one, settings)


def test_samples_and_scrapes_ask_vpp_nothing(site: Site, vpp: Sockets) -> None:
    config = site.config.read_text()
    site.config.write_text(config.replace("stats-interval: 100ms", "stats-interval: 100ms, sync-interval: 1h"))
    site.stats = Path(vpp.stats)
    taken_at: set[float] = set()

    def scrape() -> bool:
        taken_at.add(site.metric("maglev_vpp_sample_timestamp_seconds"))
        return len(taken_at) > SAMPLES

    with tapped(site.api, vpp.api) as asked, running("maglev.entry", site.arguments, site.log) as maglevd:
        until(lambda: site.weight() == 42, lambda: f"the table in VPP; log:\n{maglevd.output}", maglevd)
        until(lambda: 'maglev_vpp_vip_packets_total{prefix="192.0.2.1/32"' in site.metrics(), lambda: "its counters")
        assert {"sockclnt_create", "lb_add_del_vip_v2", "lb_as_v2_dump", "cli_inband"} < set(asked)
        begun = len(asked)

        until(scrape, lambda: f"{SAMPLES} samples", maglevd)

        assert set(asked[begun:]) <= {"control_ping"}
        assert site.metric("maglev_vpp_sample_interval_seconds") == 0.1
