"""The RPCs that ask, one test each, by a client of the .proto alone: against the configuration and VPP's word."""

import time
from importlib.metadata import version

from grpc import StatusCode

from maglev.version import build
from tests.api.client import Client, Told
from tests.api.covering import of
from tests.api.site import TABLE, Site, weights
from tests.processes import until

WWW: Told = {
    "name": "www",
    "address": "198.51.100.1/32",
    "protocol": "tcp",
    "port": 80,
    "pools": [
        {"name": "main", "backends": [{"name": "web1", "weight": 42, "effective_weight": 42}]},
        {"name": "spare", "backends": [{"name": "sorry", "weight": 10, "effective_weight": 0}]},
    ],
    "description": "the website",
    "src_ip_sticky": False,
    "flush_on_down": True,
    "state": "up",
    "active_pool": "main",
}
NET: Told = {
    "name": "net",
    "address": "203.0.113.128/25",
    "protocol": "any",
    "port": 0,
    "pools": [{"name": "all", "backends": [{"name": "web2", "weight": 100, "effective_weight": 100}]}],
    "description": "",
    "src_ip_sticky": True,
    "flush_on_down": True,
    "state": "up",
    "active_pool": "all",
}
DARK: Told = {
    "name": "dark",
    "address": "198.51.100.2/32",
    "protocol": "tcp",
    "port": 443,
    "pools": [{"name": "main", "backends": [{"name": "closed", "weight": 100, "effective_weight": 0}]}],
    "description": "",
    "src_ip_sticky": False,
    "flush_on_down": True,
    "state": "down",
}
DNS: Told = {
    "name": "dns",
    "address": "2001:db8::53/128",
    "protocol": "udp",
    "port": 53,
    "pools": [{"name": "main", "backends": [{"name": "six", "weight": 7, "effective_weight": 7}]}],
    "description": "",
    "src_ip_sticky": False,
    "flush_on_down": False,
    "state": "up",
    "active_pool": "main",
}
OF_POOL = ("name", "weight", "effective_weight", "file_weight")
COUNTERS = {
    "next": "packet from existing sessions",
    "first": "first session packet",
    "untracked": "untracked packet",
    "no_server": "no server configured",
}


def configured(info: Told) -> Told:
    """What the configuration and health make of a frontend, without times and what its backends are by themselves."""
    assert 0 < info["changed_at_ns"] < time.time_ns()
    pools = [
        {**pool, "backends": [{field: each[field] for field in each if field in OF_POOL} for each in pool["backends"]]}
        for pool in info["pools"]
    ]
    return {**{field: info[field] for field in info if not field.endswith("_at_ns")}, "pools": pools}


def filled(info: Told) -> Told:
    return {field: value for field, value in info.items() if value}


def backends_in(info: Told) -> list[Told]:
    return [each for pool in info["pools"] for each in pool["backends"]]


@of("ListFrontends")
def test_frontends_are_listed_as_configured(client: Client) -> None:
    listed = client.told("ListFrontends")["frontends"]

    assert [configured(each) for each in listed] == [WWW, NET, DARK, DNS]
    for each in backends_in(listed[0]):
        assert (each["address"], each["state"], each["changed_at_ns"]) == ("", "", 0)
        assert not {"buckets", "flows"} & each.keys()
    names = client.told("ListFrontends", names_only=True)["frontends"]
    assert [filled(each) for each in names] == [{"name": each["name"]} for each in listed]


@of("GetFrontend")
def test_a_frontend_is_found_by_its_name_with_what_its_backends_are_and_have(client: Client) -> None:
    client("SyncVPPLBState")  # which is what reads buckets and flows anew
    backends = {each["name"]: each for each in client.told("ListBackends")["backends"]}
    state = client.told("GetVPPLBState")
    vips = {vip["prefix"]: vip["application_servers"] for vip in state["vips"]}
    for each in (WWW, NET, DARK, DNS):
        found = client.told("GetFrontend", name=each["name"])
        assert configured(found) == each
        assert found["audited_at_ns"] >= state["audited_at_ns"]
        servers = {server["address"]: server for server in vips[found["address"]]}
        for one in backends_in(found):
            for field in ("address", "state", "changed_at_ns"):
                assert one[field] == backends[one["name"]][field]
            for field in ("buckets", "flows"):
                assert one[field] == servers[one["address"]][field]
    assert [each["buckets"] for each in backends_in(client.told("GetFrontend", name="www"))] == [1024, 0]
    came_up_at_ns = backends["web1"]["transitions"][-1]["at_ns"]
    assert client.told("GetFrontend", name="www")["changed_at_ns"] <= came_up_at_ns
    said = client.refused("GetFrontend", StatusCode.NOT_FOUND, name="wwww")
    assert said == "there is no frontend called 'wwww'; the nearest is 'www'"
    said = client.refused("GetFrontend", StatusCode.NOT_FOUND)
    assert said == "there is no frontend called ''; there is 'www', 'net', 'dark', 'dns'"


@of("ListBackends")
def test_backends_are_listed_as_configured(client: Client) -> None:
    listed = {each["name"]: each for each in client.told("ListBackends")["backends"]}

    assert list(listed) == ["web1", "web2", "closed", "sorry", "six"]
    assert {name: each["address"] for name, each in listed.items()} == {
        "web1": "127.0.0.1",
        "web2": "127.0.0.1",
        "closed": "127.0.0.3",
        "sorry": "192.0.2.80",
        "six": "2001:db8:1::6",
    }
    assert {name: each["state"] for name, each in listed.items()} == {
        "web1": "up",
        "web2": "up",
        "closed": "disabled",
        "sorry": "up",
        "six": "up",
    }
    for name in ("sorry", "six"):
        assert {key: listed[name][key] for key in ("healthcheck", "counter", "counter_max", "rise")} == {
            "healthcheck": "",
            "counter": 0,
            "counter_max": 0,
            "rise": 0,
        }
        assert listed[name]["transitions"] == []
    names = client.told("ListBackends", names_only=True)["backends"]
    assert [filled(each) for each in names] == [{"name": name} for name in listed]


@of("GetBackend")
def test_a_backend_is_found_by_its_name_with_its_health_and_history(client: Client) -> None:
    def counter() -> int:
        return int(client.told("GetBackend", name="web1")["counter"])

    until(lambda: counter() == 4, lambda: f"a full counter, seen {counter()}")
    found = client.told("GetBackend", name="web1")
    first = found["transitions"][-1]
    assert found == {
        "name": "web1",
        "address": "127.0.0.1",
        "state": "up",
        "healthcheck": "web",
        "enabled": True,
        "counter": 4,
        "counter_max": 4,
        "rise": 2,
        "changed_at_ns": first["at_ns"],
        "transitions": [
            {"at_ns": first["at_ns"], "from": "unknown", "to": "up", "code": "L7OK", "detail": "HTTP 200 OK"}
        ],
    }
    assert 0 < first["at_ns"] <= time.time_ns()
    assert not client.told("GetBackend", name="closed")["enabled"]
    said = client.refused("GetBackend", StatusCode.NOT_FOUND, name="web")
    assert said == "there is no backend called 'web'; the nearest is 'web2'"


@of("ListHealthChecks")
def test_health_checks_are_listed_as_configured_and_with_their_defaults(shared: Site, client: Client) -> None:
    defaults = {"timeout_s": 3.0, "interval_s": 2.0, "fast_interval_s": 2.0, "down_interval_s": 2.0}
    web, strict, imaps, ping = client.told("ListHealthChecks")["health_checks"]

    assert web == {
        "name": "web",
        "type": "http",
        "port": shared.port,
        "interval_s": 0.1,
        "timeout_s": 5.0,
        "rise": 2,
        "fall": 3,
        "fast_interval_s": 0.1,
        "down_interval_s": 0.1,
        "path": "/healthz",
        "response_codes": ["200-299"],
        "backends": ["web1", "web2", "closed"],
    }
    assert strict == client.told("GetHealthCheck", name="strict")
    of_all = {"rise": 2, "fall": 3, "response_codes": [], "backends": [], **defaults}
    tls = {"insecure_skip_verify": False}
    assert imaps == {"name": "imaps", "type": "tcp", "port": 993, "tls": tls, **of_all}
    assert ping == {"name": "ping", "type": "icmp", "port": 0, **of_all}


@of("GetHealthCheck")
def test_a_health_check_is_found_by_its_name(client: Client) -> None:
    assert client.told("GetHealthCheck", name="strict") == {
        "name": "strict",
        "type": "https",
        "port": 8443,
        "interval_s": 2.0,
        "timeout_s": 1.0,
        "rise": 1,
        "fall": 4,
        "fast_interval_s": 0.5,
        "down_interval_s": 5.0,
        "probe_ipv4_src": "192.0.2.253",
        "probe_ipv6_src": "2001:db8::fd",
        "tls": {"server_name": "alt.example.org", "insecure_skip_verify": True},
        "path": "/ok",
        "host": "www.example.org",
        "response_codes": ["200-299", "404"],
        "response_regexp": "^ok",
        "backends": [],
    }
    said = client.refused("GetHealthCheck", StatusCode.NOT_FOUND, name="wbe")
    assert said == "there is no health check called 'wbe'; the nearest is 'web'"


@of("GetVPPInfo")
def test_vpp_is_told_as_it_tells_itself(shared: Site, client: Client) -> None:
    info = client.told("GetVPPInfo")

    version, date = shared.vpp.cli("show version").removeprefix("vpp v").split(" built by maglev on localhost at ")
    assert (info["version"], info["build_date"]) == (version, date.strip())
    assert info["build_directory"] == "maglev.emulator"
    assert shared.vpp.process
    assert info["pid"] == shared.vpp.process.popen.pid
    assert 0 < info["boottime_ns"] < info["connecttime_ns"] < time.time_ns()


@of("GetVPPLBState")
def test_the_table_is_told_as_vpp_tells_it(shared: Site, client: Client) -> None:
    asked_at_ns = time.time_ns()
    assert client.told("SyncVPPLBState")["operations"] == 0
    state = client.told("GetVPPLBState")
    listed = shared.vpp.listed()

    assert weights(state) == TABLE == shared.vpp.weights()
    assert asked_at_ns < state["audited_at_ns"] < time.time_ns()
    for vip in state["vips"]:
        by_vpp = listed[f"{vip['prefix']} {vip['protocol']} {vip['port']}"]
        for field in ("encap", "src_ip_sticky", "flow_table_length"):
            assert vip[field] == by_vpp[field], field
        for server in vip["application_servers"]:
            # A worker that has no flow of a backend yet gets some: by what traffic did between the two readings.
            assert server["buckets"] == by_vpp["buckets"][server["address"]]
            assert server["flows"] <= by_vpp["flows"][server["address"]]
    assert state["conf"] == {
        "ipv4_src_address": "192.0.2.254",
        "ipv6_src_address": "2001:db8::fe",
        "sticky_buckets_per_core": 1024,
        "flow_timeout_s": 60,
    }
    assert (state["doubtful"], state["held_back_s"], state["audit_interval_s"]) == (0, 0, 3600)
    assert state["audit_cost_s"] > 0
    assert "conf_refused" not in state


@of("GetVersion")
def test_the_version_is_that_of_the_package(client: Client) -> None:
    told = client.told("GetVersion")

    assert told["version"] == version("maglev")
    assert (told.get("commit", ""), told.get("date", "")) == (build().commit, build().date)


@of("GetVPPLBCounters")
def test_counters_lie_between_what_vpp_says_before_and_after(shared: Site, client: Client) -> None:
    before, asked_at_ns = shared.vpp.listed(), time.time_ns()
    started_at_ns = client.told("GetVPPInfo")["boottime_ns"]

    def is_between_two_packets(sample: Told) -> bool:
        """Traffic goes on while it is read, and VPP counts a packet in several places, one after the other."""
        forwarded = sum(vip["next"] + vip["first"] for vip in sample["vips"])
        return (
            sample["taken_at_ns"] > asked_at_ns
            and all(vip["fib_packets"] == sum(vip[field] for field in COUNTERS) for vip in sample["vips"])
            and sum(each["forwarded_packets"] for each in sample["backends"]) == forwarded > 0
            and all("since_ns" in each for each in (*sample["vips"], *sample["backends"]))
        )

    def sample() -> Told:
        taken = client.told("GetVPPLBCounters")
        return taken if is_between_two_packets(taken) else {}

    newest = until(sample, lambda: "a sample of after the question in which each packet is counted everywhere")
    after = shared.vpp.listed()

    assert newest["interval_s"] == 0.1
    assert [f"{vip['prefix']} {vip['protocol']} {vip['port']}" for vip in newest["vips"]] == list(TABLE)
    for vip in newest["vips"]:
        name = f"{vip['prefix']} {vip['protocol']} {vip['port']}"
        for field, by_vpp in COUNTERS.items():
            assert before[name]["counters"][by_vpp] <= vip[field] <= after[name]["counters"][by_vpp], (name, field)
        assert vip["fib_bytes"] > vip["fib_packets"]
        assert started_at_ns <= vip["since_ns"] < newest["taken_at_ns"]
        assert vip["fib_since_ns"] == started_at_ns
    by_address = {each["address"]: each for each in newest["backends"]}
    assert {address: each["backends"] for address, each in by_address.items()} == {
        "127.0.0.1": ["web1", "web2"],
        "127.0.0.3": ["closed"],
        "192.0.2.80": ["sorry"],
        "2001:db8:1::6": ["six"],
    }
    for address, each in by_address.items():
        is_used = address in ("127.0.0.1", "2001:db8:1::6")
        assert (each["forwarded_bytes"] > each["forwarded_packets"]) is (each["forwarded_packets"] > 0) is is_used
        assert (each["direct_bytes"] > each["direct_packets"]) is (each["direct_packets"] > 0)
        assert each["since_ns"] == started_at_ns
