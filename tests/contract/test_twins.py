"""Any calls and packets, to an emulator and to a real VPP at once: both answer, dump, list and count alike.

Only what VPP dies of is left out, and backends within a VIP's prefix, whose packets meet the LB twice. It is over
before VPP's first sweep.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.contract.target import LB_COUNTERS, ROUTE_TO, ROUTE_VIA, Burst, RealTarget, Target, embedded
from tests.real_vpp import BINARY, Binary, Nothing, Sockets, started

KEEP = 0xFFFFFFFF
ALL_PORTS, NAT = 0, (3, 4)
CALLS = 150
PREFIXES = ["10.128.0.1/32", "10.128.0.77/26", "2001:db8:77::/64"]
BACKENDS = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "fd00::1", "fd00::2", "::1", "::ffff:1.2.3.4"]
TARGETS = ["10.128.0.1", "10.128.0.70", "2001:db8:77::1", "2001:db8:77::9"]

Call = tuple[str, dict[str, object]] | Burst


@pytest.fixture
def twins(found_vpp: Sockets | Binary | Nothing, tmp_path: Path) -> Iterator[tuple[Target, Target]]:
    if not isinstance(found_vpp, Binary):
        pytest.skip(f"the VPP that runs is not new, and {BINARY} is not asked for another")
    ours, theirs = tmp_path / "emulator", tmp_path / "real"
    ours.mkdir()
    theirs.mkdir()
    with (
        started(found_vpp, theirs) as sockets,
        closing(RealTarget(sockets.api, sockets.stats)) as real,
        embedded(ours) as emulator,
    ):
        yield emulator, real


def calls(random: Random) -> Iterator[Call]:
    conf = {"ip4_src_address": "10.0.0.1", "ip6_src_address": "fd00::1"}
    yield "lb_conf", conf | {"sticky_buckets_per_core": 1024, "flow_timeout": 1000}
    for _ in range(CALLS):
        key: dict[str, object] = {
            "pfx": random.choice(PREFIXES),
            "protocol": random.choice([6, 17, 17, 17]),
            "port": random.choice([80, 80, 80, 81, ALL_PORTS]),
        }
        server = key | {
            "as_address": random.choice(BACKENDS),
            "weight": random.choice([0, 1, 3, 50, 100, 255]),
            "is_flush": random.random() < 0.3,
        }
        vip = key | {
            "encap": random.choice([0, 0, 0, 1, 1, 2] + [*NAT] * (key["port"] != ALL_PORTS)),
            "dscp": random.choice([0, 7, 63, 64, 255]),
            "type": random.choice([0, 1]),
            "target_port": random.choice([0, 80, 8080]),
            "new_flows_table_length": random.choice([1, 2, 16, 1000, 1024, 65536]),
            "src_ip_sticky": random.random() < 0.2,
        }
        other: dict[str, object] = conf | {
            "sticky_buckets_per_core": random.choice([KEEP, 1024, 3, 128]),
            "flow_timeout": random.choice([KEEP, 1000, 2000]),
        }
        dst = random.choice(TARGETS)
        burst = Burst(
            "2001:db8:78::5" if ":" in dst else "10.201.0.5",
            dst,
            1000,
            random.choice([80, 80, 81]),
            count=random.choice([1, 5, 40]),
            last_sport=random.choice([0, 1010, 1050]),
            protocol=random.choice([6, 17, 17, 17]),
        )
        choices: list[Call] = [
            ("lb_add_del_vip_v2", vip),
            ("lb_add_del_vip_v2", vip | {"is_del": True}),
            ("lb_add_del_as_v2", server),
            ("lb_add_del_as_v2", server | {"is_del": True}),
            ("lb_as_set_weight", server),
            ("lb_conf", other),
            burst,
        ]
        yield random.choices(choices, [20, 3, 36, 8, 10, 3, 20])[0]


def answer(vpp: Target, call: Call) -> int | None:
    if isinstance(call, Burst):
        return vpp.send(call)
    name, fields = call
    return int(getattr(vpp.api, name)(**fields).retval)


def told(message: object, *fields: str) -> list[str]:
    return [str(getattr(message, field)) for field in fields]


def seen(vpp: Target) -> dict[str, object]:
    """All that one can ask; indexes of the FIB stand for routes, of which a real VPP has more."""
    servers = vpp.api.lb_as_v2_dump(pfx="0.0.0.0/0", protocol=0, port=0)
    details = "vip", "encap", "dscp", "srv_type", "target_port", "flow_table_length"
    hosts = [f"{backend}/{128 if ':' in backend else 32}" for backend in BACKENDS]
    routes = [p for p in PREFIXES + hosts if vpp.api.ip_route_lookup(exact=1, prefix=p).retval == 0]
    return {
        "conf": told(vpp.api.lb_conf_get(), "ip4_src_address", "sticky_buckets_per_core", "flow_timeout"),
        "vips": [told(vip, *details) for vip in vpp.api.lb_vip_dump()],
        "servers": [told(server, "vip", "app_srv", "flags", "weight", "num_buckets") for server in servers],
        "verbose": re.sub(r"dpo:\d+", "dpo", vpp.cli("show lb vips verbose")),
        "brief": vpp.cli("show lb vips"),
        "counters": [vpp.stats[name] for name in LB_COUNTERS if name in vpp.stats.directory],
        "routes": {prefix: [vpp.route(name, prefix) for name in (ROUTE_TO, ROUTE_VIA)] for prefix in routes},
    }


@pytest.mark.vpp
@pytest.mark.parametrize("seed", range(4))
def test_any_calls_make_the_same_of_both(twins: tuple[Target, Target], seed: int) -> None:
    emulator, real = twins
    for number, call in enumerate(calls(Random(seed))):
        assert answer(emulator, call) == answer(real, call), call
        if number % 5 == 0 or isinstance(call, Burst):
            assert seen(emulator) == seen(real), call
    assert seen(emulator) == seen(real)
    firsts = sum(sum(thread) for thread in emulator.stats[LB_COUNTERS[1]])
    assert firsts > 10, "hardly a packet was forwarded: these calls show little"
