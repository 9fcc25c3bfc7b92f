"""The example configurations at work: a real maglevd, VPP by its own account, servers that fail and come back."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.api.site import Site, until_written
from tests.cli.stage import Webs, webs
from tests.contrib.examples import IPV6_ONLY, NETNS, ONE_SITE, TWO_SITES, moved
from tests.daemon.site import Ok
from tests.probes.spaces import ip, namespace, needs_root, run_inside
from tests.processes import until

SHOP, PICTURES, DOWNLOADS = "192.0.2.1/32 tcp 80", "192.0.2.2/32 tcp 80", "192.0.2.3/32 tcp 80"
A1, A2, A3, B1, B2, B3 = (f"127.0.0.{number}" for number in (11, 12, 13, 21, 22, 23))


@contextmanager
def at_work(example: Path, places: Mapping[str, str], directory: Path) -> Iterator[tuple[Site, Webs]]:
    """`places`: where on loopback each server of the file is here; its address in the file is its name."""
    with webs(places) as servers:
        # VPP's plugin takes ::1 for an IPv4 address, so an IPv6 server is at an IPv4-mapped one.
        addresses = {there: f"::ffff:{here}" if ":" in there else here for there, here in places.items()}
        site = Site(directory, servers.port)
        site.config.write_text(moved(example, addresses, servers.port))
        with site.vpp.running(), site.running():
            yield site, servers


def flows(site: Site, vip: str) -> dict[str, int]:
    """Of each backend, by VPP's account."""
    found: dict[str, int] = site.vpp.listed()[vip]["flows"]
    return found


def test_two_sites_fail_over_and_back(tmp_path: Path) -> None:
    places = {f"198.51.100.1{n}": f"127.0.0.1{n}" for n in (1, 2, 3)} | {
        f"203.0.113.1{n}": f"127.0.0.2{n}" for n in (1, 2, 3)
    }
    idle = {B1: 0, B2: 0}
    usual = {
        SHOP: {A1: 100, A2: 100, A3: 0, B3: 0, **idle},
        PICTURES: {A1: 80, A2: 80, B1: 20, B2: 20},
        DOWNLOADS: {A1: 100, A2: 100, **idle},
    }
    with at_work(TWO_SITES, places, tmp_path) as (site, servers):
        until_written(site, usual)
        until(lambda: all(flows(site, vip)[A1] for vip in usual), lambda: f"flows at {A1}: {site.vpp.listed()}")

        servers.ill("198.51.100.11")
        until_written(
            site,
            {
                SHOP: usual[SHOP] | {A1: 0},
                PICTURES: usual[PICTURES] | {A1: 0},
                DOWNLOADS: usual[DOWNLOADS] | {A1: 0},
            },
        )
        assert flows(site, SHOP)[A1] == flows(site, PICTURES)[A1] == 0
        assert flows(site, DOWNLOADS)[A1] > 0

        servers.ill("198.51.100.12")
        away = {A1: 0, A2: 0, B1: 100, B2: 100}
        until_written(
            site,
            {
                SHOP: {**away, A3: 0, B3: 100},
                PICTURES: usual[PICTURES] | {A1: 0, A2: 0},
                DOWNLOADS: away,
            },
        )
        until(lambda: flows(site, SHOP)[B1] > 0, lambda: f"flows at {B1}: {flows(site, SHOP)}")
        assert flows(site, SHOP)[A2] == 0
        assert flows(site, DOWNLOADS)[A2] > 0

        for name in ("198.51.100.11", "198.51.100.12"):
            servers.ill(name, False)
        until_written(site, usual)
        assert flows(site, SHOP)[B1] > 0


def test_one_site_ends_at_the_sorry_server(tmp_path: Path) -> None:
    shops = {f"198.51.100.1{n}": f"127.0.0.1{n}" for n in (1, 2, 3)}
    others = {f"198.51.100.{n}": f"127.0.0.{n}" for n in (21, 22, 53, 54)}
    tls, mail, dns = "192.0.2.1/32 tcp 443", "192.0.2.2/32 tcp 993", {"127.0.0.53": 100, "127.0.0.54": 100}
    shop = {"127.0.0.11": 100, "127.0.0.12": 100, "127.0.0.13": 50, "203.0.113.80": 0}
    usual = {
        SHOP: shop,
        tls: shop,
        mail: {"127.0.0.21": 100, "127.0.0.22": 100},
        "192.0.2.3/32 tcp 53": dns,
        "192.0.2.3/32 udp 53": dns,
    }
    with at_work(ONE_SITE, shops | others, tmp_path) as (site, servers):
        until_written(site, usual)
        until(lambda: flows(site, mail)["127.0.0.21"] > 0, lambda: f"flows: {site.vpp.listed()}")

        for name in (*shops, "198.51.100.21"):
            servers.ill(name)
        sorry = dict.fromkeys(shop, 0) | {"203.0.113.80": 100}
        until_written(site, usual | {SHOP: sorry, tls: sorry, mail: {"127.0.0.21": 0, "127.0.0.22": 100}})
        assert [flows(site, SHOP)[here] for here in shops.values()] == [0, 0, 0]
        assert flows(site, mail)["127.0.0.21"] > 0

        servers.ill("198.51.100.12", False)
        until_written(
            site,
            usual
            | {
                SHOP: dict.fromkeys(shop, 0) | {"127.0.0.12": 100},
                tls: dict.fromkeys(shop, 0) | {"127.0.0.12": 100},
                mail: {"127.0.0.21": 0, "127.0.0.22": 100},
            },
        )


def test_ipv6_only_goes_through_tunnels_over_ipv6(tmp_path: Path) -> None:
    places = {f"2001:db8:1::{n}": f"127.0.0.{n}" for n in (11, 12, 53, 54)}
    web = {"::ffff:7f00:b": 100, "::ffff:7f00:c": 100}
    dns = {"::ffff:7f00:35": 100, "::ffff:7f00:36": 100}
    usual = {
        "2001:db8:0:1::80/128 tcp 443": web,
        "2001:db8:0:1::53/128 udp 53": dns,
        "2001:db8:0:1::53/128 tcp 53": dns,
        "2001:db8:0:1::/64 any 0": web,
    }
    with at_work(IPV6_ONLY, places, tmp_path) as (site, servers):
        until_written(site, usual)
        assert {vip["encap"] for vip in site.vpp.listed().values()} == {"gre6"}

        servers.ill("2001:db8:1::11")
        left = web | {"::ffff:7f00:b": 0}
        until_written(site, usual | {"2001:db8:0:1::80/128 tcp 443": left, "2001:db8:0:1::/64 any 0": left})


@contextmanager
def answering(space: str, address: str) -> Iterator[None]:
    """A web server on port 80 of a namespace, where that address is."""
    made: list[ThreadingHTTPServer] = []
    ip("-n", space, "address", "add", f"{address}/32", "dev", "lo")
    run_inside(space, lambda: made.append(ThreadingHTTPServer((address, 80), Ok)))
    with made[0] as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@needs_root
def test_netns_probes_from_there_and_blames_nobody_when_it_is_gone(tmp_path: Path) -> None:
    usual = {SHOP: {"198.51.100.11": 100, "198.51.100.12": 100}}
    with ExitStack() as stack:
        life = stack.enter_context(ExitStack())
        space = life.enter_context(namespace())
        ip("-n", space, "address", "add", "192.0.2.254/32", "dev", "lo")
        for server in ("198.51.100.11", "198.51.100.12"):
            stack.enter_context(answering(space, server))
        site = Site(tmp_path, 0)
        text = NETNS.read_text().replace("netns: dataplane", f"netns: {space}")
        at_once = "startup-max-delay: 2m\n      startup-min-delay: 0s"
        site.config.write_text(text.replace("startup-max-delay: 2m", at_once))
        stack.enter_context(site.vpp.running())
        maglevd = stack.enter_context(site.running())
        until_written(site, usual)

        life.close()
        maglevd.until_says("WARNING probe-inconclusive")
        assert site.vpp.weights() == usual
        assert "SOCKERR" in maglevd.output
        assert "to=down" not in maglevd.output
