#!/usr/bin/env python3
"""Writes a configuration of maglevd from a table of VIPs (CSV, as an IPAM exports it), or of a site that it makes up.

    ten_thousand.py --csv vips.csv > maglev.yaml
    ten_thousand.py --vips 10000 --backends 2000 > maglev.yaml
    maglevd --check --config maglev.yaml

The table has a line for each backend of each VIP, below a line with the names of its columns, in any order:

    vip       an address or a prefix             name    of the frontend (default: made of the VIP)
    protocol  tcp, udp, or empty for all         pool    (default: primary) in order of preference
    port      a number, or empty for all         check   tcp, http, https, icmp or none, on the VIP's port
    backend   the address of a server                    (default: tcp where the protocol is tcp, else icmp)
    weight    0 to 100 (default: 100)

vip and backend are required, the others may be left out; more columns are not looked at. A server is probed once for
each check and port, however many VIPs use it. The same table gives the same file, in whatever order its VIPs are, so
`diff` shows what has changed between two exports. What the values mean is judged by `maglevd --check`.

Needs nothing but Python.
"""

import argparse
import csv
import ipaddress
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKS = ("tcp", "http", "https", "icmp", "none")
FAULTS_SHOWN = 20
MADE_UP = 65_535  # VIPs, and backends, at most: each has a /16 of what is set aside for tests of networks (RFC 2544)
FIRST_VIP, FIRST_BACKEND = ipaddress.ip_address("198.18.0.1"), ipaddress.ip_address("198.19.0.1")
REQUIRED = ("vip", "backend")
USUAL = {"protocol": "", "port": "", "name": "", "weight": "100", "pool": "primary", "check": ""}


class Fault(Exception):
    """What is wrong with a line of the table."""


@dataclass
class Frontend:
    """All lines of one VIP: its pools in order, and in each the weights of backends by name."""

    name: str
    vip: str
    protocol: str
    port: str
    pools: dict[str, dict[str, str]] = field(default_factory=dict)


class Table:
    """What the lines add up to. Backends are by address, check and port, which are their name as well."""

    def __init__(self) -> None:
        self.frontends: dict[tuple[str, str, str], Frontend] = {}
        self.backends: dict[str, tuple[str, str]] = {}  # address and health check of each, "" for none
        self.checks: dict[str, tuple[str, str]] = {}  # type and port of each
        self._names: dict[str, Frontend] = {}

    def add(self, line: dict[str, str]) -> None:
        """Raises Fault for what cannot be put into a file that says the same."""
        frontend = self._frontend(line)
        backend = self._backend(line)
        pool = frontend.pools.setdefault(line["pool"], {})
        if backend in pool:
            raise Fault(f"backend {line['backend']} stands twice in pool {line['pool']} of {frontend.name}")
        pool[backend] = whole(line["weight"], "weight")

    def _frontend(self, line: dict[str, str]) -> Frontend:
        vip, protocol = prefix(line["vip"]), line["protocol"].lower()
        port = whole(line["port"] or "0", "port")
        name = line["name"] or "-".join((vip, protocol or "any", *([port] if port != "0" else [])))
        found = self.frontends.setdefault((vip, protocol, port), Frontend(name, vip, protocol, port))
        if name != found.name:
            raise Fault(f"VIP {vip} {protocol or 'any'} {port} is called {found.name} above, and here {name}")
        if self._names.setdefault(name, found) is not found:
            raise Fault(f"{name} is the name of {self._names[name].vip} above")
        return found

    def _backend(self, line: dict[str, str]) -> str:
        try:
            address = str(ipaddress.ip_address(line["backend"]))
        except ValueError:
            raise Fault(f"backend {line['backend']!r} is no address") from None
        protocol, port = line["protocol"].lower(), line["port"] or "0"
        kind = line["check"] or ("tcp" if protocol == "tcp" else "icmp")
        if kind not in CHECKS:
            raise Fault(f"check {kind!r} is none of {', '.join(CHECKS)}")
        if kind in ("icmp", "none"):
            port = "0"
        elif port == "0":
            raise Fault(f"check {kind} needs a port, and the VIP is for all: say icmp or none")
        check = "" if kind == "none" else kind if port == "0" else f"{kind}-{port}"
        name = f"{address}-{check}" if check else address
        self.backends[name] = address, check
        if check:
            self.checks[check] = kind, port
        return name


def main() -> None:
    """Write the whole file, or say what is wrong and end with status 2."""
    words = arguments()
    table = Table()
    faults: list[str] = []
    try:
        for number, line in read(words.csv) if words.csv else enumerate(made_up(words)):
            try:
                table.add(line)
            except Fault as fault:
                faults.append(f"line {number}: {fault}")
    except UnicodeDecodeError:
        faults.append("this is not UTF-8")
    except (OSError, csv.Error, Fault) as error:
        faults.append(str(getattr(error, "strerror", error)))
    if faults:
        more = [f"and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
        sys.stderr.writelines(f"{words.csv}: {each}\n" for each in (*faults[:FAULTS_SHOWN], *more))
        sys.exit(2)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # for `| head`
    sys.stdout.buffer.writelines(f"{line}\n".encode() for line in configuration(table, words))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the table; without it a site is made up")
    parser.add_argument("--vips", type=int, default=10_000, metavar="N", help="to make up (10000)")
    parser.add_argument("--backends", type=int, default=2_000, metavar="N", help="to make up (2000)")
    parser.add_argument("--per-vip", type=int, default=4, metavar="N", help="backends of each VIP made up (4)")
    parser.add_argument("--ipv4-src-address", default="192.0.2.254", metavar="ADDRESS", help="of the tunnels")
    parser.add_argument("--ipv6-src-address", default="2001:db8::fe", metavar="ADDRESS", help="of the tunnels")
    parser.add_argument("--path", default="/healthz", help="what http and https checks ask for (/healthz)")
    words = parser.parse_args()
    if not (0 < words.vips <= MADE_UP and 0 < words.backends <= MADE_UP and 0 < words.per_vip <= words.backends):
        parser.error(f"--vips and --backends are from 1 to {MADE_UP}, --per-vip from 1 to the number of backends")
    return words


def read(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of the table with their numbers, each with all columns. Raises Fault where a column is missing."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.DictReader(file)
        if missing := [name for name in REQUIRED if name not in (lines.fieldnames or ())]:
            raise Fault(f"line 1: there is no column {' and none '.join(missing)}; commas part the columns")
        for line in lines:
            yield (
                lines.line_num,
                {name: (line[name] or "").strip() for name in REQUIRED}
                | {name: (line.get(name) or "").strip() or usual for name, usual in USUAL.items()},
            )


def made_up(words: argparse.Namespace) -> Iterator[dict[str, str]]:
    """A site of TLS frontends that share its servers evenly."""
    step = words.backends // words.per_vip
    for vip in range(words.vips):
        for each in range(words.per_vip):
            server = FIRST_BACKEND + (vip + each * step) % words.backends
            given = {"vip": str(FIRST_VIP + vip), "protocol": "tcp", "port": "443", "backend": str(server)}
            yield USUAL | given | {"name": f"www-{vip + 1:05}"}


def configuration(table: Table, words: argparse.Namespace) -> Iterator[str]:
    """Lines of YAML; texts are written as JSON has them, which is YAML too."""
    counts = f"{len(table.frontends)} frontends, {len(table.backends)} backends"
    yield f"# Made by ten_thousand.py: {counts}. Change its table, not this file."
    yield "maglev:"
    yield "  vpp:"
    yield "    lb:"
    yield f"      ipv4-src-address: {text(words.ipv4_src_address)}"
    yield f"      ipv6-src-address: {text(words.ipv6_src_address)}"
    yield "  healthchecks:"
    for name, (kind, port) in sorted(table.checks.items()):
        yield f"    {text(name)}:"
        yield f"      type: {kind}"
        yield from [f"      port: {port}"] if port != "0" else []
        # Thousands of servers: seldom while all is well, often while in doubt, so that one is out within 8 s or so.
        yield "      interval: 5s"
        yield "      fast-interval: 1s"
        yield "      down-interval: 10s"
        yield "      timeout: 1s"
        yield from [f"      params: {{path: {text(words.path)}}}"] if kind in ("http", "https") else []
    yield "  backends:"
    for name, (address, check) in sorted(table.backends.items(), key=lambda each: (number(each[1][0]), each[0])):
        yield f"    {text(name)}: {{address: {text(address)}{f', healthcheck: {text(check)}' if check else ''}}}"
    yield "  frontends:"
    for frontend in sorted(
        table.frontends.values(), key=lambda each: (number(each.vip), each.protocol, int(each.port))
    ):
        yield from lines_of(frontend)


def lines_of(frontend: Frontend) -> Iterator[str]:
    """One frontend, a backend a line."""
    yield f"    {text(frontend.name)}:"
    yield f"      address: {text(frontend.vip)}"
    yield from [f"      protocol: {text(frontend.protocol)}"] if frontend.protocol else []
    yield from [f"      port: {frontend.port}"] if frontend.port != "0" else []
    yield "      pools:"
    for pool, weights in frontend.pools.items():
        yield f"        - name: {text(pool)}"
        yield "          backends:"
        for name, weight in sorted(weights.items()):  # in whatever order the table has them
            yield f"            {text(name)}: {{weight: {weight}}}"


def number(address: str) -> tuple[int, int, int]:
    """To sort by: .2 before .10."""
    network = ipaddress.ip_network(address)
    return network.version, int(network.network_address), network.prefixlen


def prefix(value: str) -> str:
    """An address, or a prefix, always written in the same way."""
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise Fault(f"vip {value!r}: {error}") from None
    return str(network.network_address if network.num_addresses == 1 else network)


def whole(value: str, column: str) -> str:
    """Decimal digits, without leading zeros."""
    if not (value.isascii() and value.isdigit()):
        raise Fault(f"{column} {value!r} is no whole number")
    return str(int(value))


def text(value: str) -> str:
    """In double quotes."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
