"""Deadlines, no VPP, a VPP that dies, long lists: by a client of the .proto alone."""

import signal
from ipaddress import ip_address, ip_network

import grpc
import pytest
from grpc import StatusCode

from maglev.core.model import VipKey
from maglev.core.plan import SetWeight
from tests.api.client import Api, Client, calling, told
from tests.api.site import TABLE, Site, until_up, until_written, weights
from tests.processes import until

QUESTIONS = ("GetVPPInfo", "GetVPPLBState", "GetVPPLBPlan", "GetVPPLBCounters")
OF_VPP = (*QUESTIONS, "SyncVPPLBState")
USUAL_BYTES = 4 * 1024 * 1024  # what a client takes that did not ask for more


def late(client: Client, rpc: str, timeout_s: float) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        for _ in client.watch(timeout_s) if rpc == "WatchEvents" else [client(rpc, timeout_s)]:
            pass
    assert failed.value.code() is StatusCode.DEADLINE_EXCEEDED


def test_a_deadline_ends_the_wait_and_not_the_work(shared: Site, client: Client) -> None:
    client("SyncVPPLBState")  # nothing is left for which the table would be read by itself
    vip = VipKey(ip_network("198.51.100.1/32"), 6, 80)
    shared.vpp.write(SetWeight(vip, ip_address("127.0.0.1"), 77, flush=False))
    with shared.vpp.standing_still():
        for _ in range(20):
            late(client, "SyncVPPLBState", 0.02)
        late(client, "SyncVPPLBState", 1.0)
        assert len(client.told("ListBackends")["backends"]) == 5  # nobody else waits
        assert client.told("GetVPPLBState")["vips"]
    until_written(shared, TABLE)
    assert client.told("SyncVPPLBState")["operations"] == 0


def test_a_watch_ends_with_its_deadline_and_leaves_its_place(shared: Site, client: Client) -> None:
    for _ in range(3):
        late(client, "WatchEvents", 0.05)
    stream = client.watch()
    assert next(stream).backend.backend == "web1"
    stream.cancel()


def test_without_a_vpp_its_calls_say_what_to_do_and_all_else_works(site: Site, api: Api) -> None:
    with site.running(), calling(api, site.address) as client:
        until_up(client, "web1")
        said = {rpc: client.refused(rpc, StatusCode.UNAVAILABLE) for rpc in OF_VPP}
        assert client.told("PauseBackend", name="web1")["state"] == "paused"
        assert client.told("ListFrontends")["frontends"][0]["active_pool"] == "spare"

    assert {said[rpc] for rpc in QUESTIONS} == {
        "no VPP is connected; is VPP running, and does maglevd's --vpp-api-addr name its socket? "
        "maglevd's log says what is wrong"
    }
    assert said["SyncVPPLBState"].startswith("no VPP is connected; ")


def test_a_vpp_that_dies_takes_its_answers_with_it_and_its_waiting_callers_are_told(site: Site, api: Api) -> None:
    with site.vpp.running() as vpp, site.running(), calling(api, site.address) as client:
        until_up(client, "web1")
        until(lambda: site.vpp.weights() == TABLE, lambda: f"the table, seen {site.vpp.weights()}")
        with site.vpp.standing_still():
            waiting = client.begun("SyncVPPLBState")
            for _ in range(2):
                client("EnableBackend", name="web1")  # once they are done, what was asked before them is under way
            vpp.signal(signal.SIGKILL)
        vpp.wait()
        with pytest.raises(grpc.RpcError) as failed:
            waiting.result()
        assert failed.value.code() is StatusCode.UNAVAILABLE
        assert failed.value.details() == "VPP was lost meanwhile; maglevd syncs by itself once it is back"
        until(lambda: not has_vpp(client), lambda: "the rest of maglevd to hear of it")
        for rpc in OF_VPP:
            assert client.refused(rpc, StatusCode.UNAVAILABLE).startswith("no VPP is connected")


def has_vpp(client: Client) -> bool:
    try:
        client("GetVPPInfo")
    except grpc.RpcError:
        return False
    return True


FRONTENDS = 2000


def name_of(number: int) -> str:
    """As long as it may be."""
    return f"backend-{number:04}-".ljust(128, "b")


def large() -> str:
    """Each frontend has a backend of its own, and a description as long as it may be."""
    description = "\N{GREEK SMALL LETTER OMEGA}" * 1000
    return "\n".join(
        [
            "maglev:",
            '  vpp: {lb: {ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe", sync-interval: 1h,',
            "             startup-min-delay: 0s, startup-max-delay: 0s}}",
            "  backends:",
            *(f"    {name_of(n)}: {{address: 10.1.{n // 256}.{n % 256}}}" for n in range(FRONTENDS)),
            "  frontends:",
            *(
                f"    f{n}: {{address: 10.0.{n // 256}.{n % 256}, protocol: tcp, port: 80, description: {description},"
                f" pools: [{{name: main, backends: {{{name_of(n)}: {{weight: {n % 100 + 1}}}}}}}]}}"
                for n in range(FRONTENDS)
            ),
        ]
    )


def test_long_lists_are_whole(site: Site, api: Api) -> None:
    site.config.write_text(large())
    with site.vpp.running(), site.running() as maglevd, calling(api, site.address) as client:
        maglevd.until_says(" vpp-connect ")
        client("SyncVPPLBState")
        frontends, backends, table = (client(rpc) for rpc in ("ListFrontends", "ListBackends", "GetVPPLBState"))

    assert frontends.ByteSize() > USUAL_BYTES
    assert [
        (each["name"], each["address"], each["pools"][0]["backends"][0]["name"])
        for each in told(frontends)["frontends"]
    ] == [(f"f{n}", f"10.0.{n // 256}.{n % 256}/32", name_of(n)) for n in range(FRONTENDS)]
    assert [(each["name"], each["address"]) for each in told(backends)["backends"]] == [
        (name_of(n), f"10.1.{n // 256}.{n % 256}") for n in range(FRONTENDS)
    ]
    assert list(weights(told(table)).items()) == [
        (f"10.0.{n // 256}.{n % 256}/32 tcp 80", {f"10.1.{n // 256}.{n % 256}": n % 100 + 1}) for n in range(FRONTENDS)
    ]
