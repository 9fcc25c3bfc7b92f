"""maglevd as a process that is given another configuration, and orders, while it runs."""

import re
import select
import signal
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import grpc
import pytest

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import Ok, Site
from tests.processes import Process, resident_mb, running, until, until_it_takes_its_signals

SECOND = """\
    mail: {address: 192.0.2.2, protocol: tcp, port: 25, pools: [{name: main, backends: {b: {weight: 7}}}]}
"""


def with_a_second_frontend(text: str) -> str:
    return text.replace("  frontends:\n", "    b: {address: 127.0.0.1, healthcheck: web}\n  frontends:\n") + SECOND


def reload_by_rpc(site: Site) -> pb.ReloadConfigResponse:
    return site.call("ReloadConfig", pb.ReloadConfigRequest(), pb.ReloadConfigResponse)


def order(site: Site, verb: str, name: str = "a") -> pb.BackendInfo:
    return site.call(f"{verb}Backend", pb.BackendRequest(name=name), pb.BackendInfo)


def weights(site: Site) -> dict[str, int]:
    """What VPP has, by maglevd's account: weight by VIP."""
    state = site.ask(lambda client: client.lb_state())
    return {vip.prefix: server.weight for vip in state.vips for server in vip.application_servers} if state else {}


def until_weights(site: Site, expected: dict[str, int], maglevd: Process) -> None:
    until(lambda: weights(site) == expected, lambda: f"{expected}, seen {weights(site)}:\n{maglevd.output}", maglevd)


def test_sighup_takes_over_what_changed_and_touches_nothing_else(site: Site) -> None:
    first = site.config.read_text().replace("startup-max-delay: 30s", "startup-max-delay: 4s")  # no VIP goes before
    site.config.write_text(first)
    with (
        running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log"),
        running("maglev.entry", site.arguments, site.log) as maglevd,
    ):
        until_weights(site, {"192.0.2.1/32": 42}, maglevd)
        loaded_at = site.metric("maglev_config_last_reload_success_timestamp_seconds")
        site.config.write_text(with_a_second_frontend(first))
        maglevd.signal(signal.SIGHUP)
        until_weights(site, {"192.0.2.1/32": 42, "192.0.2.2/32": 7}, maglevd)
        assert site.metric("maglev_config_last_reload_successful") == 1
        assert site.metric("maglev_config_last_reload_success_timestamp_seconds") > loaded_at
        assert 'maglev_probe_total{backend="b"' in site.metrics()

        site.config.write_text(first)
        maglevd.signal(signal.SIGHUP)
        until_weights(site, {"192.0.2.1/32": 42}, maglevd)
        until(lambda: 'backend="b"' not in site.metrics(), lambda: "the series of b to be gone", maglevd)
        log = maglevd.output

    assert 'config-reload added="backend b; frontend mail" removed=nothing changed=nothing' in log
    assert 'config-reload added=nothing removed="backend b; frontend mail" changed=nothing' in log
    assert log.count("backend-transition backend=a ") == 1
    assert log.count("add 192.0.2.1/32") == 1
    assert "delete 192.0.2.1/32" not in log
    assert "set 127.0.0.1 of 192.0.2.1/32" not in log
    assert "vpp-drift" not in log


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("weight: 42", "weight: 101", "semantic_error", "a whole number from 0 to 100, seen 101"),
        ("maglev:", "maglev: [", "parse_error", "this is not YAML"),
    ],
)
def test_of_a_bad_file_nothing_is_taken_over(site: Site, old: str, new: str, field: str, said: str) -> None:
    first = site.config.read_text()
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        site.config.write_text(with_a_second_frontend(first).replace(old, new))
        answer = reload_by_rpc(site)
        assert not answer.ok
        assert said in getattr(answer, field)
        assert site.metric("maglev_config_last_reload_successful") == 0
        assert site.ask(lambda client: len(client.frontends())) == 1
        checked = site.call("CheckConfig", pb.CheckConfigRequest(), pb.CheckConfigResponse)
        assert getattr(checked, field) == getattr(answer, field)

        site.config.write_text(with_a_second_frontend(first))
        assert site.call("CheckConfig", pb.CheckConfigRequest(), pb.CheckConfigResponse).ok
        assert site.ask(lambda client: len(client.frontends())) == 1
        assert reload_by_rpc(site).ok
        assert site.metric("maglev_config_last_reload_successful") == 1
        assert site.ask(lambda client: len(client.frontends())) == 2
        (refusal,) = [line for line in maglevd.output.splitlines() if "config-refused" in line]

    assert " WARNING " in refusal
    assert "what counted before goes on" in refusal


def test_orders_and_weights_reach_vpp_and_outlive_a_reload(site: Site) -> None:
    with (
        running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log"),
        running("maglev.entry", site.arguments, site.log) as maglevd,
    ):
        until_weights(site, {"192.0.2.1/32": 42}, maglevd)
        said = pb.SetWeightRequest(frontend="www", pool="main", backend="a", weight=9)
        info = site.call("SetFrontendPoolBackendWeight", said, pb.FrontendInfo)
        assert info.pools[0].backends[0].weight == 9
        until_weights(site, {"192.0.2.1/32": 9}, maglevd)

        assert order(site, "Pause").state == "paused"
        until_weights(site, {"192.0.2.1/32": 0}, maglevd)
        assert reload_by_rpc(site).ok
        assert site.state() == "paused"
        assert order(site, "Resume").state == "unknown"
        until_weights(site, {"192.0.2.1/32": 9}, maglevd)

        assert not order(site, "Disable").enabled
        for verb in ("Pause", "Resume"):
            with pytest.raises(grpc.RpcError) as refused:
                order(site, verb)
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert order(site, "Enable").state == "unknown"
        until_weights(site, {"192.0.2.1/32": 9}, maglevd)


def test_other_global_parameters_are_written_at_the_reload(site: Site) -> None:
    with (
        running("maglev.emulator", site.vpp_arguments, site.directory / "vpp.log"),
        running("maglev.entry", site.arguments, site.log) as maglevd,
    ):
        until_weights(site, {"192.0.2.1/32": 42}, maglevd)
        site.config.write_text(site.config.read_text().replace("192.0.2.254", "192.0.2.250"))
        assert reload_by_rpc(site).ok

        def source() -> str:
            state = site.ask(lambda client: client.lb_state())
            return state.conf.ipv4_src_address if state else ""

        until(lambda: source() == "192.0.2.250", lambda: f"the source, seen {source()}", maglevd)
        assert "config-reload added=nothing removed=nothing changed=vpp.lb.ipv4-src-address" in maglevd.output


def test_a_sighup_while_it_reads_a_file_is_not_lost(site: Site) -> None:
    first = site.config.read_text()
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        maglevd.until_says(" started ")
        for _ in range(20):
            maglevd.signal(signal.SIGHUP)
        site.config.write_text(with_a_second_frontend(first))
        maglevd.signal(signal.SIGHUP)
        until(
            lambda: site.ask(lambda client: len(client.frontends())) == 2,
            lambda: f"the second frontend:\n{maglevd.output}",
            maglevd,
        )
        assert maglevd.stop() == 0


@pytest.mark.parametrize("megabytes", [0, 8, 16, 24])
def test_a_sighup_while_it_starts_does_not_end_it(site: Site, megabytes: int) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        until_it_takes_its_signals(maglevd)
        begun = resident_mb(maglevd.popen.pid)
        until(lambda: resident_mb(maglevd.popen.pid) >= begun + megabytes, lambda: "it to grow", maglevd)
        until(lambda: ignores_or_catches_sighup(maglevd), lambda: "its first lines", maglevd)
        for _ in range(3):
            maglevd.signal(signal.SIGHUP)
        maglevd.until_says(" started ")
        assert maglevd.stop() == 0


def ignores_or_catches_sighup(process: Process) -> bool:
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    return any(int(mask, 16) & 1 for mask in re.findall(r"Sig(?:Cgt|Ign):\s+(\w+)", status))


def test_orders_while_it_stops_are_answered_and_harm_nothing(site: Site) -> None:
    with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
        until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
        codes: list[grpc.StatusCode] = []

        def give_orders() -> None:
            try:
                while True:
                    order(site, "Enable")
            except grpc.RpcError as error:
                codes.append(error.code())

        threads = [Thread(target=give_orders) for _ in range(8)]
        for thread in threads:
            thread.start()
        maglevd.signal(signal.SIGTERM)
        assert maglevd.wait() == 0, maglevd.output
        for thread in threads:
            thread.join()

    assert set(codes) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}
    assert " stopped " in maglevd.output
    assert "Traceback" not in maglevd.output


class Slow(Ok):
    """So slow that a probe is under way at nearly all times."""

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
        select.select([], [], [], 0.2)
        super().do_GET()


def test_a_maglevd_that_stood_still_blames_nobody(tmp_path: Path) -> None:
    """SIGSTOP for longer than a probe's timeout, with fall 1: what came meanwhile is read all the same."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        site = Site(tmp_path, server.server_port)
        site.config.write_text(site.config.read_text().replace("timeout: 1s", "timeout: 500ms, fall: 1"))
        with running("maglev.entry", [*site.arguments, "--vpp-api-addr", ""], site.log) as maglevd:
            until(lambda: site.state() == "up", lambda: "the backend to be up", maglevd)
            for _ in range(3):
                maglevd.stand_still(0.8)
                until_it_passed_again(site, maglevd)
            log = maglevd.output
        server.shutdown()

    assert "to=down" not in log
    assert " WARNING loop-stalled times=1 " in log


def until_it_passed_again(site: Site, maglevd: Process) -> None:
    before = probes(site, "success")
    until(lambda: probes(site, "success") > before, lambda: "an answer", maglevd)


def probes(site: Site, result: str) -> int:
    return sum(map(int, re.findall(rf'maglev_probe_total{{.*result="{result}".*}} (\d+)', site.metrics())))
