"""The same on a real VPP, by its own counters: while its packet generator sends, maglevd is ended and started again."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.target import TCP, UDP, Burst, Target, real
from tests.daemon.farm import WEIGHTS
from tests.daemon.town import Town, founded
from tests.processes import until
from tests.real_vpp import Sockets

pytestmark = pytest.mark.vpp

PORTS = 100  # flows of each stream
PACKETS_PER_S = 5000
VIPS = {
    "192.0.2.1/32": Burst("198.51.100.1", "192.0.2.1", 1024, 80, protocol=TCP),
    "192.0.2.2/32": Burst("198.51.100.1", "192.0.2.2", 1024, 443, protocol=TCP),
    "2001:db8::1/128": Burst("2001:db8:2::1", "2001:db8::1", 1024, 53, protocol=UDP),
    "203.0.113.0/24": Burst("198.51.100.1", "203.0.113.9", 1024, 8443, protocol=TCP),
}
NEXT, FIRST, UNTRACKED, NO_SERVER = range(4)


@contextmanager
def streams(target: Target) -> Iterator[None]:
    """To each VIP, the same flows over and over, without an end."""
    for burst in VIPS.values():
        target.send(burst)
    for number, burst in enumerate(VIPS.values()):
        word = {TCP: "TCP", UDP: "UDP"}[burst.protocol]
        target.cli(
            f"packet-generator new {{ name restart{number} limit 0 rate {PACKETS_PER_S} size 100-100 interface pg88"
            f" node ip{6 if ':' in burst.dst else 4}-input worker 0"
            f" data {{ {word}: {burst.src} -> {burst.dst}"
            f" {word}: {burst.sport} - {burst.sport + PORTS - 1} -> {burst.dport} incrementing 8 }} }}"
        )
        target.cli(f"packet-generator enable-stream restart{number}")
    try:
        yield
    finally:
        for number in range(len(VIPS)):
            target.cli(f"packet-generator disable-stream restart{number}")
            target.cli(f"packet-generator delete restart{number}")


def counted(target: Target, kind: int) -> dict[str, int]:
    return {prefix: target.lb_counters(target.index(prefix))[kind] for prefix in VIPS}


def until_all_flowed(target: Target) -> None:
    before = counted(target, NEXT)
    until(
        lambda: all(now > before[prefix] + 2 * PORTS for prefix, now in counted(target, NEXT).items()),
        lambda: "packets of all flows",
    )


def listed(target: Target) -> str:
    """All of VPP's listing but what counts packets: slots, weights, buckets, and the flows of each backend."""
    text = "\n".join(block for prefix in VIPS for block in target.blocks(prefix) if " removed\n" not in block)
    return re.sub(r"^    (packet from|first session|untracked|no server).*\n", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_flows_stay_where_they_are(real_vpp: Sockets, tmp_path: Path, number: signal.Signals) -> None:
    with real(real_vpp) as target, founded(tmp_path) as made:
        made.site.api, made.site.stats = Path(real_vpp.api), Path(real_vpp.stats)
        try:
            _restarts(target, made, number)
        finally:
            if made.maglevd:
                made.maglevd.stop()
            target.clean_up()


def _restarts(target: Target, made: Town, number: signal.Signals) -> None:
    made.start()
    until(lambda: weights(target) == WEIGHTS, lambda: f"{WEIGHTS}, seen {weights(target)}:\n{made.log}", made.maglevd)
    with streams(target):
        until(lambda: min(counted(target, FIRST).values()), lambda: "the first packets")
        until_all_flowed(target)
        before, begun, counters = listed(target), counted(target, FIRST), made.counters()
        made.end(number)
        until_all_flowed(target)
        made.start()
        made.until_all_known()
        made.nothing_was_written()
        made.until_warm()
        made.nothing_was_written()
        until_all_flowed(target)

        assert listed(target) == before
        assert counted(target, FIRST) == begun
        assert counted(target, UNTRACKED) == counted(target, NO_SERVER) == dict.fromkeys(VIPS, 0)
        assert " flows:0 " not in "".join(re.findall(r".* weight:[1-9].*\n", before))  # all had some to lose
        made.counters_went_on(counters)


def weights(target: Target) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for each in target.api.lb_as_v2_dump(pfx="0.0.0.0/0", protocol=0, port=0):
        if each.flags & 1:
            vip = f"{each.vip.pfx} {int(each.vip.protocol)} {each.vip.port}"
            found.setdefault(vip, {})[str(each.app_srv)] = each.weight
    return {vip: dict(sorted(servers.items())) for vip, servers in found.items()}
