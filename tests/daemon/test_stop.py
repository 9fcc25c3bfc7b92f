"""SIGTERM while maglevd writes: what VPP is left with."""

import signal
from pathlib import Path

import trio

from maglev.core.plan import Observed
from maglev.vpp.session import connect
from tests.processes import running

FRONTENDS, BACKENDS = 400, 40


def config() -> str:
    backends = "".join(f"    b{n}: {{address: 10.0.0.{n}}}\n" for n in range(1, BACKENDS + 1))
    pool = "{" + ", ".join(f"b{n}: {{}}" for n in range(1, BACKENDS + 1)) + "}"
    frontends = "".join(
        f"    f{n}: {{address: 192.0.{n // 250}.{n % 250 + 1}, protocol: tcp, port: 80,"
        f" pools: [{{name: main, backends: {pool}}}]}}\n"
        for n in range(FRONTENDS)
    )
    return f"""maglev:
  vpp:
    lb: {{ipv4-src-address: 198.51.100.1, ipv6-src-address: "2001:db8::fe",
         startup-min-delay: 0s, startup-max-delay: 0s}}
  backends:
{backends}  frontends:
{frontends}"""


def test_no_vip_is_left_half_made(tmp_path: Path) -> None:
    api, stats, path = tmp_path / "api.sock", tmp_path / "stats.sock", tmp_path / "maglev.yaml"
    path.write_text(config())
    sockets = ["--vpp-api-addr", str(api), "--vpp-stats-addr", str(stats)]
    off = ["--grpc-addr", "", "--metrics-addr", "", "--log-level", "debug", "--log-format", "text"]

    async def table() -> Observed:
        async with connect(str(api), str(stats), lambda _: None, clock_ns=lambda: 0) as session:
            return (await session.audit()).observed

    with running("maglev.emulator", ["--api-socket", str(api), "--stats-socket", str(stats)], tmp_path / "vpp") as vpp:
        vpp.until_says(str(stats))
        with running("maglev.entry", ["--config", str(path), *sockets, *off], tmp_path / "log") as maglevd:
            maglevd.until_says("DEBUG vpp-op ")
            maglevd.signal(signal.SIGTERM)
            assert maglevd.wait() == 0
        vips = trio.run(table).vips

    assert 0 < len(vips) <= FRONTENDS
    assert {len(vip.backends) for vip in vips.values()} == {BACKENDS}
    print(f"{len(vips)} of {FRONTENDS} VIPs were made")
