"""Every configuration of a set becomes every other, in a VPP that is spoken to: each time with nothing left to do."""

import time
from collections.abc import Sequence
from itertools import pairwise, product

from trio.testing import MockClock

from maglev.config.parse import parse
from maglev.core.desired import Desired, desired, resolve
from maglev.core.health import State
from maglev.core.observed import advance, carry_flushed
from maglev.core.plan import plan
from maglev.vpp.session import connect
from tests.core.cases import without_memory
from tests.trouble.bench import Bench
from tests.trouble.tables import as_table

SWEEP_S = 70.0  # VPP has then collected what was deleted

LB = 'ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::fe"'
BACKENDS = "".join(
    [f"    b{n}: {{address: 10.0.0.{n}}}\n" for n in range(1, 5)]
    + [f'    s{n}: {{address: "2001:db8:1::{n}"}}\n' for n in range(1, 5)]
)


def config(frontends: str, *, lb: str = "") -> str:
    text = f"maglev:\n  vpp:\n    lb: {{{LB}{lb}}}\n  backends:\n{BACKENDS}"
    return f"{text}  frontends:\n{frontends}" if frontends else text


def frontend(name: str, where: str, *pools: str, more: str = "") -> str:
    listed = ", ".join(f"{{name: p{n}, backends: {{{pool}}}}}" for n, pool in enumerate(pools))
    return f"    {name}: {{{where}, pools: [{listed}]{more}}}\n"


HTTP, HTTPS = "address: 192.0.2.1, protocol: tcp, port: 80", "address: 192.0.2.1, protocol: tcp, port: 443"
WEB = frontend("web", HTTP, "b1: {weight: 100}, b2: {weight: 50}", "b3: {}")
TLS = frontend("tls", HTTPS, "b1: {}")
SIX = 'address: "2001:db8::1", protocol: udp, port: 53'

CONFIGS = {
    "nothing": config(""),
    "one": config(WEB),
    "two ports": config(WEB + TLS),
    "sticky": config(frontend("web", HTTP, "b1: {}, b2: {}", more=", src-ip-sticky: true") + TLS),
    "other pools": config(frontend("web", HTTP, "b4: {weight: 1}", "b1: {}, b2: {weight: 0}") + TLS),
    "gre6": config(frontend("web", HTTP, "s1: {}, s2: {weight: 7}") + frontend("tls", HTTPS, "s1: {}")),
    "all ports": config(frontend("all", "address: 192.0.2.1", "b1: {}, b3: {}")),
    "a prefix": config(frontend("net", "address: 192.0.2.0/24, protocol: tcp, port: 80", "b1: {}") + WEB),
    "six": config(frontend("dns", SIX, "s1: {}, s2: {}", "s3: {}")),
    "six over four": config(frontend("dns", SIX, "b1: {}") + WEB, lb=", flow-timeout: 7s"),
    "a prefix of six": config(
        frontend("net", 'address: "2001:db8::/64"', "s4: {}"), lb=", sticky-buckets-per-core: 2048"
    ),
    "no weights": config(frontend("web", HTTP, "b1: {weight: 0}, b2: {weight: 0}")),
}


def wish(text: str) -> Desired:
    """What maglevd makes of it while all backends are up."""
    read = parse(text)
    states = dict.fromkeys(read.backends, State.UP)
    resolved = {name: resolve(each, states) for name, each in read.frontends.items()}
    return desired(read.lb.conf, list(read.frontends.values()), resolved, read.backends)


def tour(names: Sequence[str]) -> list[str]:
    """Each name behind each name, itself too, in as few steps as there are pairs: a de Bruijn sequence, closed."""
    stops: list[str] = []
    for number, name in enumerate(names):
        stops.append(name)
        for other in names[number + 1 :]:
            stops += [name, other]
    return [*stops, names[0]]


async def test_every_configuration_becomes_every_other(bench: Bench, clock: MockClock) -> None:
    wishes = {name: wish(text) for name, text in CONFIGS.items()}
    assert len({str(each) for each in wishes.values()}) == len(CONFIGS)
    stops = tour(list(CONFIGS))
    assert set(pairwise(stops)) == set(product(CONFIGS, CONFIGS))
    await bench.start_vpp()
    async with connect(bench.api, bench.stats, lambda _: None, clock_ns=time.time_ns) as session:
        shadow = (await session.audit()).observed
        for number, name in enumerate(stops):
            ops = plan(wishes[name], shadow)
            assert await session.execute(ops) == [None] * len(ops)
            shadow = advance(shadow, ops)
            assert plan(wishes[name], shadow) == ()
            audited = (await session.audit()).observed
            assert without_memory(shadow) == without_memory(audited) == as_table(wishes[name]) == bench.table
            shadow = carry_flushed(audited, shadow)
            assert plan(wishes[name], shadow) == ()
            if number % 16 == 0:
                await bench.jump(SWEEP_S)
