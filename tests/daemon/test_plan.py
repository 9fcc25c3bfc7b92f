"""What GetVPPLBPlan says of a maglevd at work: in its warmup, while VPP refuses a VIP, and when all is right."""

import socket

import grpc

from maglev.rpc._pb import maglev_pb2 as pb
from tests.daemon.site import Site
from tests.processes import running, until

CONFIG = """
maglev:
  vpp:
    lb: {{ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", startup-min-delay: 0s,
         startup-max-delay: 1h, stats-interval: 100ms}}
  healthchecks:
    web: {{type: http, port: {port}, interval: 100ms, timeout: 1s, params: {{path: /}}}}
    slow: {{type: http, port: {silent}, interval: 1s, timeout: 10m, params: {{path: /}}}}
  backends:
    a: {{address: 127.0.0.1, healthcheck: web}}
    b: {{address: 127.0.0.1, healthcheck: slow}}
  frontends:
    good: {{address: 192.0.2.1, protocol: tcp, port: 80, pools: [{{name: main, backends: {{a: {{weight: 42}}}}}}]}}
    bad: {{address: 192.0.2.2, protocol: tcp, port: 80, pools: [{{name: main, backends: {{a: {{weight: 43}}}}}}]}}
    slow: {{address: 192.0.2.3, protocol: tcp, port: 80, pools: [{{name: main, backends: {{b: {{weight: 44}}}}}}]}}
"""
SECOND_VIP = "refuse=-13:add-vip:2="
BAD = [("add-vip", "192.0.2.2/32", "refused"), ("add-backend", "192.0.2.2/32", "refused")]


def plan_of(site: Site) -> tuple[list[tuple[str, str, str]], int] | None:
    """What is left to do, and of how many VIPs nothing is planned yet."""
    try:
        plan = site.call("GetVPPLBPlan", pb.GetVPPLBPlanRequest(), pb.VPPLBPlan)
    except grpc.RpcError:
        return None
    return [(each.kind, each.prefix, each.waits) for each in plan.operations], plan.unknown_vips


def test_the_plan_says_what_waits_and_for_what_and_is_empty_in_the_end(site: Site, backend: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        site.config.write_text(CONFIG.format(port=backend, silent=silent.getsockname()[1]))
        with running("maglev.entry", site.arguments, site.log) as maglevd:
            with running("maglev.emulator", [*site.vpp_arguments, "--fault", SECOND_VIP], site.directory / "vpp1.log"):
                until(lambda: plan_of(site) == (BAD, 1), lambda: f"{BAD} and 1 unknown, seen {plan_of(site)}", maglevd)
                silent.close()
                until(lambda: plan_of(site) == (BAD, 0), lambda: f"{BAD}, seen {plan_of(site)}", maglevd)
            until(lambda: "vpp-disconnect" in maglevd.output, lambda: "the loss to be seen", maglevd)
            with running("maglev.emulator", site.vpp_arguments, site.directory / "vpp2.log"):
                until(lambda: plan_of(site) == ([], 0), lambda: f"nothing, seen {plan_of(site)}", maglevd)
                state = site.call("GetVPPLBState", pb.GetVPPLBStateRequest(), pb.VPPLBState)
                weights = [(vip.prefix, server.weight) for vip in state.vips for server in vip.application_servers]
                assert weights == [("192.0.2.1/32", 42), ("192.0.2.2/32", 43), ("192.0.2.3/32", 0)]
