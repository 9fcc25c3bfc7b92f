"""The RPCs that change something, one test each, by a client of the .proto alone: their word, and VPP's table after."""

import time
from collections.abc import Iterator
from copy import deepcopy
from ipaddress import ip_address, ip_network
from itertools import islice

import pytest
from grpc import StatusCode

from maglev.core.model import VipKey
from maglev.core.plan import SetWeight
from tests.api.client import Client, Told, told
from tests.api.covering import of
from tests.api.site import TABLE, Site, until_written, weights
from tests.processes import until

WWW, DARK = "198.51.100.1/32 tcp 80", "198.51.100.2/32 tcp 443"
NEW = """\
    new: {address: 198.51.100.3, protocol: tcp, port: 25, pools: [{name: main, backends: {sorry: {weight: 3}}}]}
"""


@pytest.fixture(autouse=True)
def _left_as_found(shared: Site, client: Client) -> Iterator[None]:
    """What a test changed and what it ordered is taken back, so that the next finds the site as it is configured."""
    text = shared.config.read_text()
    yield
    shared.config.write_text(text)
    assert client.told("ReloadConfig")["ok"]
    for each in client.told("ListBackends")["backends"]:
        if each["name"] == "closed":
            client("DisableBackend", name="closed")
        else:
            client("EnableBackend", name=each["name"])
            client("ResumeBackend", name=each["name"])
    client("SetFrontendPoolBackendWeight", frontend="www", pool="main", backend="web1", weight=42)


def with_www(main: int, spare: int) -> dict[str, dict[str, int]]:
    return {**TABLE, WWW: {"127.0.0.1": main, "192.0.2.80": spare}}


def settled(info: Told) -> Told:
    """A frontend without what is not known while weights move in VPP."""
    for pool in info["pools"]:
        for each in pool["backends"]:
            each.pop("buckets", None)
            each.pop("flows", None)
    return info


def last_change(info: Told) -> tuple[str, str, str]:
    newest = info["transitions"][0]
    assert newest["at_ns"] == info["changed_at_ns"]
    return newest["from"], newest["to"], newest["code"]


def unknown(client: Client, rpc: str) -> None:
    said = client.refused(rpc, StatusCode.NOT_FOUND, name="web3")
    assert said == "there is no backend called 'web3'; the nearest is 'web2'"


@of("PauseBackend")
def test_a_paused_backend_has_no_weight_and_its_pool_hands_over(shared: Site, client: Client) -> None:
    info = client.told("PauseBackend", name="web1")
    assert (info["state"], info["enabled"], last_change(info)) == ("paused", True, ("up", "paused", "pause"))
    until_written(shared, with_www(0, 10))
    assert client.told("GetFrontend", name="www")["active_pool"] == "spare"
    assert client.told("PauseBackend", name="web1") == info  # it is already
    assert client.told("GetBackend", name="web1") == info

    said = client.refused("PauseBackend", StatusCode.FAILED_PRECONDITION, name="closed")
    assert said == "cannot pause what is disabled; enable it first"
    unknown(client, "PauseBackend")


@of("ResumeBackend")
def test_a_resumed_backend_starts_from_unknown_and_comes_up(shared: Site, client: Client) -> None:
    before = client.told("GetBackend", name="web1")
    assert client.told("ResumeBackend", name="web1")["transitions"] == before["transitions"]  # it is not paused
    client("PauseBackend", name="web1")
    until_written(shared, with_www(0, 10))
    info = client.told("ResumeBackend", name="web1")
    assert (info["state"], last_change(info)) == ("unknown", ("paused", "unknown", "resume"))
    until_written(shared, TABLE)
    assert client.told("GetBackend", name="web1")["state"] == "up"

    said = client.refused("ResumeBackend", StatusCode.FAILED_PRECONDITION, name="closed")
    assert said == "cannot resume what is disabled; enable it first"
    unknown(client, "ResumeBackend")


@of("EnableBackend")
def test_an_enabled_backend_starts_from_unknown(shared: Site, client: Client) -> None:
    before = client.told("GetBackend", name="web1")
    assert client.told("EnableBackend", name="web1")["transitions"] == before["transitions"]  # it is already
    client("DisableBackend", name="web1")
    until_written(shared, with_www(0, 10))
    info = client.told("EnableBackend", name="web1")
    assert (info["state"], info["enabled"]) == ("unknown", True)
    assert last_change(info) == ("disabled", "unknown", "enable")
    until_written(shared, TABLE)

    assert client.told("EnableBackend", name="closed")["enabled"]  # whatever the file says
    unknown(client, "EnableBackend")


@of("DisableBackend")
def test_a_disabled_backend_has_no_weight_and_no_flows(shared: Site, client: Client) -> None:
    until(lambda: shared.vpp.listed()[WWW]["flows"]["127.0.0.1"], lambda: "a flow through it")
    info = client.told("DisableBackend", name="web1")
    assert (info["state"], info["enabled"], last_change(info)) == ("disabled", False, ("up", "disabled", "disable"))
    until_written(shared, with_www(0, 10))
    assert shared.vpp.listed()[WWW]["flows"]["127.0.0.1"] == 0
    assert client.told("DisableBackend", name="web1") == info  # it is already
    unknown(client, "DisableBackend")


@of("SetFrontendPoolBackendWeight")
def test_a_weight_is_set_at_once(shared: Site, client: Client) -> None:
    place: Told = {"frontend": "www", "pool": "main", "backend": "web1"}
    before = client.told("GetFrontend", name="www")
    info = client.told("SetFrontendPoolBackendWeight", **place, weight=9)
    expected = deepcopy(before)
    expected["pools"][0]["backends"][0].update({"weight": 9, "effective_weight": 9, "file_weight": 42})
    assert settled(info) == settled(expected) == settled(client.told("GetFrontend", name="www"))
    until_written(shared, with_www(9, 0))
    client("SyncVPPLBState")
    assert client.told("GetFrontend", name="www")["pools"][0]["backends"][0]["buckets"] == 1024

    until(lambda: shared.vpp.listed()[WWW]["flows"]["127.0.0.1"], lambda: "a flow through it")
    info = client.told("SetFrontendPoolBackendWeight", **place, weight=0, flush=True)
    assert info["active_pool"] == "spare"
    until_written(shared, with_www(0, 10))
    assert shared.vpp.listed()[WWW]["flows"]["127.0.0.1"] == 0

    def refused(code: StatusCode, **fields: object) -> str:
        return client.refused("SetFrontendPoolBackendWeight", code, **{**place, **fields})

    for weight in (-1, 101, 2**31 - 1):
        said = refused(StatusCode.INVALID_ARGUMENT, weight=weight)
        assert said == f"a weight is a whole number from 0 to 100 (weight={weight})"
    said = refused(StatusCode.INVALID_ARGUMENT, weight=5, flush=True)
    assert said == "a flush goes with a weight of 0 (weight=5); set 0 with the flush, then this"
    said = refused(StatusCode.NOT_FOUND, frontend="ww")
    assert said == "there is no frontend called 'ww'; the nearest is 'www'"
    said = refused(StatusCode.NOT_FOUND, pool="mian")
    assert said == "there is no pool of www called 'mian'; the nearest is 'main'"
    said = refused(StatusCode.NOT_FOUND, backend="sorry")
    assert said == "there is no backend in pool main of www called 'sorry'; there is 'web1'"
    assert settled(client.told("GetFrontend", name="www")) == settled(info)


@of("GetVPPLBPlan")
def test_the_plan_is_what_is_left_to_do_and_empty_when_all_is_done(shared: Site, client: Client) -> None:
    asked_at_ns = time.time_ns()
    client("SyncVPPLBState")
    plan = client.told("GetVPPLBPlan")
    assert (plan["operations"], plan["held_back_s"]) == ([], 0)
    assert asked_at_ns < plan["audited_at_ns"] < time.time_ns()

    with shared.vpp.standing_still():
        client("PauseBackend", name="web1")
        plan = client.told("GetVPPLBPlan")
        assert client.told("GetVPPLBPlan") == plan  # nobody has to answer for it
    moves = [operation.pop("moves") for operation in plan["operations"]]
    common = {"kind": "set-weight", "prefix": "198.51.100.1/32", "protocol": "tcp", "port": 80, "flush": False}
    harmless = {"drops": 0, "breaks_flows": False, "waits": ""}
    assert plan["operations"] == [
        {**common, **harmless, "address": "192.0.2.80", "backends": ["sorry"], "weight": 10},
        {**common, **harmless, "address": "127.0.0.1", "backends": ["web1", "web2"], "weight": 0},
    ]
    assert 0.1 < moves[0] < 0.5 < moves[1] < 1  # some new flows go over by the first, the rest by the second
    until_written(shared, with_www(0, 10))
    until(lambda: not client.told("GetVPPLBPlan")["operations"], lambda: "an empty plan")


@of("WatchEvents")
def test_events_begin_with_what_is_and_go_on_with_what_happens(client: Client) -> None:
    stream = client.watch(log=False)
    events = (told(event) for event in stream)
    begun = list(islice(events, 9))
    backends = [event["backend"] for event in begun[:5]]
    assert [(each["backend"], each["from"], each["to"]) for each in backends] == [
        ("web1", "up", "up"),
        ("web2", "up", "up"),
        ("closed", "disabled", "disabled"),
        ("sorry", "up", "up"),
        ("six", "up", "up"),
    ]
    assert [event["frontend"] for event in begun[5:]] == [
        {"at_ns": client.told("GetFrontend", name=name)["changed_at_ns"], "frontend": name, "from": state, "to": state}
        for name, state in (("www", "up"), ("net", "up"), ("dark", "down"), ("dns", "up"))
    ]
    (change,) = client.told("PauseBackend", name="web2")["transitions"][:1]
    assert list(islice(events, 2)) == [
        {"backend": {"backend": "web2", "address": "127.0.0.1", **change}},
        {"frontend": {"at_ns": change["at_ns"], "frontend": "net", "from": "up", "to": "down"}},
    ]
    stream.cancel()

    said = client.refused("WatchEvents", StatusCode.INVALID_ARGUMENT, log_level="loud")
    assert said == "'loud' is no log level; it is one of debug, info, warning, error"


@of("CheckConfig")
def test_a_file_is_judged_and_not_taken_over(shared: Site, client: Client) -> None:
    text = shared.config.read_text()
    good = {"ok": True, "parse_error": "", "semantic_error": ""}
    assert client.told("CheckConfig") == good
    shared.config.write_text(text + NEW)
    assert client.told("CheckConfig") == good
    shared.config.write_text(text.replace("weight: 42", "weight: 420"))
    answer = client.told("CheckConfig")
    assert (answer["ok"], answer["parse_error"]) == (False, "")
    assert "maglev.frontends.www.pools[0].backends.web1.weight" in answer["semantic_error"]
    assert answer["semantic_error"].startswith("line ")
    shared.config.write_text(text + "    - no\n")
    answer = client.told("CheckConfig")
    assert (answer["ok"], answer["semantic_error"]) == (False, "")
    assert answer["parse_error"]
    assert len(client.told("ListFrontends")["frontends"]) == 4
    assert shared.vpp.weights() == TABLE


@of("ReloadConfig")
def test_a_good_file_is_taken_over_and_of_a_bad_one_nothing(shared: Site, client: Client) -> None:
    text = shared.config.read_text()
    for broken, fault in ((text.replace("weight: 42", "weight: 420"), "semantic"), (text + "    - no\n", "parse")):
        shared.config.write_text(broken + (NEW if fault == "semantic" else ""))
        answer = client.told("ReloadConfig")
        assert not answer["ok"]
        assert {key: bool(answer[key]) for key in ("parse_error", "semantic_error")} == {
            "parse_error": fault == "parse",
            "semantic_error": fault == "semantic",
        }
        assert answer == client.told("CheckConfig")
    assert len(client.told("ListFrontends")["frontends"]) == 4

    shared.config.write_text(text + NEW)
    assert client.told("ReloadConfig") == {"ok": True, "parse_error": "", "semantic_error": ""}
    assert [each["name"] for each in client.told("ListFrontends")["frontends"]][4:] == ["new"]
    until_written(shared, {**TABLE, "198.51.100.3/32 tcp 25": {"192.0.2.80": 3}})
    shared.config.write_text(text)
    assert client.told("ReloadConfig")["ok"]
    until_written(shared, TABLE)


@of("SyncVPPLBState")
def test_a_sync_puts_right_what_somebody_meddled_with_and_tells(shared: Site, client: Client) -> None:
    vip = VipKey(ip_network("198.51.100.1/32"), 6, 80)
    client("SyncVPPLBState")  # nothing is left for which the table would be read by itself
    shared.vpp.write(SetWeight(vip, ip_address("127.0.0.1"), 77, flush=False))
    assert shared.vpp.weights() == with_www(77, 0)
    asked_at_ns = time.time_ns()
    answer = client.told("SyncVPPLBState")

    assert shared.vpp.weights() == TABLE  # at once: what is answered is done
    assert (answer["operations"], answer["refused_vips"]) == (1, 0)
    state = client.told("GetVPPLBState")
    assert asked_at_ns < answer["audited_at_ns"] <= state["audited_at_ns"]
    assert weights(state) == TABLE
    assert client.told("SyncVPPLBState", name="dark")["operations"] == 0
    said = client.refused("SyncVPPLBState", StatusCode.NOT_FOUND, name="drak")
    assert said == "there is no frontend called 'drak'; the nearest is 'dark'"
